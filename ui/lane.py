"""The way to the model: one at a time, who came first is first. No Gradio."""

from __future__ import annotations

import statistics
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from stablechat.errors import CancelledError, StableChatError

#: Questions waiting for the model before new ones are refused.
MAX_WAITING = 16

#: Turns that the expected time is made of.
_REMEMBERED = 20
#: How long to wait at a time before looking at Stop again.
_POLL_SECONDS = 0.1


class BusyError(StableChatError):
    """Too many are waiting already."""


@dataclass(frozen=True)
class Place:
    """Where somebody is in the line.

    Attributes:
        ahead: How many are before; the one whose turn it is counts.
        seconds: How long they may take, None while nobody was through yet.
    """

    ahead: int
    seconds: float | None


class _Turn:
    """Somebody in the line."""

    def __init__(self, weight: int) -> None:
        self.weight = weight
        self.started: float | None = None


class Lane:
    """A line of those who want the model.

    Args:
        max_waiting: More are refused.
        clock: Seconds that only grow; for tests.
    """

    def __init__(
        self,
        max_waiting: int = MAX_WAITING,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._max_waiting = max_waiting
        self._clock = clock
        self._line: deque[_Turn] = deque()
        self._changed = threading.Condition()
        # Seconds for a weight of 1.
        self._paces: deque[float] = deque(maxlen=_REMEMBERED)

    @contextmanager
    def turn(
        self,
        cancelled: Callable[[], bool],
        told: Callable[[Place], None] = lambda place: None,
        *,
        weight: int = 1,
        refusable: bool = True,
    ) -> Iterator[None]:
        """Wait for one's turn, and have the model to oneself.

        Args:
            cancelled: Asked often while waiting.
            told: Called while waiting, with the place in the line.
            weight: How many answers are wanted; 0 takes no time.
            refusable: Whether to give way where too many are waiting.

        Raises:
            BusyError: Too many are waiting already.
            CancelledError: ``cancelled`` said so.
        """
        mine = self._join(weight, refusable)
        try:
            self._wait(mine, cancelled, told)
            mine.started = self._clock()
            yield
            if weight:
                self._paces.append((self._clock() - mine.started) / weight)
        finally:
            with self._changed:
                self._line.remove(mine)
                self._changed.notify_all()

    def _join(self, weight: int, refusable: bool) -> _Turn:
        with self._changed:
            # The first one does not wait.
            if refusable and len(self._line) > self._max_waiting:
                raise BusyError(
                    "Too many questions are waiting for the model; try again in a "
                    "minute."
                )
            self._line.append(_Turn(weight))
            return self._line[-1]

    def _wait(
        self,
        mine: _Turn,
        cancelled: Callable[[], bool],
        told: Callable[[Place], None],
    ) -> None:
        with self._changed:
            while self._line[0] is not mine:
                if cancelled():
                    raise CancelledError("Stopped.")
                told(self._place(mine))
                self._changed.wait(_POLL_SECONDS)
        if cancelled():
            raise CancelledError("Stopped.")

    def _place(self, mine: _Turn) -> Place:
        before = list(self._line)[: self._line.index(mine)]
        if not self._paces:
            return Place(len(before), None)
        pace = statistics.median(self._paces)
        return Place(len(before), sum(self._left(each, pace) for each in before))

    def _left(self, turn: _Turn, pace: float) -> float:
        gone = 0.0 if turn.started is None else self._clock() - turn.started
        return max(turn.weight * pace - gone, 0.0)
