"""One process: the next video is read, and the last clip cut, while the model works."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import closing
from typing import TypeVar

from stablechat.cli.batch.failures import Cancelled
from stablechat.cli.batch.jobs import Answered, Plan, Result, VideoJob
from stablechat.cli.batch.stages import Chat, answer, finish, read

Item = TypeVar("Item")
Made = TypeVar("Made")


class LocalEngine:
    """Runs the stages here.

    Args:
        plan: Of the run.
        load: Makes the model; called once something is to be asked.
    """

    def __init__(self, plan: Plan, load: Callable[[], Chat]) -> None:
        self._plan = plan
        self._load = load

    def run(
        self, jobs: Sequence[VideoJob], cancelled: Cancelled
    ) -> Generator[Result, None, None]:
        """Answer everything.

        Yields:
            A result for each input.

        Raises:
            ModelError: The model can't be loaded.
            CancelledError: ``cancelled`` said so.
        """
        with closing(self._answers(jobs, cancelled)) as answers:
            yield from one_ahead(
                lambda answered: finish(self._plan, answered, cancelled), answers
            )

    def _answers(
        self, jobs: Sequence[VideoJob], cancelled: Cancelled
    ) -> Generator[Answered, None, None]:
        reads = one_ahead(lambda job: read(self._plan, job, cancelled), jobs)
        with closing(reads):
            chat: Chat | None = None
            for video in reads:
                if chat is None and video.is_asked:
                    chat = self._load()
                yield from answer(self._plan, chat, video, cancelled)


def one_ahead(
    work: Callable[[Item], Made], items: Iterable[Item]
) -> Generator[Made, None, None]:
    """Do something with each item in another thread, one ahead of what is used.

    Yields:
        What came of it, in the order of the items. Once the generator is closed, the
        thread has ended.
    """
    waiting: deque[Future[Made]] = deque()
    with ThreadPoolExecutor(1, thread_name_prefix="batch") as thread:
        try:
            for item in items:
                waiting.append(thread.submit(work, item))
                if len(waiting) > 1:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
