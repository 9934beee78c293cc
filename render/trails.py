"""The way that a box has come: a line through its centres that fades into the past."""

from __future__ import annotations

import math
from itertools import pairwise

import cv2
import numpy as np

from render.labels import ColorRGB
from render.patches import Patch, coat_patch
from stablechat.types import FloatArray, FrameArray, Tube

#: Straight pieces that a whole trail is drawn in, so that it fades smoothly.
_PIECES = 24

#: The newest end, and how dark the contour around it is: 0..255.
_LINE_ALPHA = 230
_CONTOUR_ALPHA = 150

#: OpenCV takes coordinates in parts of a pixel: 2 ** _SHIFT of them.
_SHIFT = 4


def trail_points(tube: Tube, time_seconds: float, trail_seconds: float) -> FloatArray:
    """The centres of a box on its way to a moment.

    Args:
        tube: The box over time.
        time_seconds: The moment; it is clamped to the tube's time.
        trail_seconds: How far back.

    Returns:
        float64 ``(n, 3)``: x, y in pixels of the video and the share of the trail that
        is gone by then, 0 (oldest) to 1 (now). n is 1 where the tube begins.
    """
    times = tube.times_seconds
    now = float(np.clip(time_seconds, times[0], times[-1]))
    oldest = max(now - trail_seconds, float(times[0]))
    steps = np.linspace(oldest, now, _PIECES + 1)
    known = times[(times > oldest) & (times < now)]
    moments = np.unique(np.concatenate([steps, known]))
    box = np.stack([np.interp(moments, times, side) for side in tube.xyxy.T])
    age = 1 - (now - moments) / trail_seconds
    return np.stack([(box[0] + box[2]) / 2, (box[1] + box[3]) / 2, age], axis=1)


def trail_patches(
    points: FloatArray,
    size: tuple[int, int],
    thickness: float,
    line: ColorRGB,
    outline: ColorRGB,
) -> list[Patch]:
    """What a trail lays over a frame.

    Args:
        points: As from :func:`trail_points`, in pixels of the frame.
        size: ``(width, height)`` of the frame in pixels; nothing lies outside.
        thickness: Of the line, in pixels.
        line: Its colour.
        outline: Colour of the contour around it.

    Returns:
        One patch at even coordinates; none for a box that has not moved by a pixel.
    """
    if float(np.ptp(points[:, :2], axis=0).max()) < 1:
        return []
    width = max(1, round(thickness))
    around = width + 2 * max(1, round(thickness / 2))
    region = _region(points, size, around)
    if region[0] >= region[2] or region[1] >= region[3]:
        return []
    inner = _mask(points, region, width, _LINE_ALPHA)
    outer = _mask(points, region, around, _CONTOUR_ALPHA)
    return [coat_patch(region, (line, inner), (outline, outer))]


def _region(
    points: FloatArray, size: tuple[int, int], width: int
) -> tuple[int, int, int, int]:
    """Where the trail touches the frame: left, top, right, bottom."""
    low = points[:, :2].min(axis=0) - width
    high = points[:, :2].max(axis=0) + width
    # Even coordinates: the chroma of I420 has one value for two pixels.
    left, top = (max(0, 2 * math.floor(value / 2)) for value in low.tolist())
    right, bottom = (2 * math.ceil(value / 2) for value in high.tolist())
    return left, top, min(size[0], right), min(size[1], bottom)


def _mask(
    points: FloatArray, region: tuple[int, int, int, int], width: int, most: int
) -> FrameArray:
    """How much of each pixel of a region is covered, uint8 ``(h, w)``."""
    left, top, right, bottom = region
    mask = np.zeros((bottom - top, right - left), np.uint8)
    # A pixel's middle has whole coordinates in OpenCV and halves in ours.
    places = (points[:, :2] - [left + 0.5, top + 0.5]) * (1 << _SHIFT)
    corners = np.rint(places).astype(np.int32).tolist()
    # The newest piece last: where pieces meet, the stronger one stays.
    for (start, end), age in zip(
        pairwise(corners), points[1:, 2].tolist(), strict=True
    ):
        alpha = round(most * age)
        cv2.line(mask, start, end, (alpha,), width, cv2.LINE_AA, _SHIFT)
    return mask
