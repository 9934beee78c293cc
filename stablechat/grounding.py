"""Bins to seconds and pixels, by the sampled frames' own times.

Bin ``k`` is the unit value ``k / 99``; in a sample of N frames it is the position
``k / 99 * (N - 1)``, exactly frame ``k`` when N is 100, and its time is that frame's
own (linear between two frames otherwise). A unit x scales with the displayed width, a
unit y with the displayed height.

A span goes from the moment its first frame appears to the moment its last frame
appears, both included, as frame numbers in the benchmarks are: a box is known at both
ends. Where both are the same frame, the span lasts until the next sampled frame, which
is as finely as the model can tell.

Where the probabilities of the answer's tokens are known, boxes and the span's ends are
fractions of a bin (``refinement.py``). A row still belongs to its frame: the first and
the last may lie outside the span by less than a bin, or be held up to its end.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from stablechat.confidence import Calibration, Confidence, measure_confidence
from stablechat.errors import InputError
from stablechat.refinement import Positions, coordinate_scores, refined_positions
from stablechat.remarks import OUTSIDE, UNFIT
from stablechat.sentences import Sentence
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
    calibration: Calibration | None = None,
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
        calibration: Of the model; None for one that was not calibrated.

    Returns:
        The answer. ``span`` and ``tube`` are None where the model gave none.
    """
    scores = coordinate_scores(parsed.tokens, generation)
    positions = refined_positions(parsed, scores)
    confidence = measure_confidence(parsed, positions, scores, calibration)
    times = _checked_times(sample_pts_seconds)
    answer = _Answer(parsed, video, times, positions, confidence)
    framed = answer.span(asked_span, asked_start_seconds)
    span = answer.refined(framed)
    tube = answer.tube(framed, span)
    if generation.finish_reason != "stop":
        answer.issues.append(_FINISH_ISSUES[generation.finish_reason])
    return Grounding(
        video=video,
        query=query,
        task=parsed.task,
        span=span,
        tube=tube,
        prose=parsed.prose,
        confidence=confidence.answer if span or tube else None,
        generation=generation,
        issues=(*parsed.issues, *answer.issues),
        model=model,
        # A span that the question named, or that the boxes gave, has none.
        span_confidence=confidence.span if span else None,
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


def boxes_to_xyxy(
    boxes_bins: Sequence[Sequence[float] | FloatArray], width: int, height: int
) -> FloatArray:
    """Boxes in bins to pixels of the displayed frame, float64 ``(K, 4)``.

    Args:
        boxes_bins: ``(K, 4)``, 0..99; fractions are allowed.
        width: Of the displayed frame.
        height: Likewise.
    """
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
    positions: Positions
    confidence: Confidence
    issues: list[str] = field(default_factory=list)

    def span(
        self, asked_span: TimeSpan | None, asked_start_seconds: float | None
    ) -> TimeSpan | None:
        """When, in whole bins: asked for, or answered, or as far as the boxes go."""
        if self.parsed.task == "rec":
            return None
        if self.parsed.task == "svg" and asked_span is not None:
            return self._of_the_video(asked_span)
        bins = self.parsed.span_bins
        if bins is not None:
            start, end = map(float, self._seconds(bins))
            if self.parsed.task == "elc" and asked_start_seconds is not None:
                start = max(asked_start_seconds, float(self.times[0]))
            if start <= end:
                return self._visible(start, end)
            self.issues.append("The model's end lies before the start asked about.")
        return self._span_of_boxes(asked_start_seconds)

    def _of_the_video(self, span: TimeSpan) -> TimeSpan:
        """What of an asked span there is."""
        ends = [*self.times, self.video.start_seconds, self.video.duration_seconds]
        asked = np.clip([span.start_seconds, span.end_seconds], min(ends), max(ends))
        return TimeSpan(*asked.tolist())

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

    def refined(self, span: TimeSpan | None) -> TimeSpan | None:
        """The span with each end that the answer named at its fraction of a bin."""
        bins, exact = self.parsed.span_bins, self.positions.span
        if span is None or bins is None or exact is None or self.parsed.task == "svg":
            return span
        start, end = (
            float(self._seconds([fraction])[0])
            # Ends that were asked for, or widened, are not at their bin.
            if seconds == self._seconds([whole])[0]
            else seconds
            for seconds, whole, fraction in zip(
                (span.start_seconds, span.end_seconds), bins, exact, strict=True
            )
        )
        return TimeSpan(start, end) if start < end else span

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

    def tube(self, framed: TimeSpan | None, span: TimeSpan | None) -> Tube | None:
        """Where: the boxes that lie in the span, one for each moment.

        Args:
            framed: The span in whole bins: it says which rows are part of it.
            span: The span.
        """
        if not self.parsed.boxes_bins:
            return None
        if self.parsed.task == "rec":
            xyxy, confidence = self._places({0: self.parsed.boxes_bins[0]})
            return Tube(self.times[:1], xyxy, confidence)
        if framed is None or span is None:
            self.issues.append(Sentence(UNFIT))
            return None
        boxes = self._inside(framed)
        if not boxes:
            return None
        xyxy, confidence = self._places(boxes)
        known = xyxy if confidence is None else np.column_stack([xyxy, confidence])
        times, known = _merged(self._seconds(tuple(boxes)), known)
        times, known = self._held(times, known, span)
        if times[-1] < span.end_seconds or times[0] > span.start_seconds:
            self.issues.append(
                Sentence(
                    "The boxes cover {start:.3f} to {end:.3f} seconds, which is less "
                    "than the span.",
                    start=times[0],
                    end=times[-1],
                )
            )
        return Tube(times, known[:, :4], None if confidence is None else known[:, 4])

    def _places(
        self, boxes: Mapping[int, BoxBins]
    ) -> tuple[FloatArray, FloatArray | None]:
        """Pixels ``(K, 4)`` and confidence ``(K,)`` of some of the boxes."""
        xyxy = self._pixels([self.positions.boxes[time] for time in boxes])
        sure = self.confidence.boxes
        return xyxy, np.array([sure[time] for time in boxes]) if sure else None

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
            self.issues.append(Sentence(OUTSIDE, count=outside))
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
        self, times: FloatArray, known: FloatArray, span: TimeSpan
    ) -> tuple[FloatArray, FloatArray]:
        """Hold the first and last box up to an edge nearer than the next bin."""
        moments = self._seconds(range(NUM_BINS))
        start, end = span.start_seconds, span.end_seconds
        before = (moments > start) & (moments < times[0])
        after = (moments > times[-1]) & (moments < end)
        if start < times[0] and not before.any():
            times, known = np.append(start, times), np.vstack([known[:1], known])
        if times[-1] < end and not after.any():
            times, known = np.append(times, end), np.vstack([known, known[-1:]])
        return times, known

    def _seconds(self, bins: Sequence[float]) -> FloatArray:
        return bins_to_seconds(bins, self.times)

    def _pixels(self, boxes: Sequence[FloatArray]) -> FloatArray:
        """Boxes in pixels, none of them thinner than a pixel."""
        width, height = self.video.width, self.video.height
        xyxy = boxes_to_xyxy(boxes, width, height)
        sizes = xyxy[:, 2:] - xyxy[:, :2]
        if (sizes == 0).any():
            self.issues.append("A box without area is shown one pixel thick.")
        limit = np.array([width, height], np.float64)
        low = np.clip((xyxy[:, :2] + xyxy[:, 2:] - 1) / 2, 0, limit - 1)
        thin = sizes < 1
        first, second = np.hsplit(xyxy, 2)
        return np.hstack([np.where(thin, low, first), np.where(thin, low + 1, second)])


def _checked_times(sample_pts_seconds: FloatArray) -> FloatArray:
    times = np.asarray(sample_pts_seconds, np.float64)
    if times.ndim != 1 or not times.size or not np.isfinite(times).all():
        raise InputError("The sampled frames need one finite time each.")
    if (np.diff(times) < 0).any():
        raise InputError("The sampled frames' times must not decrease.")
    return np.maximum(times, 0)


def _merged(times: FloatArray, known: FloatArray) -> tuple[FloatArray, FloatArray]:
    """One row for each moment: a short video shows one frame in several bins.

    They are answers about the same picture, so their mean is the better estimate.
    """
    moments, places = np.unique(times, return_inverse=True)
    sums = np.zeros((len(moments), known.shape[1]))
    np.add.at(sums, places, known)
    return moments, sums / np.bincount(places)[:, None]
