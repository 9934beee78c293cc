"""Colours: patches of every kind of pixel come out as what a person would see."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest
from color_patches import (
    COLORS,
    PATCH,
    UPRIGHT,
    assert_colors,
    convert,
    patch_colors,
    patches,
    to_rgb,
    write_plane,
    yuv_frame,
)

from stablechat.types import FrameArray
from stablechat.video._planes import PlaneConverter, joined
from stablechat.video.color import SDR
from stablechat.video.orient import Orientation, PictureConverter


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("matrix", ["bt601", "bt709"])
@pytest.mark.parametrize(
    "layout",
    [
        "yuv420p",
        "yuv422p",
        "yuv444p",
        "yuv420p10le",
        "yuv422p10le",
        "yuv444p12le",
        "yuva420p",
        "yuva444p10le",
    ],
)
def test_every_layout_of_yuv(layout: str, matrix: str, full: bool) -> None:
    rgb, by_yuv, color = convert(yuv_frame(layout, matrix, full))
    assert_colors(rgb)
    assert_colors(by_yuv)
    assert not color.full_range  # players take H.264 for limited
    assert color.matrix == matrix


@pytest.mark.parametrize("layout", ["rgb24", "bgra", "gbrp", "rgb48le", "rgb0"])
def test_rgb(layout: str) -> None:
    whole = np.full((PATCH, PATCH * len(COLORS), 4), 255, np.uint8)
    whole[..., :3] = patches()
    frame = av.VideoFrame.from_ndarray(whole, "rgba").reformat(format=layout)
    rgb, by_yuv, color = convert(frame)
    assert_colors(rgb, 1)
    assert_colors(by_yuv)
    assert color == SDR


def test_a_palette() -> None:
    frame = av.VideoFrame(PATCH * len(COLORS), PATCH, "pal8")
    indices = np.tile(np.repeat(np.arange(len(COLORS)), PATCH), (PATCH, 1))
    write_plane(frame, 0, indices)
    argb = np.zeros((256, 4), np.uint8)
    argb[: len(COLORS), :3] = COLORS[:, ::-1]  # little-endian numbers: B, G, R, A
    argb[: len(COLORS), 3] = 255
    frame.planes[1].update(argb.tobytes())
    rgb, by_yuv, _ = convert(frame)
    assert_colors(rgb, 1)
    assert_colors(by_yuv)


@pytest.mark.parametrize("full", [False, True])
@pytest.mark.parametrize("layout", ["gray", "gray10le", "gray12le"])
def test_gray_is_neither_washed_out_nor_too_dark(layout: str, full: bool) -> None:
    levels = np.array([0, 16, 64, 128, 235, 255]).repeat(3).reshape(-1, 3) / 255
    frame = yuv_frame(layout, full=full, rgb=patches(levels))
    rgb, by_yuv, _ = convert(frame)
    for picture in (rgb, by_yuv):
        np.testing.assert_allclose(patch_colors(picture), levels * 255, atol=2)


@pytest.mark.parametrize("layout", ["rgba", "yuva444p", "yuva420p10le"])
def test_what_is_transparent_is_put_on_black(layout: str) -> None:
    rgba = np.full((32, 96, 4), (250, 120, 20, 255), np.uint8)
    rgba[:, 32:64, 3] = 128
    rgba[:, 64:, 3] = 0
    frame = av.VideoFrame.from_ndarray(rgba, "rgba").reformat(format=layout)
    expected = [(250, 120, 20), (125, 60, 10), (0, 0, 0)]
    rgb, by_yuv, _ = convert(frame)
    for picture in (rgb, by_yuv):
        np.testing.assert_allclose(patch_colors(picture), expected, atol=4)


@pytest.mark.parametrize(
    ("size", "matrix"),
    [
        ((640, 480), "bt601"),
        ((720, 576), "bt601"),
        ((1024, 578), "bt709"),
        ((1280, 64), "bt709"),
        ((360, 1280), "bt709"),  # a phone held upright
    ],
)
def test_untagged_yuv_is_taken_as_players_take_it(
    size: tuple[int, int], matrix: str
) -> None:
    rgb = np.broadcast_to(np.array([200, 30, 30]) / 255, (size[1], size[0], 3))
    frame = yuv_frame("yuv420p", matrix, tagged=False, rgb=rgb)
    picture, _, color = convert(frame)
    middle = picture[size[1] // 2, size[0] // 2]
    np.testing.assert_allclose(middle, (200, 30, 30), atol=3)
    assert color.matrix == matrix and not color.full_range


@pytest.mark.parametrize("tag", [0, 3, 8, 11, 14, 15])
def test_a_matrix_that_swscale_refuses_is_none(tag: int) -> None:
    frame = yuv_frame("yuv420p", "bt601", tagged=False)
    frame.colorspace, frame.color_primaries, frame.color_trc = tag, 3, 3
    rgb, _, color = convert(frame)
    assert_colors(rgb)
    assert color.matrix == "bt601"


def test_other_matrices_become_bt709() -> None:
    frame = yuv_frame("yuv420p", "bt2020")  # of ordinary primaries
    frame.color_primaries = 1
    rgb, by_yuv, color = convert(frame)
    assert_colors(rgb)
    assert_colors(by_yuv)
    assert color == SDR


def noise(width: int, height: int, layout: str = "yuv420p") -> av.VideoFrame:
    frame = av.VideoFrame(width, height, layout)
    random = np.random.default_rng(0)
    for index, plane in enumerate(frame.planes):
        row = plane.width * (2 if layout == "nv12" and index else 1)
        write_plane(frame, index, random.integers(16, 235, (plane.height, row)))
    return frame


def own_planes(frame: av.VideoFrame) -> list[FrameArray]:
    planes = []
    for plane in frame.planes:
        rows = np.frombuffer(bytes(plane), np.uint8).reshape(plane.height, -1)
        planes.append(rows[:, : plane.width])
    return planes


def split(i420: FrameArray) -> list[FrameArray]:
    """Y, U and V of an I420 array, by way of its rows."""
    height = i420.shape[0] * 2 // 3
    half = (2, height // 2, i420.shape[1] // 2)
    return [i420[:height], *i420[height:].reshape(half)]


ALL_TURNS = [Orientation(r, m) for r in (0, 90, 180, 270) for m in (False, True)]


@pytest.mark.parametrize("orientation", ALL_TURNS, ids=str)
@pytest.mark.parametrize("size", [(64, 48), (70, 34), (200, 130)])
def test_planes_of_the_usual_kind_are_not_touched(
    orientation: Orientation, size: tuple[int, int]
) -> None:
    frame = noise(*size)
    converter = PlaneConverter(orientation, orientation.stored_size(size))
    i420 = joined(converter.view(frame))
    assert i420.flags.c_contiguous and i420.flags.writeable and i420.flags.owndata
    for plane, stored in zip(split(i420), own_planes(frame), strict=True):
        np.testing.assert_array_equal(plane, orientation.apply(stored))


def test_its_relative_is_not_touched_either() -> None:
    frame = noise(70, 34, "nv12")
    converter = PlaneConverter(UPRIGHT, (70, 34))
    i420 = joined(converter.view(frame))
    np.testing.assert_array_equal(i420[:34], own_planes(frame)[0])
    rows = np.frombuffer(bytes(frame.planes[1]), np.uint8).reshape(17, -1)[:, :70]
    np.testing.assert_array_equal(split(i420)[1], rows[:, 0::2])
    np.testing.assert_array_equal(split(i420)[2], rows[:, 1::2])


@pytest.mark.parametrize("size", [(33, 20), (32, 21), (33, 21), (1, 1), (3, 1)])
def test_odd_sides_repeat_their_last_pixel(size: tuple[int, int]) -> None:
    frame = noise(*size)
    i420 = joined(PlaneConverter(UPRIGHT, size).view(frame))
    stored = own_planes(frame)
    y, u, v = split(i420)
    even = tuple((0, side % 2) for side in size[::-1])
    np.testing.assert_array_equal(y, np.pad(stored[0], even, "edge"))
    np.testing.assert_array_equal(u, stored[1])
    np.testing.assert_array_equal(v, stored[2])


@pytest.mark.parametrize("orientation", ALL_TURNS, ids=str)
@pytest.mark.parametrize("size", [(129, 16), (128, 17), (127, 15)])
def test_odd_sides_that_are_turned_keep_colour_on_its_shape(
    orientation: Orientation, size: tuple[int, int]
) -> None:
    """Chroma counted from the wrong end would be two pixels off the luma."""
    rgb = np.zeros((size[1], size[0], 3))
    rgb[..., 2] = 0.8
    rgb[:, 64:] = (0.8, 0.1, 0.1)
    whole = yuv_frame("yuv444p", "bt601", rgb=rgb)
    frame = whole.reformat(format="yuv420p")
    shown, by_yuv, _ = convert(frame, orientation)
    height, width = shown.shape[:2]
    assert by_yuv.shape == (height + height % 2, width + width % 2, 3)
    expected = orientation.apply(np.rint(rgb * 255).astype(np.uint8)).astype(int)
    wrong = np.abs(by_yuv[:height, :width] - expected).max(axis=2) > 60
    assert np.count_nonzero(wrong) <= 2 * min(size)  # a column on each side


@pytest.mark.parametrize("layout", ["yuv420p", "yuv420p10le", "rgb24", "yuva420p"])
def test_scaled(layout: str) -> None:
    if layout == "rgb24":
        frame = av.VideoFrame.from_ndarray(patches().astype(np.uint8), layout)
    else:
        frame = yuv_frame(layout, "bt601")
    size = frame.width * 3 + 1, frame.height * 3
    converter = PlaneConverter(UPRIGHT, size)
    i420 = joined(converter.view(frame))
    assert i420.shape == (size[1] * 3 // 2, size[0] + 1)
    assert_colors(to_rgb(i420, converter.color(frame)))


def test_a_change_in_mid_stream_does_not_change_the_meaning() -> None:
    converter = PlaneConverter(UPRIGHT, (PATCH * len(COLORS), PATCH))
    first = converter.color(yuv_frame("yuv420p", "bt601"))
    for frame in (
        yuv_frame("yuv420p", "bt709"),
        yuv_frame("yuv420p", "bt601", full=True),
        yuv_frame("yuv444p10le", "bt709"),
    ):
        assert_colors(to_rgb(joined(converter.view(frame)), first))
        assert converter.color(frame) == first


def interlaced_frame(path: Path, size: tuple[int, int]) -> av.VideoFrame:
    """The patches, as a decoder gives them that found fields."""
    rgb = np.zeros((size[1], size[0], 3), np.uint8)
    rgb[:] = np.repeat(COLORS, PATCH, axis=0)[None, : size[0]]
    with av.open(str(path), "w") as container:
        options = {"flags": "+ildct+ilme", "crf": "1"}
        stream = container.add_stream("libx264", rate=25, options=options)
        stream.width, stream.height, stream.pix_fmt = *size, "yuv420p"
        container.mux(stream.encode(av.VideoFrame.from_ndarray(rgb, "rgb24")))
        container.mux(stream.encode(None))
    with av.open(str(path)) as container:
        return next(container.decode(video=0))


@pytest.mark.parametrize("height", [32, 36])
@pytest.mark.parametrize("scale", [(1, 1), (2, 2), (1, 0.5)], ids=str)
def test_interlaced_pictures(
    tmp_path: Path, height: int, scale: tuple[int, float]
) -> None:
    width = PATCH * len(COLORS)
    frame = interlaced_frame(tmp_path / "x.mkv", (width, height))
    assert frame.interlaced_frame
    size = width * scale[0], int(height * scale[1])
    rgb = PictureConverter(UPRIGHT, size).picture(frame)
    converter = PlaneConverter(UPRIGHT, size)
    by_yuv = to_rgb(joined(converter.view(frame)), converter.color(frame))
    for picture in (rgb, by_yuv):
        middles = picture[size[1] // 2, PATCH * scale[0] // 2 :: PATCH * scale[0]]
        np.testing.assert_allclose(middles, COLORS, atol=6)
