"""One computation in a thread of its own, with progress and a way to stop it.

The page's handlers run on the server's event loop and must stay free to notice that
Stop was pressed; the model runs here, and looks at :meth:`Job.cancelled` often.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Generic, TypeVar

from stablechat.errors import CancelledError, StableChatError
from stablechat.types import SearchProgress
from ui.lane import Place

logger = logging.getLogger(__name__)

Result = TypeVar("Result")
Error = TypeVar("Error", bound=BaseException)


@dataclass(frozen=True)
class Progress:
    """How far a job is.

    Attributes:
        stage: ``"wait"`` for the model, ``"read"``, ``"encode"``, ``"answer"`` or
            ``"draw"``; empty before the first.
        fraction: 0..1 of that stage.
        part: Which of several parts is being worked on, from 0; as many as there are
            when what is left is done for all of them.
        parts: How many there are.
        place: In the line, while waiting.
        search: How far it is through a long video, while it is looked at.
        bytes: What has come of a file, and how much there will be, if that is known.
    """

    stage: str = ""
    fraction: float = 0.0
    part: int = 0
    parts: int = 1
    place: Place | None = None
    search: SearchProgress | None = None
    bytes: tuple[int, int | None] = (0, None)


class Job(Generic[Result]):
    """Runs ``work(job)`` once.

    Whoever starts a job ends it: call :meth:`cancel` and :meth:`join` in a
    ``finally``. ``work`` reports with :meth:`report` and hands :meth:`cancelled`
    down to the model.
    """

    def __init__(self, work: Callable[[Job[Result]], Result]) -> None:
        self._work = work
        self._stop = threading.Event()
        self._done = threading.Event()
        self._progress = Progress()
        self._result: Result | None = None
        self._error: BaseException | None = None
        self._started = time.monotonic()
        self._ended = self._started
        # A daemon, so that a model stuck in native code can't keep the program
        # from exiting.
        self._thread = threading.Thread(
            target=self._run, name="stablechat-job", daemon=True
        )

    def start(self) -> None:
        """Start the thread."""
        self._started = time.monotonic()
        self._thread.start()

    def cancel(self) -> None:
        """Ask the work to end; returns at once."""
        self._stop.set()

    def cancelled(self) -> bool:
        """Whether :meth:`cancel` was called."""
        return self._stop.is_set()

    def begin_part(self, part: int, parts: int) -> None:
        """Called by the work before each of its parts."""
        self._progress = Progress(part=part, parts=parts)

    def report(self, stage: str, fraction: float) -> None:
        """Called by the work; wakes nobody, the page polls."""
        fraction = min(max(fraction, 0.0), 1.0)
        self._progress = replace(
            self._progress, stage=stage, fraction=fraction, place=None, search=None
        )

    def report_search(self, search: SearchProgress) -> None:
        """Called by the work while it goes through a long video."""
        self.report(search.stage, search.fraction)
        self._progress = replace(self._progress, search=search)

    def report_bytes(self, done_bytes: int, total_bytes: int | None) -> None:
        """Called by the work while it fetches a file."""
        self._progress = Progress(stage="fetch", bytes=(done_bytes, total_bytes))

    def report_place(self, place: Place) -> None:
        """Called by the work while it waits for the model."""
        self._progress = Progress(stage="wait", place=place)

    @property
    def progress(self) -> Progress:
        """The last report."""
        return self._progress

    @property
    def done(self) -> bool:
        """Whether the work has ended, one way or another."""
        return self._done.is_set()

    @property
    def elapsed_seconds(self) -> float:
        """Time from the start to the end, or to now."""
        end = self._ended if self.done else time.monotonic()
        return end - self._started

    def join(self, timeout_seconds: float | None = None) -> bool:
        """Wait for the end.

        Returns:
            Whether it has ended.
        """
        return self._done.wait(timeout_seconds)

    def result(self) -> Result:
        """What the work returned.

        Raises:
            Exception: Whatever the work raised; its traceback is in the log only.
        """
        if self._error is not None:
            raise without_frames(self._error)
        if not self.done:
            raise RuntimeError("The job has not ended.")
        return self._result  # type: ignore[return-value]

    def _run(self) -> None:
        try:
            if self.cancelled():
                raise CancelledError("Stopped.")
            self._result = self._work(self)
        except BaseException as error:
            if not isinstance(error, StableChatError):
                logger.exception("A job failed.")
            self._error = without_frames(error)
        finally:
            self._ended = time.monotonic()
            self._done.set()


def without_frames(error: Error) -> Error:
    """An error that may be kept.

    What it went through holds all that was worked on there: decoded pictures, the
    model's memory of a video, or a whole model.
    """
    error.__context__ = error.__cause__ = None
    return error.with_traceback(None)
