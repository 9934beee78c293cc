"""Where a long video is cut into windows. Pure arithmetic.

All windows have one length, so that the model sees every part of the video equally
finely and its confidences mean the same; the last one ends with the video and overlaps
the one before it by more where the length does not divide.

    duration 100, windows of 40 that overlap by 10:   0..40  30..70  60..100
"""

from __future__ import annotations

import itertools
import math

from stablechat.errors import InputError
from stablechat.types import TimeSpan, VideoInfo

#: Length of a window: 100 frames of it are one every 0.6 seconds.
DEFAULT_WINDOW_SECONDS = 60.0
#: Of a window that the next one sees again. A moment that is shorter than the overlap
#: is whole in at least one window.
DEFAULT_OVERLAP_SHARE = 0.25
#: Length of a part that is described by itself: a picture every 0.2 seconds.
DEFAULT_PART_SECONDS = 20.0
#: More are refused: each takes about as long as a question about a short video.
MAX_WINDOWS = 10_000

# A last part shorter than this share of the others goes with the one before it.
_LEAST_PART_SHARE = 0.25
# A remainder shorter than this is rounding of the container's, and no window.
_TOLERANCE_SECONDS = 0.01


def default_overlap(window_seconds: float) -> float:
    """By how many seconds windows overlap where nobody said."""
    return DEFAULT_OVERLAP_SHARE * window_seconds


def check_windows(window_seconds: float, overlap_seconds: float) -> None:
    """Refuse windows that there can't be.

    Args:
        window_seconds: Length of a window.
        overlap_seconds: What two neighbours share.

    Raises:
        InputError: A window has no length, or is all overlap.
    """
    if not (math.isfinite(window_seconds) and window_seconds > 0):
        raise InputError(f"A window must be longer than 0 s, got {window_seconds:g} s.")
    if not 0 <= overlap_seconds < window_seconds:
        raise InputError(
            f"Windows of {window_seconds:g} s can overlap by 0 s or more and less than "
            f"{window_seconds:g} s, got {overlap_seconds:g} s."
        )


def plan_windows(
    video: VideoInfo,
    window_seconds: float,
    overlap_seconds: float,
    within: TimeSpan | None = None,
) -> tuple[TimeSpan, ...]:
    """Cut a video into windows.

    Args:
        video: Its pictures, from the first to the end of the last, are cut.
        window_seconds: Length of a window.
        overlap_seconds: What two neighbours share, at least.
        within: The part of the video that is cut; None is all of it.

    Returns:
        In the video's order. One if there is no more than a window.

    Raises:
        InputError: As for :func:`check_windows`, or there would be more than
            :data:`MAX_WINDOWS`, or ``within`` lies outside of the video.
    """
    check_windows(window_seconds, overlap_seconds)
    first, last = _bounds(video, within)
    rest = last - first - window_seconds - _TOLERANCE_SECONDS
    if rest <= 0:
        return (TimeSpan(min(first, last), last),)
    steps = rest / (window_seconds - overlap_seconds)  # inf for the shortest windows
    if steps > MAX_WINDOWS - 1:
        raise InputError(
            f"This video would have {steps + 1:.0f} windows and the limit is "
            f"{MAX_WINDOWS}; make them longer, or let them overlap less."
        )
    count = 1 + math.ceil(steps)
    step = window_seconds - overlap_seconds
    starts = [first + number * step for number in range(count - 1)]
    starts.append(last - window_seconds)
    return tuple(TimeSpan(start, start + window_seconds) for start in starts)


def plan_parts(
    video: VideoInfo, part_seconds: float, within: TimeSpan | None = None
) -> tuple[TimeSpan, ...]:
    """Cut a video into parts that do not overlap: windows, but for the last one.

    Args:
        video: Its pictures, from the first to the end of the last, are cut.
        part_seconds: Length of a part. The last one is what is left: shorter, or up to
            a quarter longer, so that no part is too short to show anything.
        within: The part of the video that is cut; None is all of it.

    Returns:
        In the video's order; each begins where the one before it ends.

    Raises:
        InputError: As for :func:`plan_windows`.
    """
    windows = plan_windows(video, part_seconds, 0.0, within)
    starts = [window.start_seconds for window in windows[:-1]]
    end = windows[-1].end_seconds
    if not starts:
        return windows
    rest = starts[-1] + part_seconds
    if end - rest >= _LEAST_PART_SHARE * part_seconds:
        starts.append(rest)
    return tuple(TimeSpan(*both) for both in itertools.pairwise([*starts, end]))


def _bounds(video: VideoInfo, within: TimeSpan | None) -> tuple[float, float]:
    """From where to where a video is cut."""
    first, last = video.start_seconds, video.duration_seconds
    if within is None:
        return first, last
    check_segment(video, within)
    return max(first, within.start_seconds), min(last, within.end_seconds)


def check_segment(video: VideoInfo, within: TimeSpan) -> None:
    """Refuse a part of a video that holds none of its pictures.

    Raises:
        InputError: It lies outside.
    """
    first, last = video.start_seconds, video.duration_seconds
    if within.start_seconds >= last:
        raise InputError(
            "The segment begins at {start:.2f} seconds and the video ends at "
            "{end:.2f}; choose an earlier one.",
            start=within.start_seconds,
            end=last,
        )
    if within.end_seconds < first:
        raise InputError(
            "The segment ends at {end:.2f} seconds and the video begins at "
            "{start:.2f}; choose a later one.",
            end=within.end_seconds,
            start=first,
        )
