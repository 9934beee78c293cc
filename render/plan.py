"""Which moments of a video become the pictures of a clip. Pure arithmetic."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from stablechat.types import FloatArray, TimeSpan, Tube, VideoInfo

#: A span shorter than this is widened, so that there is something to play.
MIN_CLIP_SECONDS = 0.2

#: What a varying rate becomes: the first of these that shows its quickest stretch.
_STEADY_RATES = (5, 10, 12, 15, 20, 24, 25, 30, 48, 50, 60)

#: Bounds of a constant rate, and what a lower one is raised to.
_MIN_RATE = 1
_REPEATED_RATE = 10
_MAX_RATE = 240

#: Parts of a picture's length by which times may be off and still mean that picture:
#: some containers round to a millisecond.
_TOLERANCE = 0.1
_MAX_TOLERANCE_SECONDS = 0.002

#: A measured rate this close to the video's, as a share of it, is the video's.
_RATE_TOLERANCE = 0.002


@dataclass(frozen=True)
class CutPlan:
    """Which moments of the video become pictures of the clip.

    Attributes:
        start_seconds: Time of the first picture on the video's clock.
        fps: Pictures a second of the clip.
        num_frames: Pictures of the clip.
    """

    start_seconds: float
    fps: Fraction
    num_frames: int

    @property
    def duration_seconds(self) -> float:
        """Length of the clip."""
        return float(self.num_frames / self.fps)

    @property
    def span(self) -> TimeSpan:
        """From the first picture to the end of the last, on the video's clock."""
        return TimeSpan(self.start_seconds, self.start_seconds + self.duration_seconds)

    @property
    def tolerance_seconds(self) -> float:
        """How far a time may be off and still mean the same picture."""
        return min(_MAX_TOLERANCE_SECONDS, float(2 * _TOLERANCE / self.fps))

    def time_of(self, index: int) -> float:
        """When a picture of the clip is shown, on the video's clock."""
        return self.start_seconds + float(index / self.fps)

    def shown_at(self, index: int) -> float:
        """A moment at which the video surely shows a picture of the clip."""
        return self.time_of(index) + self.tolerance_seconds


def plan_cuts(
    video: VideoInfo, times_seconds: FloatArray, spans: Sequence[TimeSpan]
) -> list[CutPlan]:
    """Plans for stretches that become one clip: at one rate, the quickest of theirs.

    Args:
        video: The video.
        times_seconds: As for :func:`plan_cut`.
        spans: What to cut.

    Returns:
        A plan for each.
    """
    fps = max(_output_rate(video, times_seconds, span) for span in spans)
    return [plan_cut(video, times_seconds, span, fps) for span in spans]


def plan_cut(
    video: VideoInfo,
    times_seconds: FloatArray,
    span: TimeSpan,
    fps: Fraction | None = None,
) -> CutPlan:
    """Choose the clip's rate and the moments of its pictures.

    A constant rate is kept; a varying one becomes a constant one that loses no picture
    of an ordinary phone or screen video. The clip starts with the picture that is on
    screen at the span's start. The picture on screen at the span's end is the last one:
    an answer's span ends when its last picture appears, as frame numbers in the
    benchmarks do.

    Args:
        video: The video.
        times_seconds: float64 ``(N,)``, when each picture appears, never decreasing.
        span: What to cut; it is clamped to the video.
        fps: Pictures a second of the clip, if it is not to be chosen.

    Returns:
        The plan; it has at least one picture.
    """
    fps = fps or _output_rate(video, times_seconds, span)
    start, end = _clamp(span, video, fps)
    # A first picture that is late by less than a picture's length is what the clip
    # would start with anyway; starting at its time keeps all of them exact.
    before = times_seconds[times_seconds <= start + _MAX_TOLERANCE_SECONDS]
    nearest = before[-1:] if before.size else times_seconds[:1]
    if nearest.size and abs(start - nearest[0]) < 1 / fps:
        start = float(nearest[0])
    in_span = math.floor((end - start) * fps + _TOLERANCE) + 1
    in_video = math.ceil((video.duration_seconds - start) * fps - _TOLERANCE)
    return CutPlan(start, fps, max(1, min(in_span, in_video)))


def _output_rate(
    video: VideoInfo, times_seconds: FloatArray, span: TimeSpan
) -> Fraction:
    if video.variable_frame_rate:
        return Fraction(_steady_rate(times_seconds, span))
    fps = _regular_rate(video.fps, times_seconds)
    if fps < _MIN_RATE:
        # Pictures are repeated, so that the cut and the box are not seconds off.
        fps *= math.ceil(_REPEATED_RATE / fps)
    return min(fps, Fraction(_MAX_RATE)).limit_denominator(1001)


def _regular_rate(average: Fraction, times_seconds: FloatArray) -> Fraction:
    """The rate of a constant one, without the few pictures that a recorder dropped.

    The average of 150 pictures at 25 a second with one missing is 24.83; at that rate
    the clip would drop another.
    """
    steps = np.diff(times_seconds)
    if not steps.size:
        return average
    middle = float(np.median(steps))
    steps = steps[np.abs(steps - middle) <= _TOLERANCE * middle]
    seconds = float(steps.sum())
    if seconds <= 0:
        return average
    measured = steps.size / seconds
    rounding = _MAX_TOLERANCE_SECONDS / seconds
    if abs(measured / float(average) - 1) <= _RATE_TOLERANCE + rounding:
        return average
    return Fraction(measured)


def _steady_rate(times_seconds: FloatArray, span: TimeSpan) -> int:
    """A rate for pictures that come at varying steps, by the quick ones in the span."""
    low = np.searchsorted(times_seconds, span.start_seconds, side="right") - 1
    high = np.searchsorted(times_seconds, span.end_seconds, side="right") + 1
    steps = np.diff(times_seconds[max(0, int(low)) : int(high)])
    steps = steps[steps > 0]
    if not steps.size:
        return _STEADY_RATES[0]
    # Not the quickest of all, which may be a hiccup of the recorder; and the mean of
    # its like, because a phone's steps of 1/30 s are 31 to 36 ms long.
    quick = float(np.quantile(steps, 0.1))
    rate = 1 / float(steps[steps <= 1.3 * quick].mean())
    enough = (r for r in _STEADY_RATES if r >= rate * (1 - _TOLERANCE / 3))
    return next(enough, _STEADY_RATES[-1])


def _clamp(span: TimeSpan, video: VideoInfo, fps: Fraction) -> tuple[float, float]:
    """When the first and the last picture are on screen, inside the video.

    Args:
        span: What to cut.
        video: Where.
        fps: Pictures a second of the clip.

    Returns:
        Two moments, far enough apart for :data:`MIN_CLIP_SECONDS` where the video is
        that long.
    """
    last = max(0.0, video.duration_seconds - float(1 / fps))
    fewest = math.ceil(MIN_CLIP_SECONDS * fps - _TOLERANCE)
    apart = min(float((fewest - 1) / fps), last)
    start = min(span.start_seconds, last - apart)
    end = min(max(span.end_seconds, start + apart), video.duration_seconds)
    return start, end


def box_on_screen(
    tube: Tube | None, time: float, picture_time: float, plan: CutPlan
) -> FloatArray | None:
    """The box for the picture that is shown from a moment on.

    Whether there is a box is a matter of the moment; where it is, of the picture: on a
    picture that stays for long, the box stays with what it shows. A tube that begins or
    ends while a picture of the clip is on screen still puts its box there, because the
    first picture of a clip may start before the span does.

    Args:
        tube: The boxes, or None.
        time: When the clip shows the picture, on the video's clock.
        picture_time: When the video began to show it.
        plan: Says how long the clip shows it.

    Returns:
        float64 ``(4,)`` in pixels of the video, or None.
    """
    if tube is None:
        return None
    first, last = float(tube.times_seconds[0]), float(tube.times_seconds[-1])
    slack = plan.tolerance_seconds
    if time > last + slack or time + float(1 / plan.fps) - slack <= first:
        return None
    return tube.at(min(max(picture_time, first), last))
