"""The rounded frame around an object, as patches that are laid over a picture.

Four corners and four straight sides: along a side all columns (or rows) are alike, so
one is computed, and the inside of a large box costs nothing.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from render.labels import ColorRGB
from render.patches import Patch, coat_patch
from stablechat.types import FloatArray, FrameArray

#: Masks are drawn this many times larger and averaged down. OpenCV's own smooth lines
#: are too thick by a pixel and a half and come in odd widths only; averaging places an
#: edge to a quarter of a pixel, so an interpolated box glides instead of jumping.
SUPERSAMPLING = 4

#: Points on each rounded corner.
_CORNER_POINTS = 9

#: The four arcs of a circle of radius 1, clockwise from its left: float64 ``(n, 2)``,
#: and for each point on which side of the middle its arc lies, -1 or 1 each.
_ARC_DEGREES = np.linspace(
    [180, 270, 0, 90], [270, 360, 90, 180], _CORNER_POINTS, axis=1
)
_ARC_POINTS: FloatArray = np.stack(
    [np.cos(np.radians(_ARC_DEGREES)), np.sin(np.radians(_ARC_DEGREES))], axis=-1
).reshape(-1, 2)
_ARC_SIDES: FloatArray = np.repeat(
    np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]]),
    _CORNER_POINTS,
    axis=0,
)

#: Left, top, right, bottom, in pixels; the last two exclusive.
Region = tuple[int, int, int, int]

#: int32 ``(n, 2)``, points in the enlarged mask of the whole frame.
Polygon = npt.NDArray[np.int32]


@dataclass(frozen=True)
class Ring:
    """A rounded frame with thicker corners; lengths in pixels.

    Attributes:
        box: float64 ``(4,)``, the middle of the line.
        radius: Of the corners, at the middle of the line.
        thickness: Of the line.
        heavy: Of the line at the corners.
        arm: How far the thicker part reaches along a side from the box's corner.
        contour: Width of the dark contour on each side.
    """

    box: FloatArray
    radius: float
    thickness: float
    heavy: float
    arm: float
    contour: float

    @property
    def margin(self) -> int:
        """Whole pixels the ring may reach beyond the middle of its line."""
        return math.ceil(self.heavy / 2 + self.contour) + 1

    @property
    def corner(self) -> int:
        """Whole pixels from the box's corner to where a side is straight."""
        return math.ceil(max(self.radius, self.arm + self.contour)) + self.margin


def ring_patches(
    ring: Ring, size: tuple[int, int], line: ColorRGB, outline: ColorRGB
) -> Iterator[Patch]:
    """The ring as patches that do not overlap, each at even coordinates.

    Args:
        ring: What to draw.
        size: ``(width, height)`` of the frame in pixels; nothing lies outside.
        line: Colour of the line.
        outline: Colour of the contour around it.

    Yields:
        The patches; a corner cut by an odd frame edge has an odd size.
    """
    corners, sides = _regions(ring, size)
    inner, outer = _Shape(ring, 0.0), _Shape(ring, ring.contour)
    for region in corners:
        coats = (line, inner.mask(region)), (outline, outer.mask(region))
        yield coat_patch(region, *coats)
    half = ring.thickness / 2
    for region, middle, axis in sides:
        inside = _profile(region, middle, half, axis)
        around = _profile(region, middle, half + ring.contour, axis)
        yield coat_patch(region, (line, inside), (outline, around))


def _regions(
    ring: Ring, size: tuple[int, int]
) -> tuple[list[Region], list[tuple[Region, float, int]]]:
    """Where the ring touches the frame.

    Returns:
        The corners, and the straight sides with the middle of their line and the axis
        that it is a coordinate of (0: x, 1: y). One corner is the whole of a small box.
    """
    (x1, y1, x2, y2), margin = (float(v) for v in ring.box), ring.margin
    left, top = _even_floor(x1 - margin), _even_floor(y1 - margin)
    right, bottom = _even_ceil(x2 + margin), _even_ceil(y2 + margin)
    # Where the sides are straight.
    x_from, y_from = _even_ceil(x1 + ring.corner), _even_ceil(y1 + ring.corner)
    x_to, y_to = _even_floor(x2 - ring.corner), _even_floor(y2 - ring.corner)
    if x_from >= x_to or y_from >= y_to:
        corners, sides = [(left, top, right, bottom)], []
    else:
        corners = [
            (left, top, x_from, y_from),
            (x_to, top, right, y_from),
            (left, y_to, x_from, bottom),
            (x_to, y_to, right, bottom),
        ]
        half = ring.thickness / 2 + ring.contour
        across = [(_even_floor(v - half), _even_ceil(v + half)) for v in (y1, y2)]
        down = [(_even_floor(v - half), _even_ceil(v + half)) for v in (x1, x2)]
        sides = [
            ((x_from, across[0][0], x_to, across[0][1]), y1, 1),
            ((x_from, across[1][0], x_to, across[1][1]), y2, 1),
            ((down[0][0], y_from, down[0][1], y_to), x1, 0),
            ((down[1][0], y_from, down[1][1], y_to), x2, 0),
        ]
    inside = [(_clipped(region, size), middle, axis) for region, middle, axis in sides]
    return (
        [r for r in (_clipped(region, size) for region in corners) if _has_area(r)],
        [side for side in inside if _has_area(side[0])],
    )


def _even_floor(value: float) -> int:
    """Even coordinates: the chroma of I420 has one value for two pixels."""
    return 2 * math.floor(value / 2)


def _even_ceil(value: float) -> int:
    return 2 * math.ceil(value / 2)


def _clipped(region: Region, size: tuple[int, int]) -> Region:
    left, top, right, bottom = region
    return max(0, left), max(0, top), min(size[0], right), min(size[1], bottom)


def _has_area(region: Region) -> bool:
    return region[0] < region[2] and region[1] < region[3]


def _profile(region: Region, middle: float, half: float, axis: int) -> FrameArray:
    """How much of each column or row of a region a straight line covers.

    Args:
        region: Where.
        middle: Of the line, on ``axis``.
        half: Half of the line's width.
        axis: 0 for a line from top to bottom, 1 for one from left to right.

    Returns:
        uint8 ``(1, w)`` or ``(h, 1)``.
    """
    start = np.arange(region[axis], region[axis + 2], dtype=np.float64)
    low, high = (
        math.floor((middle + side) * SUPERSAMPLING + 0.5) / SUPERSAMPLING
        for side in (-half, half)
    )
    covered = np.clip(high - start, 0, 1) - np.clip(low - start, 0, 1)
    alpha = (covered * 255 + 0.5).astype(np.uint8)
    return alpha.reshape((1, -1) if axis == 0 else (-1, 1))


class _Shape:
    """What a ring covers, for masks of any part of the frame.

    Args:
        ring: What to draw.
        grow: Pixels to add on each side of the line.
    """

    def __init__(self, ring: Ring, grow: float) -> None:
        self._line = _polygons(ring, ring.thickness / 2 + grow)
        self._heavy: list[Polygon] = []
        if ring.heavy > ring.thickness:
            self._heavy = _polygons(ring, ring.heavy / 2 + grow)
        #: The thick line is wiped here: a column and a row of the box.
        self._wiped = np.stack(
            [
                _to_mask(ring.box[:2] + ring.arm + grow),
                _to_mask(ring.box[2:] - ring.arm - grow),
            ]
        )

    def mask(self, region: Region) -> FrameArray:
        """How much of each pixel of a region is covered, uint8 ``(h, w)``."""
        left, top, right, bottom = region
        width, height = right - left, bottom - top
        origin = (left * SUPERSAMPLING, top * SUPERSAMPLING)
        shape = (height * SUPERSAMPLING, width * SUPERSAMPLING)
        large = np.zeros(shape, dtype=np.uint8)
        if self._heavy:
            _fill(large, self._heavy, origin)
            low, high = self._wiped - origin
            if np.all(low < high):
                large[:, max(0, low[0]) : max(0, high[0])] = 0
                large[max(0, low[1]) : max(0, high[1])] = 0
            line = np.zeros_like(large)
            _fill(line, self._line, origin)
            cv2.bitwise_or(large, line, dst=large)
        else:
            _fill(large, self._line, origin)
        small = cv2.resize(large, (width, height), interpolation=cv2.INTER_AREA)
        return np.asarray(small, dtype=np.uint8)


def _polygons(ring: Ring, half: float) -> list[Polygon]:
    """What lies within ``half`` pixels of the middle of the line: outer, then inner."""
    middle = (ring.box[:2] + ring.box[2:]) / 2
    covers_all = bool(np.any(ring.box[2:] - ring.box[:2] <= 2 * half))
    paths = [
        _rounded_path(ring.box, ring.radius, grow)
        for grow in ([half] if covers_all else [half, -half])
    ]
    # OpenCV also fills the last row and column that a polygon names.
    return [_to_mask(path) - (path > middle) for path in paths]


def _fill(mask: FrameArray, polygons: list[Polygon], origin: tuple[int, int]) -> None:
    for polygon, value in zip(polygons, (255, 0), strict=False):
        cv2.fillPoly(mask, [polygon - np.array(origin, np.int32)], value)


def _to_mask(points: FloatArray) -> Polygon:
    """Coordinates in the frame to those in the frame's enlarged mask."""
    return np.floor(points * SUPERSAMPLING + 0.5).astype(np.int32)


def _rounded_path(box: FloatArray, radius: float, grow: float) -> FloatArray:
    """Points around a rounded rectangle, ``(4 * _CORNER_POINTS, 2)``, clockwise."""
    centers = np.where(_ARC_SIDES < 0, box[:2] + radius, box[2:] - radius)
    # A line thicker than its corners are round has a sharp inner corner.
    reach = max(0.0, radius + grow)
    sharp = min(0.0, radius + grow)
    path: FloatArray = centers + reach * _ARC_POINTS + sharp * _ARC_SIDES
    return path
