"""Boxes on frames, drawn with OpenCV. Knows arrays and a style, and no model."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from render.labels import ColorRGB, LabelPicture, render_label
from render.patches import Patch, label_patch
from render.rings import SUPERSAMPLING, Ring, ring_patches
from stablechat.errors import InputError, RenderError
from stablechat.types import FloatArray, FrameArray

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


def line_thickness(width: int, height: int, style: BoxStyle = DEFAULT_STYLE) -> float:
    """Thickness of the line in pixels for a frame of a size in pixels."""
    automatic = max(_MIN_THICKNESS, min(width, height) / _PIXELS_PER_LINE)
    # Half of it on each side of the edge must be whole steps of the mask.
    steps = max(1, round(automatic * style.line_scale * SUPERSAMPLING / 2))
    return 2 * steps / SUPERSAMPLING


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
    _check_frame(frame)
    canvas = np.array(frame, dtype=np.uint8, order="C", copy=True)
    height, width = canvas.shape[:2]
    for patch in box_patches((width, height), xyxy, label, style):
        patch.lay_on(canvas)
    return canvas


def box_patches(
    size: tuple[int, int],
    xyxy: FloatArray,
    label: str | None = None,
    style: BoxStyle = DEFAULT_STYLE,
) -> list[Patch]:
    """What :func:`draw_box` lays over a frame, for frames that are not RGB.

    Args:
        size: ``(width, height)`` of the frame in pixels.
        xyxy: float ``(4,)``, as for :func:`draw_box`.
        label: As for :func:`draw_box`.
        style: Colours and sizes.

    Returns:
        Patches inside the frame, in the order they are laid; none for a box that is
        wholly outside.

    Raises:
        RenderError: If the box is not ``(4,)``.
    """
    if np.shape(xyxy) != (4,):
        raise RenderError(f"A box must be (4,), got {np.shape(xyxy)}.")
    thickness = line_thickness(*size, style)
    box = _visible_box(xyxy, *size, thickness)
    if box is None:
        return []
    ring = _make_ring(box, thickness, style)
    patches = list(ring_patches(ring, size, style.color_rgb, style.outline_rgb))
    if label and style.show_label:
        beside = _label_patch(ring, label, style, size)
        patches += [] if beside is None else [beside]
    return patches


def _check_frame(frame: FrameArray) -> None:
    if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
        raise RenderError(
            f"A frame must be uint8 (H, W, 3), got {frame.dtype} {frame.shape}."
        )


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
        _MIN_CONTOUR, round(_CONTOUR * thickness * SUPERSAMPLING) / SUPERSAMPLING
    )


def _make_ring(box: FloatArray, thickness: float, style: BoxStyle) -> Ring:
    shortest = float(min(box[2] - box[0], box[3] - box[1]))
    accented = style.corners and shortest >= 10 * thickness
    return Ring(
        box=box,
        radius=min(3 * thickness, shortest / 3),
        thickness=thickness,
        heavy=thickness * (2 if accented else 1),
        arm=min(12 * thickness, 0.28 * shortest),
        contour=_contour(thickness),
    )


def _label_patch(
    ring: Ring, label: str, style: BoxStyle, size: tuple[int, int]
) -> Patch | None:
    """The label beside a box, or None where it does not fit."""
    width, height = size
    font_size = round(min(width, height) / _PIXELS_PER_FONT * style.label_scale)
    font_size = max(_MIN_FONT_SIZE, font_size)
    widest = min(width - 2, max(round(width * _LABEL_WIDTH), _MIN_LABEL_WIDTH))
    picture = render_label(label, font_size, widest, style.color_rgb)
    if picture is None or picture.height > height - 2:
        return None
    x, y = _label_place(picture, ring, width, height)
    return label_patch(x, y, picture)


def _label_place(
    picture: LabelPicture, ring: Ring, width: int, height: int
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
