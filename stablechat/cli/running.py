"""While a command works: Ctrl-C and progress."""

from __future__ import annotations

import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

from stablechat.errors import CancelledError

if TYPE_CHECKING:
    from types import FrameType

# Back to the beginning of the line, and nothing on it.
_CLEAR = "\r\033[K"


@contextmanager
def interruptible() -> Iterator[Callable[[], bool]]:
    """Turn the first Ctrl-C (polite kill, closed terminal) into a clean stop.

    The second one is Python's own KeyboardInterrupt, for work that does not ask.
    """
    stopped = threading.Event()

    def stop(number: int, frame: FrameType | None) -> None:
        if stopped.is_set():
            raise KeyboardInterrupt
        stopped.set()

    if threading.current_thread() is not threading.main_thread():
        yield stopped.is_set
        return
    handled = [signal.SIGINT, signal.SIGTERM]
    hang_up = getattr(signal, "SIGHUP", None)  # not on Windows
    if hang_up and signal.getsignal(hang_up) is not signal.SIG_IGN:  # by nohup
        handled.append(hang_up)
    before = [signal.signal(number, stop) for number in handled]
    try:
        yield stopped.is_set
        _raise_if(stopped)
    except Exception:
        # Ctrl-C reaches FFmpeg too, whose end may be reported as a failure.
        _raise_if(stopped)
        raise
    finally:
        for number, handler in zip(handled, before, strict=True):
            signal.signal(number, handler)


def _raise_if(stopped: threading.Event) -> None:
    if stopped.is_set():
        raise CancelledError("Stopped.")


@contextmanager
def shown_progress() -> Iterator[Callable[[str, float], None]]:
    """Show the stage on a terminal, and take it away again."""
    if not sys.stderr.isatty():
        yield lambda stage, fraction: None
        return

    def show(stage: str, fraction: float) -> None:
        print(f"{_CLEAR}{stage} {fraction:4.0%}", end="", file=sys.stderr, flush=True)

    try:
        yield show
    finally:
        print(_CLEAR, end="", file=sys.stderr, flush=True)


def tell(line: str) -> None:
    """Say something that stays, on stderr, while progress is shown."""
    clear = _CLEAR if sys.stderr.isatty() else ""
    print(f"{clear}{line}", file=sys.stderr, flush=True)
