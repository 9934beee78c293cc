"""The models as the page knows one: a ``ui.pipeline.Chat``. No Ray."""

from __future__ import annotations

import asyncio
import concurrent.futures
import secrets
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from serving.messages import Answered, ModelRequest, Told, about, error_about
from serving.shelf import Shelf
from stablechat.errors import CancelledError, StableChatError, VideoError
from stablechat.questions import Question
from stablechat.types import (
    Captions,
    Description,
    Grounding,
    Moments,
    SearchProgress,
    Task,
    TimeSpan,
)
from stablechat.video import printable_name
from stablechat.windows import DEFAULT_PART_SECONDS, DEFAULT_WINDOW_SECONDS
from ui.lane import Lane, Place

if TYPE_CHECKING:
    from serving.remote import Models

_POLL_SECONDS = 0.1

Progress = Callable[[str, float], None]
Cancelled = Callable[[], bool]
Kind = TypeVar("Kind", Grounding, Moments, Description, Captions)


class OpenLane(Lane):
    """Lets everybody through: who has to wait does so in front of the models."""

    @contextmanager
    def turn(
        self,
        cancelled: Cancelled,
        told: Callable[[Place], None] = lambda place: None,
        *,
        weight: int = 1,
        refusable: bool = True,
    ) -> Iterator[None]:
        """Go on at once.

        Raises:
            CancelledError: ``cancelled`` said so.
        """
        if cancelled():
            raise CancelledError("Stopped.")
        yield


@dataclass
class RemoteChat:
    """Answers as StableChat does, by asking the models.

    Attributes:
        models: Are asked.
        loop: Where they are.
        videos: Where they find the videos.
        deadline_seconds: For an answer.
        name: Of the model, as the others are.
        is_demo: Whether it is the demo model.
        device: Where it runs.
        dtype: The type of its numbers.
        quantization: How its language model is stored.
        weight_bytes: What the weights of one copy take.
        free_bytes: What could be had beside them when the server started.
    """

    models: Models
    loop: asyncio.AbstractEventLoop
    videos: Shelf
    deadline_seconds: float
    name: str
    is_demo: bool
    device: Any
    dtype: Any
    quantization: str | None
    weight_bytes: int
    free_bytes: int

    def ground(
        self,
        video: Path,
        query: str,
        task: Task = "stvg",
        *,
        span: TimeSpan | None = None,
        region: Sequence[float] | None = None,
        start_seconds: float | None = None,
        segment: TimeSpan | None = None,
        at_seconds: float | None = None,
        candidates: int = 1,
        on_progress: Progress | None = None,
        cancelled: Cancelled | None = None,
    ) -> Grounding:
        """Find an event; as ``StableChat.ground``."""
        # Refused here what can't be asked.
        Question(query, task, span, region, start_seconds)
        return self._asked(
            Grounding,
            video,
            _reported(on_progress),
            cancelled,
            kind="ground",
            query=query,
            task=task,
            span=span,
            region=None if region is None else tuple(float(each) for each in region),
            start_seconds=start_seconds,
            segment=segment,
            at_seconds=at_seconds,
            candidates=candidates,
        )

    def look_again(
        self, answer: Grounding, *, cancelled: Cancelled | None = None
    ) -> Grounding:
        """The answer as it is: the copies answer many questions at once, each once."""
        return answer

    def find_moments(
        self,
        video: Path,
        query: str,
        *,
        window_seconds: float = DEFAULT_WINDOW_SECONDS,
        segment: TimeSpan | None = None,
        top: int | None = None,
        on_progress: Callable[[SearchProgress], None] | None = None,
        cancelled: Cancelled | None = None,
    ) -> Moments:
        """Find an event in a long video; as ``StableChat.find_moments``."""
        return self._asked(
            Moments,
            video,
            _search_reported(on_progress),
            cancelled,
            kind="moments",
            query=query,
            window_seconds=window_seconds,
            segment=segment,
            top=top,
        )

    def describe(
        self,
        video: Path,
        question: str | None = None,
        *,
        segment: TimeSpan | None = None,
        on_progress: Progress | None = None,
        cancelled: Cancelled | None = None,
    ) -> Description:
        """Say what happens; as ``StableChat.describe``."""
        return self._asked(
            Description,
            video,
            _reported(on_progress),
            cancelled,
            kind="describe",
            query=question or "",
            segment=segment,
        )

    def caption(
        self,
        video: Path,
        question: str | None = None,
        *,
        window_seconds: float = DEFAULT_PART_SECONDS,
        segment: TimeSpan | None = None,
        on_progress: Callable[[SearchProgress], None] | None = None,
        cancelled: Cancelled | None = None,
    ) -> Captions:
        """Say what happens part by part; as ``StableChat.caption``."""
        return self._asked(
            Captions,
            video,
            _search_reported(on_progress),
            cancelled,
            kind="captions",
            query=question or "",
            window_seconds=window_seconds,
            segment=segment,
        )

    def _asked(
        self,
        kind_of_answer: type[Kind],
        video: Path,
        on_told: Callable[[Told], None],
        cancelled: Cancelled | None,
        **request: Any,
    ) -> Kind:
        kept = self._kept(video)
        asked = ModelRequest(
            video=kept,
            request_id=f"page-{secrets.token_hex(8)}",
            deadline=time.time() + self.deadline_seconds,
            **request,
        )
        try:
            answer = self._wait(asked, on_told, cancelled or (lambda: False)).answer
        except StableChatError as error:
            raise error_about(error, kept, printable_name(video)) from error
        if not isinstance(answer, kind_of_answer):
            raise TypeError(f"{kind_of_answer.__name__} expected, got {answer!r}")
        return about(answer, video)

    def _kept(self, video: Path) -> str:
        try:
            return self.videos.adopt(video)
        except OSError as error:
            raise VideoError(
                "{name} can't be read: {reason}.",
                name=printable_name(video),
                reason=error.strerror or error,
            ) from error

    def _wait(
        self,
        asked: ModelRequest,
        on_told: Callable[[Told], None],
        cancelled: Cancelled,
    ) -> Answered:
        """The answer; called in the job's thread."""
        work = self.models.ask(asked, on_told)
        future = asyncio.run_coroutine_threadsafe(work, self.loop)
        try:
            while True:
                done, _ = concurrent.futures.wait([future], timeout=_POLL_SECONDS)
                if done:
                    return future.result()
                if cancelled():
                    raise CancelledError("Stopped.")
        finally:
            future.cancel()


def _reported(on_progress: Progress | None) -> Callable[[Told], None]:
    def on_told(told: Told) -> None:
        if on_progress is not None:
            on_progress(told.stage, told.fraction)

    return on_told


def _search_reported(
    on_progress: Callable[[SearchProgress], None] | None,
) -> Callable[[Told], None]:
    def on_told(told: Told) -> None:
        if on_progress is not None and told.search is not None:
            on_progress(told.search)

    return on_told
