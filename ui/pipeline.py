"""One question, from the video to the files that can be downloaded. No Gradio."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from render.encoding import DEFAULT_OPTIONS, ClipOptions
from stablechat.errors import CancelledError
from stablechat.sentences import Sentence
from stablechat.types import (
    Captions,
    Description,
    Generation,
    Grounding,
    Moments,
    SearchProgress,
    Task,
    TimeSpan,
)
from stablechat.windows import DEFAULT_PART_SECONDS, DEFAULT_WINDOW_SECONDS
from ui.asks import Ask, Mode
from ui.jobs import Job
from ui.lane import Lane
from ui.outcomes import (
    Answer,
    Outcome,
    usual_options,
    write_captions,
    write_description,
    write_grounding,
    write_picture_answer,
)
from ui.settings import DEMO_WINDOW_SECONDS, TOLD_MOMENTS

_TASKS: dict[Mode, Task] = {
    "ground": "stvg",
    "svg": "svg",
    "elc": "elc",
    "tvg": "tvg",
    "rec": "rec",
}


class Chat(Protocol):
    """What the page needs of :class:`stablechat.StableChat`."""

    name: str
    is_demo: bool

    @property
    def quantization(self) -> str | None:
        """How the language model is stored."""

    @property
    def weight_bytes(self) -> int:
        """What the weights take."""

    @property
    def free_bytes(self) -> int:
        """What could be had beside them."""

    @property
    def device(self) -> Any:
        """Where the model runs."""

    @property
    def dtype(self) -> Any:
        """The type of its numbers."""

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
        on_progress: Callable[[str, float], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Grounding:
        """Find an event."""

    def look_again(
        self, answer: Grounding, *, cancelled: Callable[[], bool] | None = None
    ) -> Grounding:
        """Ask what was found, and whether that is what was asked for."""

    def find_moments(
        self,
        video: Path,
        query: str,
        *,
        window_seconds: float = DEFAULT_WINDOW_SECONDS,
        segment: TimeSpan | None = None,
        top: int | None = None,
        on_progress: Callable[[SearchProgress], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Moments:
        """Find an event in a long video, window by window."""

    def describe(
        self,
        video: Path,
        question: str | None = None,
        *,
        segment: TimeSpan | None = None,
        on_progress: Callable[[str, float], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Description:
        """Say what happens."""

    def caption(
        self,
        video: Path,
        question: str | None = None,
        *,
        window_seconds: float = DEFAULT_PART_SECONDS,
        segment: TimeSpan | None = None,
        on_progress: Callable[[SearchProgress], None] | None = None,
        cancelled: Callable[[], bool] | None = None,
    ) -> Captions:
        """Say what happens part by part."""


@dataclass
class Pipeline:
    """Answers questions.

    Attributes:
        chat: The loaded model.
        lane: The way to it: whoever calls :meth:`run` has a turn.
    """

    chat: Chat
    lane: Lane = field(default_factory=Lane, repr=False)

    def run(
        self,
        ask: Ask,
        folder: Path,
        job: Job[Any],
        style: ClipOptions = DEFAULT_OPTIONS,
    ) -> Outcome:
        """Answer a question; called in the job's thread, which has its turn.

        Args:
            ask: The question.
            folder: Where files go, this run's own.
            job: Gets the progress and says when to stop.
            style: How the last clip was drawn.

        Raises:
            StableChatError: With one plain line.
            CancelledError: Stop was pressed.
        """
        answer = self._answer(ask, job)
        if job.cancelled():
            raise CancelledError("Stopped.")
        if isinstance(answer, Description):
            return write_description(ask, answer, folder)
        if isinstance(answer, Captions):
            return write_captions(ask, answer, folder)
        if answer.task == "rec":
            return write_picture_answer(answer, folder)
        return write_grounding(answer, usual_options(answer, style), folder, job)

    def use(self, chat: Chat, cancelled: Callable[[], bool]) -> None:
        """Let another model answer from now on, once the running question is through.

        Raises:
            CancelledError: ``cancelled`` said so.
        """
        with self.lane.turn(cancelled, weight=0, refusable=False):
            self.chat = chat

    def redraw(
        self,
        outcome: Outcome,
        answer: Grounding,
        options: ClipOptions,
        folder: Path,
        job: Job[Any],
        rank: int | None = None,
    ) -> Outcome:
        """Draw and cut an answer again, without the model; called in the job's thread.

        Args:
            outcome: What there was.
            answer: The same answer, a corrected one or one of its alternatives.
            options: How to cut and draw.
            folder: Where files go, this one's own.
            job: Gets the progress and says when to stop.
            rank: Of that answer; None is as it was.

        Raises:
            StableChatError: With one plain line.
            CancelledError: Stop was pressed.
        """
        made = write_grounding(answer, options, folder, job)
        return replace(
            made,
            elapsed_seconds=outcome.elapsed_seconds,
            rank=outcome.rank if rank is None else rank,
        )

    def _answer(self, ask: Ask, job: Job[Any]) -> Answer:
        if ask.mode == "describe":
            return self.chat.describe(
                ask.video,
                ask.question or None,
                segment=ask.segment,
                on_progress=job.report,
                cancelled=job.cancelled,
            )
        if ask.mode == "captions":
            return self.chat.caption(
                ask.video,
                ask.question or None,
                window_seconds=ask.part_seconds,
                segment=ask.segment,
                on_progress=job.report_search,
                cancelled=job.cancelled,
            )
        if ask.num_windows > 1:
            return self._search(ask, job)
        answer = self.chat.ground(
            ask.video,
            ask.question,
            _TASKS[ask.mode],
            span=ask.span,
            region=ask.region,
            start_seconds=ask.start_seconds,
            segment=ask.segment,
            at_seconds=ask.at_seconds,
            candidates=ask.candidates,
            on_progress=job.report,
            cancelled=job.cancelled,
        )
        return self.chat.look_again(answer, cancelled=job.cancelled)

    def _search(self, ask: Ask, job: Job[Any]) -> Grounding:
        """Look for it in a long video, window by window."""
        found = self.chat.find_moments(
            ask.video,
            ask.question,
            window_seconds=window_seconds(self.chat),
            segment=ask.segment,
            top=max(TOLD_MOMENTS, ask.candidates),
            on_progress=job.report_search,
            cancelled=job.cancelled,
        )
        return likeliest(found)


def window_seconds(chat: Chat) -> float:
    """How long the parts of a long video are; the demo model knows short ones only."""
    return DEMO_WINDOW_SECONDS if chat.is_demo else DEFAULT_WINDOW_SECONDS


def likeliest(found: Moments) -> Grounding:
    """The likeliest moment of a long video, with the others as its alternatives."""
    remark = Sentence(
        "The video is long: it was looked at in {count} parts.",
        count=len(found.windows),
    )
    if not found.moments:
        nothing = Generation("", (), "stop")
        return Grounding(
            found.video,
            found.query,
            "stvg",
            span=None,
            tube=None,
            prose="",
            confidence=None,
            generation=nothing,
            issues=(remark,),
            model=found.model,
            segment=found.segment,
        )
    best, *others = found.groundings
    return replace(best, alternatives=tuple(others), issues=(*best.issues, remark))
