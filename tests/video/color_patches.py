"""Pictures of coloured patches in any layout, by the formulas of the standards."""

from __future__ import annotations

import av
import numpy as np
import numpy.typing as npt

from stablechat.types import FrameArray
from stablechat.video._planes import PlaneConverter, joined
from stablechat.video.color import ColorSpace
from stablechat.video.orient import Orientation, PictureConverter

Floats = npt.NDArray[np.float64]

#: White, black, gray, skin, and clear red, green, blue and yellow.
COLORS = np.array(
    [
        (255, 255, 255),
        (0, 0, 0),
        (128, 128, 128),
        (224, 172, 105),
        (200, 30, 30),
        (30, 160, 40),
        (30, 40, 200),
        (220, 210, 40),
    ],
    np.uint8,
)
UPRIGHT = Orientation()
PATCH = 16  # pixels a side
WEIGHTS = {
    "bt601": (0.299, 0.114),
    "bt709": (0.2126, 0.0722),
    "bt2020": (0.2627, 0.0593),
}
TAGS = {"bt601": 6, "bt709": 1, "bt2020": 9}


def patches(colors: npt.NDArray[np.generic] = COLORS) -> npt.NDArray[np.generic]:
    """One patch of each colour, side by side: ``(PATCH, PATCH * N, 3)``."""
    return np.tile(np.repeat(colors, PATCH, axis=0), (PATCH, 1, 1))


def patch_colors(picture: FrameArray) -> Floats:
    """The mean of the inner part of each patch, ``(N, 3)``."""
    height, width = picture.shape[:2]
    count = round(width / height)
    inner = picture[height // 4 : -(height // 4)]
    columns = [np.array_split(inner, count, axis=1)[k] for k in range(count)]
    rim = width // count // 4
    return np.array([c[:, rim:-rim].mean(axis=(0, 1)) for c in columns])


def to_yuv(rgb: Floats, matrix: str, full: bool, bits: int = 8) -> Floats:
    """Values of 0..1 to numbers, by the formulas of the standards."""
    red, blue = WEIGHTS[matrix]
    y = rgb @ np.array([red, 1 - red - blue, blue])
    u, v = (rgb[..., 2] - y) / 2 / (1 - blue), (rgb[..., 0] - y) / 2 / (1 - red)
    if full:
        top = (1 << bits) - 1
        return np.stack([y * top, u * top + (top + 1) / 2, v * top + (top + 1) / 2], -1)
    scale = 1 << bits - 8
    planes = [y * 219 + 16, u * 224 + 128, v * 224 + 128]
    return np.stack(planes, -1) * scale


def to_rgb(i420: FrameArray, color: ColorSpace) -> Floats:
    """I420 to RGB of 0..255, by the formulas; chroma is repeated."""
    width, rows = i420.shape[1], i420.shape[0]
    height = rows * 2 // 3
    y = i420[:height].astype(float)
    chroma = i420[height:].reshape(2, height // 2, width // 2).astype(float)
    u, v = chroma.repeat(2, axis=1).repeat(2, axis=2) - 128
    if not color.full_range:
        y, u, v = (y - 16) * 255 / 219, u * 255 / 224, v * 255 / 224
    red, blue = WEIGHTS[color.matrix]
    r, b = y + 2 * (1 - red) * v, y + 2 * (1 - blue) * u
    g = (y - red * r - blue * b) / (1 - red - blue)
    return np.clip(np.stack([r, g, b], -1), 0, 255)


def yuv_frame(
    layout: str,
    matrix: str = "bt709",
    full: bool = False,
    tagged: bool = True,
    rgb: Floats | None = None,
) -> av.VideoFrame:
    """A picture of patches in any planar YUV layout, its numbers by the formulas."""
    rgb = patches() / 255 if rgb is None else rgb
    frame = av.VideoFrame(rgb.shape[1], rgb.shape[0], layout)
    bits = frame.format.components[0].bits
    numbers = np.rint(to_yuv(rgb, matrix, full, bits))
    for index, plane in enumerate(frame.planes):
        values = numbers[..., min(index, 2)]
        if index == 3:
            values = np.full(rgb.shape[:2], (1 << bits) - 1.0)
        step_y, step_x = rgb.shape[0] // plane.height, rgb.shape[1] // plane.width
        write_plane(frame, index, values[::step_y, ::step_x], bits)
    if tagged:
        frame.colorspace = TAGS[matrix]
        frame.color_range = 2 if full else 1
    return frame


def write_plane(
    frame: av.VideoFrame, index: int, values: npt.NDArray[np.generic], bits: int = 8
) -> None:
    kind = np.uint8 if bits == 8 else np.dtype("<u2")
    plane = frame.planes[index]
    rows = np.zeros((plane.height, plane.line_size), np.uint8)
    data = np.ascontiguousarray(values.astype(kind)).view(np.uint8)
    rows[:, : data.shape[1]] = data
    plane.update(rows.tobytes())


def convert(
    frame: av.VideoFrame, orientation: Orientation = UPRIGHT
) -> tuple[FrameArray, Floats, ColorSpace]:
    """The same picture as RGB, as RGB by way of I420, and what the I420 means."""
    size = orientation.stored_size((frame.width, frame.height))
    rgb = PictureConverter(orientation, size).picture(frame)
    converter = PlaneConverter(orientation, size)
    i420 = joined(converter.view(frame))
    color = converter.color(frame)
    return rgb, to_rgb(i420, color), color


def assert_colors(picture: npt.NDArray[np.generic], within: float = 4) -> None:
    np.testing.assert_allclose(patch_colors(picture), COLORS, atol=within)
