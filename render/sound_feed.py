"""Gives FFmpeg the sound of a clip while it also takes the pictures: no file between.

FFmpeg reads pictures from its standard input and sound from a second pipe, whichever
it needs next. So a thread of its own fills the sound's pipe: were one thread to fill
both, it could wait at one pipe while FFmpeg waits at the other.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType

from render.sound import SoundFormat

#: Windows hands no open pipes but the standard ones to another program.
_CAN_PASS_PIPES = os.name == "posix"

#: Writes all sound to the function given first, until the second says stop.
Producer = Callable[[Callable[[bytes], object], Callable[[], bool]], None]


class SoundFeed:
    """A sound input for FFmpeg, filled by a thread. A context manager.

    ``with SoundFeed(...) as feed`` opens the pipe; the caller starts FFmpeg with
    :attr:`arguments` and :attr:`pass_fds` and then calls :meth:`start`. At the end of
    ``with`` the thread has ended and nothing is open, whatever happened; FFmpeg must
    have ended by then, since the thread may be waiting for it to read.

    Where pipes can't be passed on, the sound is written to a file first.

    Args:
        form: How the samples are laid out.
        produce: Makes them.
        folder: For the file, where one is needed.
    """

    def __init__(self, form: SoundFormat, produce: Producer, folder: Path) -> None:
        self._form = form
        self._produce = produce
        self._folder = folder
        self._source = ""
        self._reading: int | None = None
        self._writing: int | None = None
        self._stop = threading.Event()
        self._thread: threading.Thread | None = None
        self._error: BaseException | None = None

    def __enter__(self) -> SoundFeed:
        if _CAN_PASS_PIPES:
            self._reading, self._writing = os.pipe()
            self._source = f"pipe:{self._reading}"
        else:
            path = self._folder / "sound.pcm"
            with path.open("wb") as file:
                self._produce(file.write, self._stop.is_set)
            self._source = str(path)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        self._close_reading()
        if self._thread is not None:
            self._thread.join()
        self._close_writing()

    @property
    def arguments(self) -> list[str]:
        """FFmpeg's arguments for this input."""
        rate, channels = str(self._form.rate), str(self._form.channels)
        layout = ["-f", "s16le", "-ar", rate, "-ac", channels]
        return [*layout, "-i", self._source]

    @property
    def pass_fds(self) -> tuple[int, ...]:
        """What FFmpeg must inherit."""
        return () if self._reading is None else (self._reading,)

    def start(self) -> None:
        """Begin to fill the pipe; FFmpeg was started."""
        # The last reader must be FFmpeg, or writing would block after its death.
        self._close_reading()
        if self._writing is not None:
            self._thread = threading.Thread(target=self._fill, name="clip sound")
            self._thread.start()

    def check(self) -> None:
        """Raise what went wrong in the thread, if anything did."""
        if self._error is not None:
            raise self._error

    def _fill(self) -> None:
        try:
            self._produce(self._write, self._stop.is_set)
        except BrokenPipeError:
            pass  # FFmpeg ended; who waits for it knows why
        except BaseException as error:  # told to the caller by check()
            self._error = error
        finally:
            self._close_writing()  # the end of the sound for FFmpeg

    def _write(self, samples: bytes) -> None:
        left = memoryview(samples)
        while len(left) and self._writing is not None:
            left = left[os.write(self._writing, left) :]

    def _close_reading(self) -> None:
        if self._reading is not None:
            os.close(self._reading)
            self._reading = None

    def _close_writing(self) -> None:
        if self._writing is not None:
            os.close(self._writing)
            self._writing = None
