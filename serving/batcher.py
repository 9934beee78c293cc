"""Questions that wait while the model is busy, answered together next. No Ray.

Serve's own ``@serve.batch`` is not used: it makes up its batches while the model is
still busy, each of what came within a set time, so that questions that have to wait
anyway wait in many small batches.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence

from serving.messages import Event, ModelRequest, Told
from stablechat.types import SearchProgress


class Waiting:
    """A question that was put to the model, as its batch and its caller see it.

    Args:
        request: The question.
    """

    def __init__(self, request: ModelRequest) -> None:
        self.request = request
        self.told: Told | None = None
        self.ended: asyncio.Future[Event] = asyncio.get_running_loop().create_future()
        self._stop = threading.Event()

    def stop(self) -> None:
        """Nobody wants the answer any longer."""
        self._stop.set()

    def cancelled(self) -> bool:
        """Whether nobody wants the answer, or it would come too late."""
        return self._stop.is_set() or self.request.is_late

    def report(self, stage: str, fraction: float) -> None:
        """Called by the model's thread."""
        self.told = Told(stage, fraction)

    def report_search(self, search: SearchProgress) -> None:
        """Called by the model's thread."""
        self.told = Told(search.stage, search.fraction, search)


#: Answers questions in a thread; an event for each, in their order.
AnswerAll = Callable[[Sequence[Waiting]], list[Event]]


class Batcher:
    """Takes questions and answers them in turn, several at once where that can be.

    Args:
        answer_all: Never called twice at once.
        max_batch: Questions that are answered together.
    """

    def __init__(self, answer_all: AnswerAll, max_batch: int) -> None:
        self._answer_all = answer_all
        self._max_batch = max_batch
        self._line: deque[Waiting] = deque()
        self._runner: asyncio.Task[None] | None = None
        self._began: float | None = None

    @property
    def busy_seconds(self) -> float:
        """How long the batch that is being answered has taken so far."""
        return 0.0 if self._began is None else time.monotonic() - self._began

    def put(self, waiting: Waiting) -> None:
        """Take a question; its ``ended`` tells the rest."""
        self._line.append(waiting)
        if self._runner is None or self._runner.done():
            self._runner = asyncio.get_running_loop().create_task(self._run())

    async def _run(self) -> None:
        while self._line:
            batch = self._take()
            self._began = time.monotonic()
            try:
                events = await asyncio.to_thread(self._answer_all, batch)
                for waiting, event in zip(batch, events, strict=True):
                    if not waiting.ended.done():
                        waiting.ended.set_result(event)
            except Exception as error:  # a bug; whoever asked is to know of it
                for waiting in batch:
                    if not waiting.ended.done():
                        waiting.ended.set_exception(error)
            finally:
                self._began = None

    def _take(self) -> list[Waiting]:
        """The first question, and what can be answered together with it."""
        first = self._line.popleft()
        if not first.request.fits_a_batch:
            return [first]
        fitting = [each for each in self._line if each.request.fits_a_batch]
        taken = [first, *fitting[: self._max_batch - 1]]
        self._line = deque(each for each in self._line if each not in taken)
        return taken
