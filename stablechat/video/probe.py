"""What a file holds, as a person sees it when it is played."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import numpy as np

from stablechat.types import VideoInfo
from stablechat.video._inspect import inspect
from stablechat.video._inspection import Inspection
from stablechat.video._open import PathLike
from stablechat.video._timeline import Timeline
from stablechat.video.isolation import Cancelled
from stablechat.video.limits import VideoLimits

#: Steps between pictures that differ from the middle one by more than this share of
#: it (and by more than rounding) make a variable frame rate.
VARIABLE_SHARE = 0.05
#: One longer step is a dropped picture, not a variable rate, up to this many steps.
DROPPED_STEPS = 2.5
#: Coarser clocks than this are not rounded: their tick is the frame period itself.
MAX_ROUNDING_SECONDS = 0.002

RATE_TOLERANCE = 1e-3  # a header's rate within this share of the measured one is it
FALLBACK_FPS = Fraction(25)
MAX_FPS_DENOMINATOR = 100_000


def probe(
    path: PathLike,
    limits: VideoLimits | None = None,
    *,
    cancelled: Cancelled | None = None,
) -> VideoInfo:
    """Find out what a video file holds.

    Nothing in the file is trusted: at least one picture is decoded, and pictures and
    times are counted from its packets. The file is only read, never followed to
    other files or hosts. The result of an unchanged file is remembered.

    Args:
        path: The file.
        limits: What to refuse; None for this process's limits.
        cancelled: Asked often; True stops.

    Returns:
        Size, turn, rate, times, codec and warnings.

    Raises:
        VideoError: If it is missing, not an ordinary file, not a video, or if no
            picture of it can be decoded.
        LimitError: If it is over a limit.
        CancelledError: If ``cancelled`` said so.
    """
    found = inspect(path, limits, cancelled=cancelled)
    return _info(Path(os.fsdecode(path)), found)


def read_timeline(path: PathLike, limits: VideoLimits | None = None) -> Timeline:
    """Find out when each picture of a video is shown; remembered as :func:`probe` does.

    Args:
        path: The file.
        limits: What to refuse.

    Returns:
        The times of all pictures.

    Raises:
        VideoError: As :func:`probe` does.
        LimitError: If it is over a limit.
    """
    return inspect(path, limits).timeline


def _info(path: Path, found: Inspection) -> VideoInfo:
    look, timeline, header = found.look, found.timeline, found.header
    width, height = look.displayed_size
    variable = is_variable(timeline)
    return VideoInfo(
        path=path,
        width=width,
        height=height,
        rotation=look.orientation.rotation,
        fps=average_fps(timeline, header.rates, variable),
        num_frames=len(timeline),
        duration_seconds=timeline.end_seconds,
        start_seconds=float(timeline.seconds[0]),
        has_audio=header.has_audio,
        codec=header.codec,
        container=header.container,
        mirrored=look.orientation.mirrored,
        sample_aspect_ratio=look.aspect,
        stored_width=look.stored_size[0],
        stored_height=look.stored_size[1],
        pixel_format=look.pixel_format,
        variable_frame_rate=variable,
        size_bytes=header.size_bytes,
        warnings=look.warnings + timeline.warnings,
    )


def is_variable(timeline: Timeline) -> bool:
    """Whether the time between pictures varies by more than rounding.

    Args:
        timeline: When each picture is shown.

    Returns:
        True for a variable frame rate.
    """
    steps = np.diff(timeline.seconds)
    if len(steps) < 2:
        return False
    middle = float(np.median(steps))
    allowed = max(2 * _rounding_seconds(timeline), VARIABLE_SHARE * middle) + 1e-9
    odd = steps[np.abs(steps - middle) > allowed]
    return len(odd) > 1 or bool(np.any(odd > DROPPED_STEPS * middle))


def _rounding_seconds(timeline: Timeline) -> float:
    """How far apart two stored times may be from the truth."""
    tick = timeline.tick_seconds
    return tick if tick <= MAX_ROUNDING_SECONDS else 0.0


def average_fps(
    timeline: Timeline, header_rates: tuple[Fraction, ...], variable: bool
) -> Fraction:
    """Pictures a second, measured; the header's exact number where it agrees.

    Args:
        timeline: When each picture is shown.
        header_rates: What the header says, the likeliest first.
        variable: Whether the rate varies; a header then names no average.

    Returns:
        A positive rate.
    """
    span = float(timeline.seconds[-1] - timeline.seconds[0])
    if len(timeline) < 2 or span <= 0:
        return _single_fps(timeline, header_rates)
    measured = (len(timeline) - 1) / span
    if not variable:
        tolerance = RATE_TOLERANCE + _rounding_seconds(timeline) / span
        for rate in header_rates:
            if abs(float(rate) / measured - 1) <= tolerance:
                return rate
    return Fraction(measured).limit_denominator(MAX_FPS_DENOMINATOR)


def _single_fps(timeline: Timeline, header_rates: tuple[Fraction, ...]) -> Fraction:
    """For one picture, or for many at one time: nothing can be measured."""
    if header_rates:
        return header_rates[0]
    lasts = timeline.end_seconds - float(timeline.seconds[0])
    if lasts <= 0:
        return FALLBACK_FPS
    return Fraction(1 / lasts).limit_denominator(MAX_FPS_DENOMINATOR) or FALLBACK_FPS
