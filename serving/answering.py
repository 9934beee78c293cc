"""What a copy of the model does with the questions of one batch. No Ray."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from serving.batcher import Waiting
from serving.messages import (
    Answer,
    Answered,
    DeadlineError,
    Event,
    Failed,
    UnknownVideoError,
)
from serving.shelf import Shelf
from stablechat.errors import CancelledError, StableChatError

if TYPE_CHECKING:
    from stablechat import StableChat
    from stablechat.types import Grounding
    from ui.pipeline import Chat


def check_waiting(waiting: Waiting) -> None:
    """Raise what a question that nobody waits for has earned.

    Raises:
        DeadlineError: Its time is over.
        CancelledError: It was stopped.
    """
    if waiting.request.is_late:
        raise DeadlineError(
            "There was no answer in the time that was given for it; try again, or "
            "give it more."
        )
    if waiting.cancelled():
        raise CancelledError("Stopped.")


@dataclass(frozen=True)
class Answering:
    """Answers batches; called in the model's thread.

    Attributes:
        chat: The model.
        shelf: Where the videos are.
        replica: What to call this copy of the model.
    """

    chat: Chat
    shelf: Shelf
    replica: str = ""

    def __call__(self, batch: Sequence[Waiting]) -> list[Event]:
        """An event for each question."""
        ready: dict[Waiting, tuple[Path, bool | None]] = {}
        events: dict[Waiting, Event] = {}
        for waiting in batch:
            try:
                ready[waiting] = self._prepare(waiting)
            except StableChatError as error:
                events[waiting] = Failed(_plain(waiting, error))
        if len(ready) > 1:
            events |= self._together(ready)
        else:
            events |= {each: self._alone(each, *found) for each, found in ready.items()}
        return [events[each] for each in batch]

    def _prepare(self, waiting: Waiting) -> tuple[Path, bool | None]:
        """The video's file, and whether it was encoded already; now it is."""
        check_waiting(waiting)
        request = waiting.request
        path = self.shelf.find(request.video)
        if path is None:
            raise UnknownVideoError("This video is not here any longer; send it again.")
        if not request.fits_a_batch:
            return path, None
        question, turn_of = request.question(), getattr(self.chat, "turn", None)
        if turn_of is None:  # a stand-in
            return path, None
        with turn_of(waiting.report, waiting.cancelled) as turn:
            timings = turn.encode_asked(path, question.task, None, 0.0).timings
        return path, not any(timings.values())

    def _alone(self, waiting: Waiting, path: Path, was_kept: bool | None) -> Event:
        try:
            answer = _ask(self.chat, waiting, path)
        except StableChatError as error:
            return Failed(_plain(waiting, error))
        return Answered(answer, self.replica, was_kept)

    def _together(
        self, ready: dict[Waiting, tuple[Path, bool | None]]
    ) -> dict[Waiting, Event]:
        try:
            answers = _ask_together(
                self.chat,  # type: ignore[arg-type]  # it had turns
                [(each, path) for each, (path, _) in ready.items()],
            )
        except StableChatError:
            # One of them is to blame; or all were stopped, which costs nothing.
            return {each: self._alone(each, *found) for each, found in ready.items()}
        return {
            each: self._told(each, answer, was_kept, len(ready))
            for (each, (_, was_kept)), answer in zip(
                ready.items(), answers, strict=True
            )
        }

    def _told(
        self, waiting: Waiting, answer: Grounding, was_kept: bool | None, size: int
    ) -> Event:
        if answer.generation.finish_reason == "cancelled":
            return Failed(_plain(waiting, CancelledError("Stopped.")))
        return Answered(answer, self.replica, was_kept, size)


def _ask(chat: Chat, waiting: Waiting, path: Path) -> Answer:
    check_waiting(waiting)
    request = waiting.request
    if request.kind == "describe":
        return chat.describe(
            path,
            request.query or None,
            segment=request.segment,
            on_progress=waiting.report,
            cancelled=waiting.cancelled,
        )
    if request.kind == "captions":
        return chat.caption(
            path,
            request.query or None,
            window_seconds=request.window_seconds,
            segment=request.segment,
            on_progress=waiting.report_search,
            cancelled=waiting.cancelled,
        )
    if request.kind == "moments":
        return chat.find_moments(
            path,
            request.query,
            window_seconds=request.window_seconds,
            segment=request.segment,
            top=request.top,
            on_progress=waiting.report_search,
            cancelled=waiting.cancelled,
        )
    return chat.ground(
        path,
        request.query,
        request.task,
        span=request.span,
        region=request.region,
        start_seconds=request.start_seconds,
        segment=request.segment,
        at_seconds=request.at_seconds,
        candidates=request.candidates,
        on_progress=waiting.report,
        cancelled=waiting.cancelled,
    )


def _ask_together(
    chat: StableChat, asked: Sequence[tuple[Waiting, Path]]
) -> Sequence[Grounding]:
    """Until each is answered, or not wanted any longer."""
    from stablechat.batching import ground_batch

    def report(stage: str, fraction: float) -> None:
        if stage == "answer":
            for waiting, _ in asked:
                waiting.report(stage, fraction)

    # What stands together shares what its prompts begin with.
    order = sorted(range(len(asked)), key=lambda place: asked[place][0].request.video)
    answers = ground_batch(
        chat,
        [(asked[place][1], asked[place][0].request.question()) for place in order],
        seats=len(asked),
        on_progress=report,
        cancelled=all_cancelled([waiting for waiting, _ in asked]),
        cancelled_each=[asked[place][0].cancelled for place in order],
    )
    return [answers[order.index(place)] for place in range(len(asked))]


def all_cancelled(asked: Sequence[Waiting]) -> Callable[[], bool]:
    """Whether none of several questions is wanted any longer."""
    return lambda: all(waiting.cancelled() for waiting in asked)


def _plain(waiting: Waiting, error: StableChatError) -> StableChatError:
    """What stopped a question: its own time, or whoever asked."""
    if not isinstance(error, CancelledError):
        return error
    try:
        check_waiting(waiting)
    except StableChatError as known:
        return known
    return error
