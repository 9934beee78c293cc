"""Where a long video is cut into windows. Pure arithmetic.

All windows have one length, so that the model sees every part of the video equally
finely and its confidences mean the same; the last one ends with the video and overlaps
the one before it by more where the length does not divide.

    duration 100, windows of 40 that overlap by 10:   0..40  30..70  60..100
"""

from __future__ import annotations

import math

from stablechat.errors import InputError
from stablechat.types import TimeSpan, VideoInfo

#: Length of a window: 100 frames of it are one every 0.6 seconds.
DEFAULT_WINDOW_SECONDS = 60.0
#: Of a window that the next one sees again. A moment that is shorter than the overlap
#: is whole in at least one window.
DEFAULT_OVERLAP_SHARE = 0.25
#: More are refused: each takes about as long as a question about a short video.
MAX_WINDOWS = 10_000

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
        within: Cut this part of it only.

    Returns:
        In the video's order. One if there is no more than a window.

    Raises:
        InputError: As for :func:`check_windows`, or there would be more than
            :data:`MAX_WINDOWS`, or ``within`` is behind the end.
    """
    check_windows(window_seconds, overlap_seconds)
    first, last = _ends(video, within)
    rest = last - first - window_seconds - _TOLERANCE_SECONDS
    if rest <= 0:
        return (TimeSpan(min(first, last), last),)
    count = 1 + math.ceil(rest / (window_seconds - overlap_seconds))
    if count > MAX_WINDOWS:
        raise InputError(
            f"This video would have {count} windows and the limit is {MAX_WINDOWS}; "
            "make them longer, or let them overlap less."
        )
    step = window_seconds - overlap_seconds
    starts = [first + number * step for number in range(count - 1)]
    starts.append(last - window_seconds)
    return tuple(TimeSpan(start, start + window_seconds) for start in starts)


def _ends(video: VideoInfo, within: TimeSpan | None) -> tuple[float, float]:
    first, last = video.start_seconds, video.duration_seconds
    if within is None:
        return first, last
    if within.start_seconds > last:
        raise InputError(
            "The segment begins at {start:.2f} seconds and the video ends at "
            "{end:.2f}; choose an earlier one.",
            start=within.start_seconds,
            end=last,
        )
    return max(first, within.start_seconds), min(last, within.end_seconds)
