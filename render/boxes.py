"""Boxes on frames, drawn with OpenCV. Knows arrays and a style, and no model."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from render.labels import ColorRGB, LabelPicture, blend, paste, render_label
from stablechat.errors import InputError, RenderError
from stablechat.types import FloatArray, FrameArray

#: Masks are drawn this many times larger and averaged down. OpenCV's own smooth lines
#: are too thick by a pixel and a half and come in odd widths only; averaging places an
#: edge to a quarter of a pixel, so an interpolated box glides instead of jumping.
_SUPERSAMPLING = 4

#: Points on each rounded corner.
_CORNER_POINTS = 9

#: Pixels of the shorter side for each pixel of line: 3.3 at 720p, 4.9 at 1080p.
_PIXELS_PER_LINE = 220
_MIN_THICKNESS = 1.75

#: Width of the dark contour on each side of the line, as a part of the line's.
_CONTOUR = 0.3
_MIN_CONTOUR = 0.75

#: Pixels of the shorter side for each pixel of font height: 28 at 720p, 42 at 1080p.
_PIXELS_PER_FONT = 26
_MIN_FONT_SIZE = 11

#: The widest label, as a part of the frame's width. It does not follow the box, so
#: the words do not change while the box grows.
_LABEL_WIDTH = 0.62
_MIN_LABEL_WIDTH = 150


@dataclass(frozen=True)
class BoxStyle:
    """How a box looks.

    Attributes:
        color_rgb: Colour of the line and of the label, 0..255 each.
        outline_rgb: Colour of the thin contour around the line.
        show_label: Whether the label is drawn.
        line_scale: Multiplies the thickness that the frame's size gives.
        label_scale: Multiplies the font size that the frame's size gives.
        corners: Whether the corners are drawn thicker.
    """

    color_rgb: ColorRGB = (46, 213, 255)
    outline_rgb: ColorRGB = (16, 18, 22)
    show_label: bool = True
    line_scale: float = 1.0
    label_scale: float = 1.0
    corners: bool = True

    def __post_init__(self) -> None:
        for name in ("color_rgb", "outline_rgb"):
            color = getattr(self, name)
            if len(color) != 3 or not all(0 <= c <= 255 for c in color):
                raise InputError(f"{name} must be three values 0..255, got {color}.")
        for name in ("line_scale", "label_scale"):
            scale = getattr(self, name)
            if not (math.isfinite(scale) and 0 < scale <= 20):
                raise InputError(f"{name} must be over 0 and at most 20, got {scale}.")


DEFAULT_STYLE = BoxStyle()


@dataclass(frozen=True)
class _Ring:
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


def line_thickness(width: int, height: int, style: BoxStyle = DEFAULT_STYLE) -> float:
    """Thickness of the line in pixels for a frame of a size in pixels."""
    automatic = max(_MIN_THICKNESS, min(width, height) / _PIXELS_PER_LINE)
    # Half of it on each side of the edge must be whole steps of the mask.
    steps = max(1, round(automatic * style.line_scale * _SUPERSAMPLING / 2))
    return 2 * steps / _SUPERSAMPLING


def draw_box(
    frame: FrameArray,
    xyxy: FloatArray,
    label: str | None = None,
    style: BoxStyle = DEFAULT_STYLE,
) -> FrameArray:
    """A copy of a frame with a box on it.

    Parts outside the frame are left out and the line follows the frame's edge there.
    A box with no area is drawn at the smallest size that can be seen. A box wholly
    outside draws nothing.

    Args:
        frame: uint8 ``(H, W, 3)``, RGB; it is not changed.
        xyxy: float ``(4,)``, pixels; the frame spans ``0..W`` and ``0..H``.
        label: Written beside the box, shortened to fit; None or empty for none.
        style: Colours and sizes.

    Returns:
        uint8 ``(H, W, 3)``, RGB.

    Raises:
        RenderError: The frame is not uint8 ``(H, W, 3)`` or the box not ``(4,)``.
    """
    _check(frame, xyxy)
    canvas = np.array(frame, dtype=np.uint8, order="C", copy=True)
    height, width = canvas.shape[:2]
    thickness = line_thickness(width, height, style)
    box = _visible_box(xyxy, width, height, thickness)
    if box is None:
        return canvas
    ring = _make_ring(box, thickness, style)
    _draw_ring(canvas, ring, style)
    if label and style.show_label:
        _draw_label(canvas, ring, label, style)
    return canvas


def _check(frame: FrameArray, xyxy: FloatArray) -> None:
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
        raise RenderError(
            f"A frame must be uint8 (H, W, 3), got {frame.dtype} {frame.shape}."
        )
    if np.shape(xyxy) != (4,):
        raise RenderError(f"A box must be (4,), got {np.shape(xyxy)}.")


def _visible_box(
    xyxy: FloatArray, width: int, height: int, thickness: float
) -> FloatArray | None:
    """The box moved inside the frame so that its whole line shows, or None."""
    if not np.all(np.isfinite(xyxy)):
        return None
    low, high = np.minimum(xyxy[:2], xyxy[2:]), np.maximum(xyxy[:2], xyxy[2:])
    size = np.array([width, height], dtype=np.float64)
    if np.any(high < 0) or np.any(low > size):
        return None
    inset = np.minimum(thickness / 2 + _contour(thickness), size / 2)
    low, high = np.clip(low, inset, size - inset), np.clip(high, inset, size - inset)
    smallest = np.minimum(3 * thickness, size - 2 * inset)
    grow = np.maximum(0, smallest - (high - low)) / 2
    low = np.clip(low - grow, inset, size - inset - smallest)
    high = np.maximum(np.clip(high + grow, inset, size - inset), low + smallest)
    return np.concatenate([low, high])


def _contour(thickness: float) -> float:
    return max(
        _MIN_CONTOUR, round(_CONTOUR * thickness * _SUPERSAMPLING) / _SUPERSAMPLING
    )


def _make_ring(box: FloatArray, thickness: float, style: BoxStyle) -> _Ring:
    shortest = float(min(box[2] - box[0], box[3] - box[1]))
    accented = style.corners and shortest >= 10 * thickness
    return _Ring(
        box=box,
        radius=min(3 * thickness, shortest / 3),
        thickness=thickness,
        heavy=thickness * (2 if accented else 1),
        arm=min(12 * thickness, 0.28 * shortest),
        contour=_contour(thickness),
    )


def _draw_ring(canvas: FrameArray, ring: _Ring, style: BoxStyle) -> None:
    """The contour and the coloured line over it, in place."""
    for region in _regions(ring, canvas.shape[1], canvas.shape[0]):
        left, top, right, bottom = region
        pixels = canvas[top:bottom, left:right]
        for color, grow in (
            (style.outline_rgb, ring.contour),
            (style.color_rgb, 0.0),
        ):
            pixels[:] = blend(pixels, color, _mask(ring, region, grow))


def _regions(ring: _Ring, width: int, height: int) -> list[tuple[int, int, int, int]]:
    """Parts of the frame that the ring touches, without overlap.

    Four strips rather than the whole box: the inside of a large box costs nothing.

    Returns:
        ``(left, top, right, bottom)`` each, inside the frame and not empty.
    """
    margin = ring.margin
    # The strips above and below hold the whole of the corners.
    deep = margin + math.ceil(ring.radius)
    left, top = (math.floor(v) - margin for v in ring.box[:2])
    right, bottom = (math.ceil(v) + margin for v in ring.box[2:])
    if right - left < 4 * deep or bottom - top < 4 * deep:
        found = [(left, top, right, bottom)]
    else:
        upper, lower = top + margin + deep, bottom - margin - deep
        found = [
            (left, top, right, upper),
            (left, lower, right, bottom),
            (left, upper, left + 2 * margin + 1, lower),
            (right - 2 * margin - 1, upper, right, lower),
        ]
    inside = [
        (max(0, x1), max(0, y1), min(width, x2), min(height, y2))
        for x1, y1, x2, y2 in found
    ]
    return [r for r in inside if r[0] < r[2] and r[1] < r[3]]


def _mask(ring: _Ring, region: tuple[int, int, int, int], grow: float) -> FrameArray:
    """How much of each pixel of a region the ring covers, uint8 ``(h, w, 1)``.

    Args:
        ring: What to draw.
        region: Where, ``(left, top, right, bottom)``.
        grow: Pixels to add on each side of the line.
    """
    left, top, right, bottom = region
    shape = ((bottom - top) * _SUPERSAMPLING, (right - left) * _SUPERSAMPLING)
    large = np.zeros(shape, dtype=np.uint8)
    origin = np.array([left, top], dtype=np.float64)
    if ring.heavy > ring.thickness:
        _fill_ring(large, ring, ring.heavy / 2 + grow, origin)
        low = _to_mask(ring.box[:2] + ring.arm + grow, origin)
        high = _to_mask(ring.box[2:] - ring.arm - grow, origin)
        if np.all(low < high):
            # Wipe the thick line between the corners: a column and a row of the box.
            large[:, max(0, low[0]) : max(0, high[0])] = 0
            large[max(0, low[1]) : max(0, high[1])] = 0
    line = np.zeros_like(large)
    _fill_ring(line, ring, ring.thickness / 2 + grow, origin)
    cv2.bitwise_or(large, line, dst=large)
    size = (right - left, bottom - top)
    small = cv2.resize(large, size, interpolation=cv2.INTER_AREA)
    return np.asarray(small, dtype=np.uint8)[:, :, None]


def _fill_ring(mask: FrameArray, ring: _Ring, half: float, origin: FloatArray) -> None:
    """Fill everything within ``half`` pixels of the middle of the line."""
    middle = (ring.box[:2] + ring.box[2:]) / 2
    for grow, value in ((half, 255), (-half, 0)):
        if grow < 0 and np.any(ring.box[2:] - ring.box[:2] <= 2 * half):
            return  # the line covers the whole inside
        path = _rounded_path(ring.box, ring.radius, grow)
        # OpenCV also fills the last row and column that a polygon names.
        points = _to_mask(path, origin) - (path > middle)
        cv2.fillPoly(mask, [points.astype(np.int32)], value)


def _to_mask(points: FloatArray, origin: FloatArray) -> npt.NDArray[np.int32]:
    """Frame coordinates to the enlarged mask's."""
    scaled = np.floor((points - origin) * _SUPERSAMPLING + 0.5)
    return np.asarray(scaled, dtype=np.int32)


def _rounded_path(box: FloatArray, radius: float, grow: float) -> FloatArray:
    """Points around a rounded rectangle, ``(4 * _CORNER_POINTS, 2)``, clockwise."""
    x1, y1, x2, y2 = (float(v) for v in box)
    centers = (
        (x1 + radius, y1 + radius, 180),  # top left
        (x2 - radius, y1 + radius, 270),  # top right
        (x2 - radius, y2 - radius, 0),  # bottom right
        (x1 + radius, y2 - radius, 90),  # bottom left
    )
    # A line thicker than its corners are round has a sharp inner corner.
    reach = max(0.0, radius + grow)
    sharp = min(0.0, radius + grow)
    arcs = []
    for x, y, first_degree in centers:
        angle = np.radians(np.linspace(first_degree, first_degree + 90, _CORNER_POINTS))
        middle = np.radians(first_degree + 45)
        arcs.append(
            np.stack(
                [
                    x + reach * np.cos(angle) + sharp * np.sign(np.cos(middle)),
                    y + reach * np.sin(angle) + sharp * np.sign(np.sin(middle)),
                ],
                axis=1,
            )
        )
    return np.concatenate(arcs)


def _draw_label(canvas: FrameArray, ring: _Ring, label: str, style: BoxStyle) -> None:
    height, width = canvas.shape[:2]
    font_size = round(min(width, height) / _PIXELS_PER_FONT * style.label_scale)
    font_size = max(_MIN_FONT_SIZE, font_size)
    widest = min(width - 2, max(round(width * _LABEL_WIDTH), _MIN_LABEL_WIDTH))
    picture = render_label(label, font_size, widest, style.color_rgb)
    if picture is None or picture.height > height - 2:
        return
    x, y = _label_place(picture, ring, width, height)
    paste(canvas, picture, x, y)


def _label_place(
    picture: LabelPicture, ring: _Ring, width: int, height: int
) -> tuple[int, int]:
    """Top left corner of a label: above the box, else inside its top, else below.

    Returns:
        ``(x, y)`` in pixels such that the label is inside the frame.
    """
    gap = ring.heavy / 2 + ring.contour + max(1.0, 0.75 * ring.thickness)
    x1, y1, _, y2 = (float(v) for v in ring.box)
    x, y = x1 - ring.heavy / 2 - ring.contour, y1 - gap - picture.height
    if y < 1:
        if y2 - y1 >= 2.5 * picture.height:
            x, y = x1 + gap, y1 + gap
        elif y2 + gap + picture.height <= height - 1:
            y = y2 + gap
    return (
        int(np.clip(round(x), 1, width - 1 - picture.width)),
        int(np.clip(round(y), 1, height - 1 - picture.height)),
    )
