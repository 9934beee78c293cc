"""How far a run is and how long it will take, on stderr."""

from __future__ import annotations

from collections.abc import Callable
from typing import TextIO

# How often a log that is not a terminal gets a line.
_SECONDS_BETWEEN_LINES = 10.0


class Progress:
    """Tells after each row, or now and then where nobody watches.

    Args:
        total: All rows.
        todo: Those that are not answered yet.
        stream: Where to write.
        clock: Seconds.
        count_done: Rows answered in this run, by all processes; None counts calls.
    """

    def __init__(
        self,
        total: int,
        todo: int,
        stream: TextIO,
        clock: Callable[[], float],
        count_done: Callable[[], int] | None = None,
    ) -> None:
        self._total, self._todo, self._done = total, todo, 0
        self._stream, self._clock, self._count_done = stream, clock, count_done
        self._started = self._told = clock()
        if todo < total:
            print(f"{total - todo} of {total} rows are there already", file=stream)

    def tell(self, num_missing: int) -> None:
        """One more row is done."""
        self._done += 1
        now = self._clock()
        terminal, all_mine = self._stream.isatty(), self._done == self._todo
        if not terminal and not all_mine and now - self._told < _SECONDS_BETWEEN_LINES:
            return
        self._told = now
        done = self._done if self._count_done is None else self._count_done()
        left = self._todo - done
        each = (now - self._started) / max(done, 1)
        line = (
            f"{self._total - left}/{self._total} rows, {num_missing} missing, "
            f"{each:.1f} s a row, {duration(each * left)} left"
        )
        start, end = ("\r\033[K", "" if left else "\n") if terminal else ("", "\n")
        print(f"{start}{line}", end=end, file=self._stream, flush=True)


def duration(seconds: float) -> str:
    """Seconds as ``h:mm:ss``."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
