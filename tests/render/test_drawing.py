"""Boxes on planar YUV pictures, compared with boxes on RGB and with FFmpeg."""

from __future__ import annotations

import av
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from render.boxes import BoxStyle, box_patches, draw_box
from render.drawing import YuvPainter, yuv_from_rgb
from render.patches import Patch
from stablechat.video.color import ColorSpace

SPACES = [
    ColorSpace(matrix, full_range, "bt709", "bt709")
    for matrix in ("bt601", "bt709")
    for full_range in (False, True)
]
IDS = [f"{s.matrix} {'full' if s.full_range else 'limited'}" for s in SPACES]
BOX = np.array([41.3, 50.6, 201.2, 151.9])


def i420(rgb: np.ndarray, color: ColorSpace) -> np.ndarray:
    """Slow and obvious: every pixel in floats, then the mean of four for U and V."""
    matrix, offset = yuv_from_rgb(color)
    yuv = rgb.astype(np.float64) @ matrix.T.astype(np.float64) + offset
    height, width = rgb.shape[:2]
    cells = yuv.reshape(height // 2, 2, width // 2, 2, 3).mean((1, 3))
    planes = [yuv[..., 0].reshape(-1), cells[..., 1].ravel(), cells[..., 2].ravel()]
    return np.rint(np.concatenate(planes)).astype(np.uint8).reshape(-1, width)


def to_rgb(frame: np.ndarray, color: ColorSpace) -> np.ndarray:
    """Slow and obvious, uint8 ``(H, W, 3)``."""
    width, height = frame.shape[1], frame.shape[0] * 2 // 3
    chroma = frame[height:].reshape(2, height // 2, width // 2)
    yuv = np.stack([frame[:height], *np.kron(chroma, np.ones((2, 2)))], axis=-1)
    matrix, offset = yuv_from_rgb(color)
    rgb = (yuv - offset) @ np.linalg.inv(matrix).T
    return np.clip(np.rint(rgb), 0, 255).astype(np.uint8)


def photo(width: int, height: int) -> np.ndarray:
    """A colourful picture without sharp edges."""
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / 31 + y / 17 + phase) for phase in (0.0, 2.0, 4.0)]
    return (128 + 60 * np.stack(waves, axis=-1)).astype(np.uint8)


@pytest.mark.parametrize("color", SPACES, ids=IDS)
@pytest.mark.parametrize("rgb", [(255, 0, 0), (12, 200, 90), (255, 255, 255), (0,) * 3])
def test_colours_are_converted_as_ffmpeg_does(
    color: ColorSpace, rgb: tuple[int, int, int]
) -> None:
    picture = np.full((16, 16, 3), rgb, np.uint8)
    frame = av.VideoFrame.from_ndarray(picture, format="rgb24").reformat(
        format="yuv444p",
        dst_colorspace=color.swscale_matrix,
        dst_color_range=color.swscale_range,
    )
    expected = frame.to_ndarray()[:, 8, 8]
    matrix, offset = yuv_from_rgb(color)
    assert np.allclose(matrix @ np.array(rgb) + offset, expected, atol=1.01)


@pytest.mark.parametrize("color", SPACES, ids=IDS)
@pytest.mark.parametrize("label", [None, "the red circle"])
@pytest.mark.parametrize(
    "box", [BOX, BOX * 0 + [-9, -9, 400, 300], np.array([300.0, 3, 317, 20])]
)
def test_looks_as_it_does_on_rgb(
    color: ColorSpace, label: str | None, box: np.ndarray
) -> None:
    rgb = photo(320, 240)
    style = BoxStyle(color_rgb=(220, 40, 30))
    expected = i420(draw_box(rgb, box, label, style), color).astype(int)
    frame = i420(rgb, color)
    YuvPainter(color).draw(frame, box_patches((320, 240), box, label, style))
    assert np.abs(frame - expected).max() <= 2


@pytest.mark.parametrize("color", SPACES, ids=IDS)
def test_box_has_its_colour(color: ColorSpace) -> None:
    frame = i420(photo(320, 240), color)
    style = BoxStyle(color_rgb=(40, 200, 90), line_scale=6)
    YuvPainter(color).draw(frame, box_patches((320, 240), BOX, None, style))
    pixels = to_rgb(frame, color)[48:52, 100:140].reshape(-1, 3).astype(int)
    assert np.abs(pixels - (40, 200, 90)).max() <= 3


@pytest.mark.parametrize("color", SPACES, ids=IDS)
@pytest.mark.parametrize("corners", [True, False])
def test_what_is_not_drawn_on_keeps_its_bits(color: ColorSpace, corners: bool) -> None:
    before = np.random.default_rng(0).integers(0, 256, (360, 320), dtype=np.uint8)
    frame = before.copy()
    style = BoxStyle(corners=corners)
    patches = box_patches((320, 240), BOX, "the red circle", style)
    YuvPainter(color).draw(frame, patches)
    touched = np.zeros((240, 320), bool)
    for patch in patches:
        rows = slice(patch.top, patch.top + patch.height)
        place = touched[rows, patch.left : patch.left + patch.width]
        place |= np.broadcast_to(patch.keep < 255, place.shape)
    cells = touched.reshape(120, 2, 160, 2).any((1, 3))
    changed = frame != before
    assert not (changed[:240] & ~touched).any()
    assert not (changed[240:].reshape(2, 120, 160) & ~cells).any()
    assert touched.mean() < 0.2 and changed.any()
    assert not touched[70:140, 60:180].any()  # the inside of the box


def test_the_middle_of_a_large_box_costs_nothing() -> None:
    patches = box_patches((1920, 1080), np.array([20.0, 20, 1900, 1060]))
    assert sum(p.keep.size for p in patches) < 0.02 * 1920 * 1080


@settings(max_examples=100, deadline=None)
@given(
    size=st.tuples(st.integers(1, 150), st.integers(1, 150)),
    box=st.tuples(*[st.floats(-100, 400)] * 4),
    label=st.sampled_from(["", "a", "the red circle"]),
    scale=st.sampled_from([0.3, 1.0, 4.0]),
)
def test_any_box_on_any_picture(
    size: tuple[int, int],
    box: tuple[float, float, float, float],
    label: str,
    scale: float,
) -> None:
    width, height = size[0] * 2, size[1] * 2
    rgb = np.full((height, width, 3), 100, np.uint8)
    style = BoxStyle((200, 60, 50), line_scale=scale, label_scale=scale)
    frame = i420(rgb, SPACES[0])
    patches = box_patches((width, height), np.array(box), label, style)
    assert all(_is_sound(patch, width, height) for patch in patches)
    YuvPainter(SPACES[0]).draw(frame, patches)
    expected = i420(draw_box(rgb, np.array(box), label, style), SPACES[0])
    # A label over the line is mixed into chroma that was a mean already.
    assert np.abs(frame.astype(int) - expected).mean() < 1
    assert np.abs(frame[:height].astype(int) - expected[:height]).max() <= 2


def _is_sound(patch: Patch, width: int, height: int) -> bool:
    inside = 0 <= patch.left and patch.left + patch.width <= width
    inside &= 0 <= patch.top and patch.top + patch.height <= height
    most = 255 * (255 - patch.keep.astype(int))
    return inside and bool((patch.add <= most).all())
