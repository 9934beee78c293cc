"""The pictures of a video that an answer is about, each with its number and its box."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from stablechat.grounding import shown_span
from stablechat.types import FloatArray, Grounding, TimeSpan, Tube
from stablechat.video import Timeline
from stablechat.video.sampling import indices_in_span

#: Times in a saved answer are whole microseconds.
_ROUNDING_SECONDS = 1e-6


# Compared by identity: arrays have no single truth.
@dataclass(frozen=True, eq=False)
class AnswerFrame:
    """One picture during an answer.

    Attributes:
        number: In the order in which the video shows them, from 0.
        time_seconds: When it comes on screen, on the video's clock.
        xyxy: float64 ``(4,)``, pixels of the displayed picture, inside it; None where
            the answer has no box.
        confidence: Of the box, 0..1, or None.
    """

    number: int
    time_seconds: float
    xyxy: FloatArray | None = None
    confidence: float | None = None


def is_image(answer: Grounding) -> bool:
    """Whether an answer is about a still image, which has no time."""
    return answer.video.container == "image"


def answer_frames(
    answer: Grounding, timeline: Timeline | None, most: int | None = None
) -> list[AnswerFrame]:
    """Every picture that comes on screen during an answer, first and last included.

    Args:
        answer: Boxes between its known ones are linear, as in the clip.
        timeline: When the video shows which picture; None for a still image.
        most: Only so many, from the first on.

    Returns:
        In the order of the video; none where nothing was found.
    """
    span = shown_span(answer)
    if span is None:
        return []
    if timeline is None:
        return [_frame(answer, 0, (0.0, float("inf")))]
    first, last = indices_in_span(timeline, _within(span, timeline))
    ends = np.append(timeline.seconds[first + 1 : last + 2], timeline.end_seconds)
    starts = timeline.seconds[first : last + 1][:most]
    return [
        _frame(answer, first + place, (float(start), float(end)))
        for place, (start, end) in enumerate(zip(starts, ends, strict=False))
    ]


def _within(span: TimeSpan, timeline: Timeline) -> TimeSpan:
    """A span that begins no later than the last picture."""
    last = float(timeline.seconds[-1])
    start = min(span.start_seconds, last)
    return TimeSpan(max(0.0, start), max(0.0, span.end_seconds))


def _frame(
    answer: Grounding, number: int, on_screen: tuple[float, float]
) -> AnswerFrame:
    time, tube = on_screen[0], answer.tube
    if tube is None or not _shows(tube, *on_screen):
        return AnswerFrame(number, time)
    moment = min(max(time, float(tube.times_seconds[0])), float(tube.times_seconds[-1]))
    return AnswerFrame(
        number, time, _inside(answer, tube.at(moment)), _confidence_at(tube, moment)
    )


def _shows(tube: Tube, start_seconds: float, end_seconds: float) -> bool:
    """Whether a picture is on screen while there is a box."""
    first, last = (float(time) for time in tube.times_seconds[[0, -1]])
    return (
        start_seconds <= last + _ROUNDING_SECONDS
        and end_seconds > first + _ROUNDING_SECONDS
    )


def _inside(answer: Grounding, box: FloatArray | None) -> FloatArray | None:
    """A box without what sticks out of the picture."""
    if box is None:
        return None
    width, height = answer.video.width, answer.video.height
    return np.asarray(np.clip(box, 0, [width, height, width, height]), np.float64)


def _confidence_at(tube: Tube, moment: float) -> float | None:
    if tube.confidence is None:
        return None
    return float(np.interp(moment, tube.times_seconds, tube.confidence))
