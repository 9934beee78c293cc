"""Bins to seconds and pixels, by the sampled frames' own times.

Bin ``k`` is the unit value ``k / 99``; in a sample of N frames it is the position
``k / 99 * (N - 1)``, exactly frame ``k`` when N is 100, and its time is that frame's
own (linear between two frames otherwise). A unit x scales with the displayed width, a
unit y with the displayed height.

A span goes from the moment its first frame appears to the moment its last frame
appears, both included, as frame numbers in the benchmarks are: a box is known at both
ends. Where both are the same frame, the span lasts until the next sampled frame, which
is as finely as the model can tell.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from stablechat.errors import InputError
from stablechat.types import (
    NUM_BINS,
    BoxBins,
    FloatArray,
    Generation,
    Grounding,
    ParsedAnswer,
    SpanBins,
    TimeSpan,
    Tube,
    VideoInfo,
)

_LAST_BIN = NUM_BINS - 1

_FINISH_ISSUES = {
    "length": "The answer reached its length limit, so its end is missing.",
    "cancelled": "The answer was stopped before its end.",
}


def to_grounding(
    parsed: ParsedAnswer,
    generation: Generation,
    sample_pts_seconds: FloatArray,
    video: VideoInfo,
    query: str,
    model: str = "",
    *,
    asked_span: TimeSpan | None = None,
    asked_start_seconds: float | None = None,
    confidence: float | None = None,
) -> Grounding:
    """Place a parsed answer on the video's clock and picture.

    Args:
        parsed: What the parser read.
        generation: The text it was read from.
        sample_pts_seconds: float64 ``(N,)``, times of the frames the model saw.
        video: The video (or still image) asked about.
        query: What the person typed.
        model: Name of the model.
        asked_span: The stretch of time in an SVG question; it is the answer's span.
        asked_start_seconds: The start in an ELC question.
        confidence: 0..1 for the whole answer.

    Returns:
        The answer. ``span`` and ``tube`` are None where the model gave none.
    """
    answer = _Answer(parsed, video, _checked_times(sample_pts_seconds))
    span = answer.span(asked_span, asked_start_seconds)
    tube = answer.tube(span)
    if generation.finish_reason != "stop":
        answer.issues.append(_FINISH_ISSUES[generation.finish_reason])
    return Grounding(
        video=video,
        query=query,
        task=parsed.task,
        span=span,
        tube=tube,
        prose=parsed.prose,
        confidence=confidence,
        generation=generation,
        issues=(*parsed.issues, *answer.issues),
        model=model,
    )


def shown_span(grounding: Grounding) -> TimeSpan | None:
    """The time to show: the answer's own, else from the first to the last box."""
    if grounding.span is not None or grounding.tube is None:
        return grounding.span
    first, last = grounding.tube.times_seconds[[0, -1]]
    # A saved tube may begin before the container does.
    return TimeSpan(max(0.0, float(first)), max(0.0, float(last)))


def bins_to_seconds(
    bins: Sequence[float] | FloatArray, sample_pts_seconds: FloatArray
) -> FloatArray:
    """Times of temporal bins.

    Args:
        bins: Temporal bins, 0..99; fractions are allowed.
        sample_pts_seconds: float64 ``(N,)``, times of the sampled frames.

    Returns:
        float64, as many as ``bins``.
    """
    # Multiplied before divided: exact whenever N is 100.
    positions = np.asarray(bins, np.float64) * (len(sample_pts_seconds) - 1) / _LAST_BIN
    frames = np.arange(len(sample_pts_seconds), dtype=np.float64)
    return np.asarray(np.interp(positions, frames, sample_pts_seconds), np.float64)


def span_to_unit(span: TimeSpan, sample_pts_seconds: FloatArray) -> tuple[float, float]:
    """A span in seconds as the unit values a question is written with.

    The inverse of :func:`bins_to_seconds`, right for variable frame rates too. Where
    several sampled frames show one picture, the span takes all of them.
    """
    times = _checked_times(sample_pts_seconds)
    start = _place(span.start_seconds, times, "left")
    end = _place(span.end_seconds, times, "right")
    return start, max(start, end)


def _place(seconds: float, times: FloatArray, side: Literal["left", "right"]) -> float:
    """Where a moment lies among the sampled frames, 0..1; of equal frames the side's.

    frames  a a b b c      b: left 0.5, right 0.75; between b and c: 0.75 to 1
    """
    after = int(np.searchsorted(times, seconds, side))
    if after in (0, len(times)):
        return 0.0 if after == 0 else 1.0
    before_seconds, after_seconds = float(times[after - 1]), float(times[after])
    part = (seconds - before_seconds) / (after_seconds - before_seconds)
    return (after - 1 + part) / (len(times) - 1)


def boxes_to_xyxy(boxes_bins: Sequence[BoxBins], width: int, height: int) -> FloatArray:
    """Boxes in bins to pixels of the displayed frame, float64 ``(K, 4)``."""
    scale = np.array([width, height, width, height], np.float64)
    bins = np.asarray(boxes_bins, np.float64).reshape(-1, 4)
    return bins * scale / _LAST_BIN


def xyxy_to_unit(
    xyxy: Sequence[float] | FloatArray, width: int, height: int
) -> tuple[float, float, float, float]:
    """A box in pixels as the unit values an ELC question is written with."""
    x1, y1, x2, y2 = (float(value) for value in xyxy)
    xs, ys = sorted((x1 / width, x2 / width)), sorted((y1 / height, y2 / height))
    left, top, right, bottom = (
        min(max(value, 0.0), 1.0) for value in (xs[0], ys[0], xs[1], ys[1])
    )
    return left, top, right, bottom


@dataclass
class _Answer:
    """One answer being placed; collects what was odd on the way."""

    parsed: ParsedAnswer
    video: VideoInfo
    times: FloatArray
    issues: list[str] = field(default_factory=list)

    def span(
        self, asked_span: TimeSpan | None, asked_start_seconds: float | None
    ) -> TimeSpan | None:
        """When: asked for, or answered, or else as far as the boxes go."""
        if self.parsed.task == "rec":
            return None
        if self.parsed.task == "svg" and asked_span is not None:
            return asked_span
        bins = self.parsed.span_bins
        if bins is not None:
            start, end = map(float, self._seconds(bins))
            if self.parsed.task == "elc" and asked_start_seconds is not None:
                start = asked_start_seconds
            if start <= end:
                return self._visible(start, end)
            self.issues.append("The model's end lies before the start asked about.")
        return self._span_of_boxes(asked_start_seconds)

    def _span_of_boxes(self, asked_start_seconds: float | None) -> TimeSpan | None:
        if not self.parsed.boxes_bins:
            return None
        extent = (min(self.parsed.boxes_bins), max(self.parsed.boxes_bins))
        start, end = map(float, self._seconds(extent))
        if asked_start_seconds is not None:
            start = asked_start_seconds
        if start > end:
            return None
        if self.parsed.task != "svg":
            self.issues.append("The time was taken from the boxes.")
        return self._visible(start, end)

    def _visible(self, start: float, end: float) -> TimeSpan:
        """A span that is not empty: a single frame lasts until the next one."""
        if start < end:
            return TimeSpan(start, end)
        moments = self._seconds(range(NUM_BINS))
        later = moments[moments > end]
        if later.size:
            return TimeSpan(start, float(later[0]))
        picture_seconds = float(1 / self.video.fps)
        end = max(end, min(end + picture_seconds, self.video.duration_seconds))
        earlier = moments[moments < start]
        # A header that ends the video at its last frame leaves only the time before.
        if start == end and earlier.size:
            start = float(earlier[-1])
        return TimeSpan(start, end)

    def tube(self, span: TimeSpan | None) -> Tube | None:
        """Where: the boxes that lie in the span, one for each moment."""
        if not self.parsed.boxes_bins:
            return None
        if self.parsed.task == "rec":
            return Tube(self.times[:1], self._pixels(self.parsed.boxes_bins)[:1])
        if span is None:
            self.issues.append("The boxes do not fit the time and were left out.")
            return None
        boxes = self._inside(span)
        if not boxes:
            return None
        times, xyxy = _merged(self._seconds(tuple(boxes)), self._pixels(boxes))
        times, xyxy = self._held(times, xyxy, span)
        if times[-1] < span.end_seconds or times[0] > span.start_seconds:
            self.issues.append(
                f"The boxes cover {times[0]:.3f} to {times[-1]:.3f} seconds, which is "
                "less than the span."
            )
        return Tube(times, xyxy)

    def _inside(self, span: TimeSpan) -> dict[int, BoxBins]:
        """The boxes whose bins the span touches."""
        first_bin, last_bin = self._bins_of(span)
        boxes = {
            frame_bin: box
            for frame_bin, box in sorted(self.parsed.boxes_bins.items())
            if first_bin <= frame_bin <= last_bin
        }
        outside = len(self.parsed.boxes_bins) - len(boxes)
        if outside:
            self.issues.append(f"Boxes outside the span were left out: {outside}.")
        return boxes

    def _bins_of(self, span: TimeSpan) -> SpanBins:
        """First and last bin of the span."""
        # The answer's own where it names both: a span of one frame is widened in time,
        # and its neighbour's box is still not part of it.
        if self.parsed.task == "stvg" and self.parsed.span_bins is not None:
            return self.parsed.span_bins
        first, last = (value * _LAST_BIN for value in span_to_unit(span, self.times))
        return math.floor(first + 1e-6), math.ceil(last - 1e-6)

    def _held(
        self, times: FloatArray, xyxy: FloatArray, span: TimeSpan
    ) -> tuple[FloatArray, FloatArray]:
        """Hold the first and last box up to an edge nearer than the next bin."""
        moments = self._seconds(range(NUM_BINS))
        start, end = span.start_seconds, span.end_seconds
        before = (moments > start) & (moments < times[0])
        after = (moments > times[-1]) & (moments < end)
        if start < times[0] and not before.any():
            times, xyxy = np.append(start, times), np.vstack([xyxy[:1], xyxy])
        if times[-1] < end and not after.any():
            times, xyxy = np.append(times, end), np.vstack([xyxy, xyxy[-1:]])
        return times, xyxy

    def _seconds(self, bins: Sequence[int]) -> FloatArray:
        return bins_to_seconds(bins, self.times)

    def _pixels(self, boxes: Mapping[int, BoxBins]) -> FloatArray:
        """Boxes in pixels, none of them thinner than a pixel."""
        width, height = self.video.width, self.video.height
        xyxy = boxes_to_xyxy(tuple(boxes.values()), width, height)
        sizes = xyxy[:, 2:] - xyxy[:, :2]
        if (sizes == 0).any():
            self.issues.append("A box without area is shown one pixel thick.")
        limit = np.array([width, height], np.float64)
        low = np.clip((xyxy[:, :2] + xyxy[:, 2:] - 1) / 2, 0, limit - 1)
        thin = sizes < 1
        return np.hstack(
            [
                np.where(thin, low, xyxy[:, :2]),
                np.where(thin, low + 1, xyxy[:, 2:]),
            ]
        )


def _checked_times(sample_pts_seconds: FloatArray) -> FloatArray:
    times = np.asarray(sample_pts_seconds, np.float64)
    if times.ndim != 1 or not times.size or not np.isfinite(times).all():
        raise InputError("The sampled frames need one finite time each.")
    if (np.diff(times) < 0).any():
        raise InputError("The sampled frames' times must not decrease.")
    return np.maximum(times, 0)


def _merged(times: FloatArray, xyxy: FloatArray) -> tuple[FloatArray, FloatArray]:
    """One box for each moment: a short video shows one frame in several bins.

    They are answers about the same picture, so their mean is the better estimate.
    """
    moments, places = np.unique(times, return_inverse=True)
    sums = np.zeros((len(moments), 4))
    np.add.at(sums, places, xyxy)
    return moments, sums / np.bincount(places)[:, None]
