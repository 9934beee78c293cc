"""Answers on a video's own clock and picture."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from stablechat.types.answers import Generation
from stablechat.types.base import (
    FloatArray,
    Task,
    as_floats,
    require,
)
from stablechat.types.media import TimeSpan, VideoInfo

#: What arithmetic may add to the most that there can be.
_ROUNDING = 1e-3


# Compared by identity: arrays have no single truth.
@dataclass(frozen=True, eq=False)
class Tube:
    """A box over time: known at some moments, interpolated between them.

    Lists will do; they become arrays.

    Attributes:
        times_seconds: float64 ``(K,)``, strictly increasing, K >= 1.
        xyxy: float64 ``(K, 4)``, pixels of the displayed frame, x1 <= x2, y1 <= y2.
        confidence: float64 ``(K,)`` in 0..1, or None.
    """

    times_seconds: FloatArray
    xyxy: FloatArray
    confidence: FloatArray | None = None

    def __post_init__(self) -> None:
        given = ("times_seconds", "xyxy", "confidence")
        for name in given if self.confidence is not None else given[:2]:
            object.__setattr__(self, name, as_floats(getattr(self, name), name))
        count = self.times_seconds.shape[0] if self.times_seconds.ndim == 1 else 0
        require(count > 0, "A tube needs at least one time in a flat array.")
        require(
            self.xyxy.shape == (count, 4),
            f"xyxy must be ({count}, 4), got {self.xyxy.shape}.",
        )
        require(
            bool(np.all(np.isfinite(self.times_seconds)))
            and bool(np.all(np.isfinite(self.xyxy))),
            "A tube's times and boxes must be finite.",
        )
        rising = bool(np.all(np.diff(self.times_seconds) > 0))
        require(rising, "times_seconds must increase.")
        ordered = bool(np.all(self.xyxy[:, :2] <= self.xyxy[:, 2:]))
        require(ordered, "xyxy must have x1 <= x2 and y1 <= y2.")
        scores = np.zeros(count) if self.confidence is None else self.confidence
        require(scores.shape == (count,), f"confidence must be ({count},).")
        require(
            bool(np.all((scores >= 0) & (scores <= 1))),
            f"confidence must be 0 to 1, got {scores.min()} to {scores.max()}.",
        )

    def at(self, time_seconds: float) -> FloatArray | None:
        """The box at a moment, linear between the known ones.

        Args:
            time_seconds: Seconds on the video's clock.

        Returns:
            float64 ``(4,)`` in pixels, or None before the first or after the last
            known moment.
        """
        times = self.times_seconds
        if not times[0] <= time_seconds <= times[-1]:
            return None
        return np.array(
            [np.interp(time_seconds, times, self.xyxy[:, i]) for i in range(4)]
        )


@dataclass(frozen=True)
class SecondLook:
    """What the model calls the thing that it found, when it is asked for that.

    Attributes:
        words: Its own words, "a red circle moves left".
        difference: How differently it answers when it is asked in these words, in nats:
            0 where both questions are the same to it, ln 2 at most.
    """

    words: str
    difference: float

    def __post_init__(self) -> None:
        require(bool(self.words), "A second look needs words.")
        require(
            0 <= self.difference <= math.log(2) + _ROUNDING,
            f"difference must be 0 to ln 2, got {self.difference}.",
        )


@dataclass(frozen=True)
class Grounding:
    """An answer in seconds and pixels.

    Attributes:
        video: The video asked about.
        query: What the person typed.
        task: How it was asked.
        span: When, or None if the model gave no time.
        tube: Where, or None if the model gave no boxes.
        prose: The words of the answer.
        confidence: 0..1 for the whole answer, or None when it was not measured; what
            it means is in docs/decoding.md.
        generation: The model's own text and how it ended.
        issues: What was odd, one plain sentence each.
        model: Name of the model that answered.
        span_confidence: 0..1 for the span, likewise.
        alternatives: Other answers to the same question, the best first.
        log_likelihood: Mean over the answer's tokens, in nats, where answers were
            chosen by it; None elsewhere.
        original: What the model said, where a person corrected it by hand.
        segment: The part of the video that was looked at; None is all of it.
        second_look: What the model calls what it found; None where it was not asked,
            or where its words may be about something else.
    """

    video: VideoInfo
    query: str
    task: Task
    span: TimeSpan | None
    tube: Tube | None
    prose: str
    confidence: float | None
    generation: Generation
    issues: tuple[str, ...] = ()
    model: str = ""
    span_confidence: float | None = None
    alternatives: tuple[Grounding, ...] = ()
    log_likelihood: float | None = None
    original: Grounding | None = None
    segment: TimeSpan | None = None
    second_look: SecondLook | None = None

    @property
    def found(self) -> bool:
        """Whether there is anything to show: a time or a box."""
        return self.span is not None or self.tube is not None


@dataclass(frozen=True)
class Description:
    """A plain answer about a video.

    Attributes:
        video: The video asked about.
        question: The question that was asked.
        text: The answer.
        generation: The model's own text and how it ended.
        model: Name of the model that answered.
        segment: The part of the video that was looked at; None is all of it.
    """

    video: VideoInfo
    question: str
    text: str
    generation: Generation
    model: str = ""
    segment: TimeSpan | None = None
