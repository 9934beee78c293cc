"""The answers to several questions about one video, as one clip."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from render.clipper import merge_clips
from render.exports import safe_stem, write_json
from render.parts import plan_parts
from stablechat.grounding import shown_span
from stablechat.types import Clip, Grounding, TimeSpan, VideoInfo
from ui.jobs import Job
from ui.outcomes import Outcome


@dataclass(frozen=True)
class Piece:
    """A part of a clip.

    Attributes:
        span: What it shows, on the video's clock.
        at_seconds: Where in the clip it begins.
    """

    span: TimeSpan
    at_seconds: float


@dataclass(frozen=True)
class Together:
    """Several answers about one video.

    Attributes:
        outcomes: Those that found something, in the order of the video.
        asked: How many questions there were.
        clip: All moments, one after the other.
        pieces: Where they are in it.
        json_path: All answers in a file.
        elapsed_seconds: How long all of it took.
    """

    outcomes: tuple[Outcome, ...]
    asked: int
    clip: Clip
    pieces: tuple[Piece, ...]
    json_path: Path
    elapsed_seconds: float = 0.0

    @property
    def answers(self) -> tuple[Grounding, ...]:
        """Of the outcomes."""
        return tuple(
            outcome.answer
            for outcome in self.outcomes
            if isinstance(outcome.answer, Grounding)
        )

    @property
    def video(self) -> VideoInfo:
        """What was asked about."""
        return self.outcomes[0].answer.video


def can_be_together(outcomes: Sequence[Outcome]) -> bool:
    """Whether there are several clips to join."""
    return sum(outcome.clip is not None for outcome in outcomes) > 1


def write_together(
    outcomes: Sequence[Outcome], asked: int, folder: Path, job: Job[Any]
) -> Together:
    """Join the clips of some answers; called in the job's thread.

    Args:
        outcomes: About one video, see :func:`can_be_together`.
        asked: How many questions there were.
        folder: Where files go, this one's own.
        job: Gets the progress and says when to stop.

    Raises:
        RenderError: The clip can't be written.
        VideoError: The video can no longer be read.
        CancelledError: Stop was pressed.
    """
    found = sorted((each for each in outcomes if each.clip is not None), key=_start)
    answers = [each.answer for each in found if isinstance(each.answer, Grounding)]
    stem = safe_stem(answers[0].video.path.name)
    clip = merge_clips(
        answers,
        folder / f"{stem}_merged.mp4",
        on_progress=lambda fraction: job.report("draw", fraction),
        cancelled=job.cancelled,
    )
    json_path = folder / f"{stem}_answers.json"
    write_json(json_path, {"answers": [each.data for each in outcomes]})
    return Together(tuple(found), asked, clip, tuple(_pieces(answers)), json_path)


def _start(outcome: Outcome) -> float:
    answer = outcome.answer
    span = shown_span(answer) if isinstance(answer, Grounding) else None
    return 0.0 if span is None else span.start_seconds


def _pieces(answers: Sequence[Grounding]) -> list[Piece]:
    pieces, at_seconds = [], 0.0
    for part in plan_parts(answers, 0.0, 0.0):
        pieces.append(Piece(part.plan.span, at_seconds))
        at_seconds += part.plan.duration_seconds
    return pieces
