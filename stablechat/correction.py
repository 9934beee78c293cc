"""Answers that a person corrected by hand, with what the model said kept beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from stablechat.errors import InputError
from stablechat.types import FloatArray, Grounding, TimeSpan, Tube, VideoInfo

#: Moments closer than this are one; times in a saved answer are whole microseconds.
_SAME_SECONDS = 1e-6


def corrected(
    answer: Grounding,
    span: TimeSpan,
    boxes: Mapping[float, FloatArray] | None = None,
) -> Grounding:
    """An answer with a time, and boxes at some moments, that a person gave.

    A box takes the place of the known one on the same picture; between known boxes it
    moves evenly, as ever. Boxes outside the time are left out; at its ends the box is
    where it was at that moment.

    Args:
        answer: The model's, or one that was corrected before.
        span: When it happens.
        boxes: Seconds on the video's clock to xyxy in pixels of the displayed frame.

    Returns:
        The answer; its ``original`` is what the model said. It has no confidence, which
        is the model's, and no alternatives, which stay with the original.

    Raises:
        InputError: The time or a box is outside the video, a moment outside the time,
            or nothing differs from ``answer``.
    """
    boxes = {time: np.asarray(box, np.float64) for time, box in (boxes or {}).items()}
    _check_span(span, answer.video)
    for time, box in boxes.items():
        _check_box(time, box, span, answer.video)
    if not boxes and span == answer.span:
        raise InputError("Nothing was corrected: the time and the box are as before.")
    return replace(
        answer,
        span=span,
        tube=_tube(answer, span, boxes),
        confidence=None,
        span_confidence=None,
        log_likelihood=None,
        second_look=None,
        alternatives=(),
        original=answer.original or answer,
    )


def _check_span(span: TimeSpan, video: VideoInfo) -> None:
    if span.end_seconds > video.duration_seconds + _SAME_SECONDS:
        raise InputError(
            "The video ends at {duration_seconds:.3f} seconds, before "
            "{end_seconds:.3f}.",
            duration_seconds=video.duration_seconds,
            end_seconds=span.end_seconds,
        )


def _check_box(time: float, box: FloatArray, span: TimeSpan, video: VideoInfo) -> None:
    if not span.start_seconds <= time <= span.end_seconds:
        raise InputError(
            "The box at {time:.3f} seconds is outside the time of "
            "{start_seconds:.3f} to {end_seconds:.3f} seconds.",
            time=time,
            start_seconds=span.start_seconds,
            end_seconds=span.end_seconds,
        )
    inside = box.shape == (4,) and bool(
        np.all(box[:2] >= 0)
        and np.all(box[:2] < box[2:])
        and np.all(box[2:] <= [video.width, video.height])
    )
    if not inside:
        numbers = ", ".join(f"{value:g}" for value in box.ravel().tolist())
        raise InputError(
            "A box needs x1 < x2 and y1 < y2 inside {width}x{height} pixels, "
            "got {numbers}.",
            width=video.width,
            height=video.height,
            numbers=numbers,
        )


def _tube(
    answer: Grounding, span: TimeSpan, boxes: Mapping[float, FloatArray]
) -> Tube | None:
    """The boxes during a span; None where none is left."""
    known = {} if answer.tube is None else _known(answer.tube, span)
    # One picture has one box: what the person gave for it.
    same = max(_SAME_SECONDS, float(0.5 / answer.video.fps))
    kept = {
        time: box
        for time, box in known.items()
        if all(abs(time - given) > same for given in boxes)
    }
    rows = sorted({**kept, **boxes}.items())
    if not rows:
        return None
    return Tube(
        np.array([time for time, _ in rows]), np.stack([box for _, box in rows])
    )


def _known(tube: Tube, span: TimeSpan) -> dict[float, FloatArray]:
    """The known boxes inside a span, and where the box is at its ends."""
    start, end = span.start_seconds, span.end_seconds
    known = dict(zip(tube.times_seconds.tolist(), tube.xyxy, strict=True))
    inside = {time: box for time, box in known.items() if start <= time <= end}
    for edge in (start, end):
        box = tube.at(edge)
        if box is not None and all(abs(time - edge) > _SAME_SECONDS for time in inside):
            inside[edge] = box
    return inside
