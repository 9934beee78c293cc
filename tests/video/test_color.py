"""Colours: patches of every kind of pixel come out as what a person would see."""

from __future__ import annotations

import av
import numpy as np
import numpy.typing as npt
import pytest

from stablechat.types import FrameArray
from stablechat.video._planes import PlaneConverter, joined
from stablechat.video.color import SDR, ColorSpace
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
    as_is = layout == "yuv420p"
    assert color.full_range == (full and as_is)  # converted is always limited
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


@pytest.mark.parametrize("layout", ["yuvj420p", "nv12"])
def test_its_relatives_are_not_touched_either(layout: str) -> None:
    frame = noise(70, 34, layout)
    converter = PlaneConverter(UPRIGHT, (70, 34))
    i420 = joined(converter.view(frame))
    assert converter.color(frame).full_range == (layout == "yuvj420p")
    np.testing.assert_array_equal(i420[:34], own_planes(frame)[0])
    if layout == "nv12":
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


def pq(nits: Floats) -> Floats:
    """Light of 0..10000 to signals of 0..1 (SMPTE ST 2084)."""
    light = (nits / 10_000) ** 0.1593017578125
    return ((0.8359375 + 18.8515625 * light) / (1 + 18.6875 * light)) ** 78.84375


def hlg(scene: Floats) -> Floats:
    """Light of 0..1 to signals of 0..1 (ARIB STD-B67)."""
    bright = 0.17883277 * np.log(np.maximum(12 * scene - 0.28466892, 1e-9)) + 0.55991073
    return np.where(scene <= 1 / 12, np.sqrt(3 * scene), bright)


def hdr_frame(
    light: Floats, transfer: int, primaries: int = 9, layout: str = "yuv420p10le"
) -> av.VideoFrame:
    """Patches of light, in nits for PQ and of the scene for HLG."""
    signal = pq(light) if transfer == PQ else hlg(light)
    frame = yuv_frame(layout, "bt2020", rgb=patches(signal))
    frame.color_trc, frame.color_primaries = transfer, primaries
    return frame


PQ, HLG = 16, 18
TO_BT2020 = np.array(
    [[0.6274, 0.3293, 0.0433], [0.0691, 0.9195, 0.0114], [0.0164, 0.0880, 0.8956]]
)


@pytest.mark.parametrize("transfer", [PQ, HLG])
def test_hdr_grays_fill_the_range_of_the_screen(transfer: int) -> None:
    """Shown as they are, PQ would be gray and HLG too light in the middle."""
    light = np.array([0, 10, 100, 203, 400, 10_000.0])
    if transfer == HLG:
        light = np.array([0, 0.01, 0.1, 0.2646, 0.5, 1.0])
    rgb, by_yuv, color = convert(hdr_frame(light.repeat(3).reshape(-1, 3), transfer))
    assert color == SDR
    for picture in (rgb, by_yuv):
        shown = patch_colors(picture)
        assert np.ptp(shown, axis=1).max() <= 3  # still gray
        assert np.all(np.diff(shown[:, 0]) > 2)  # bent and not clipped
        assert shown[0, 0] <= 1 and shown[-1, 0] >= 250
        assert 215 <= shown[3, 0] <= 240  # a white sheet of paper


@pytest.mark.parametrize("layout", ["yuv420p10le", "yuv444p12le", "gbrp16le"])
def test_hdr_below_the_knee_is_not_changed(layout: str) -> None:
    nits = 90  # of 203 for white
    linear = (COLORS / 255) ** 2.4 @ TO_BT2020.T * nits
    frame = hdr_frame(linear.clip(0, None), PQ)
    if layout == "gbrp16le":
        tags = frame.color_trc, frame.color_primaries
        frame = frame.reformat(format=layout, src_colorspace=9, src_color_range=1)
        frame.color_trc, frame.color_primaries = tags
    rgb, by_yuv, _ = convert(frame)
    expected = COLORS * (nits / 203) ** (1 / 2.4)
    for picture in (rgb, by_yuv):
        np.testing.assert_allclose(patch_colors(picture), expected, atol=10)


@pytest.mark.parametrize("layout", ["yuv420p", "yuv420p10le"])
def test_bt2020_of_ordinary_light_becomes_bt709(layout: str) -> None:
    wide = ((COLORS / 255) ** 2.4 @ TO_BT2020.T).clip(0, 1) ** (1 / 2.4)
    frame = yuv_frame(layout, "bt2020", rgb=patches(wide))
    frame.color_primaries, frame.color_trc = 9, 14
    rgb, by_yuv, color = convert(frame)
    assert color == SDR
    assert_colors(rgb, 5)
    assert_colors(by_yuv, 5)


def test_colours_that_no_screen_has_keep_their_hue() -> None:
    pure = np.eye(3)
    frame = yuv_frame("yuv420p10le", "bt2020", rgb=patches(pure))
    frame.color_primaries, frame.color_trc = 9, 14
    rgb, _, _ = convert(frame)
    shown = patch_colors(rgb)
    assert shown.argmax(axis=1).tolist() == [0, 1, 2]
    assert np.all(np.diag(shown) >= 190)


def test_pictures_may_come_in_any_order_of_time() -> None:
    converter = PictureConverter(UPRIGHT, (PATCH * 2, PATCH))
    for pts, nits in ((5, 10), (None, 1000), (-3, 10), (2, 1000)):
        frame = hdr_frame(np.array([[nits] * 3, [0] * 3]), PQ)
        frame.pts = pts
        shown = converter.view(frame)[PATCH // 2, PATCH // 2, 0]
        assert (shown > 200) == (nits == 1000)
        assert frame.pts == pts and frame.color_trc == PQ


@pytest.mark.parametrize(("transfer", "primaries"), [(PQ, 1), (PQ, 3), (HLG, 22)])
def test_tags_that_lie_do_no_harm(transfer: int, primaries: int) -> None:
    light = np.array([0, 0.05, 0.3]).repeat(3).reshape(-1, 3)
    frame = hdr_frame(light, transfer, primaries, "yuv420p")
    rgb, _, _ = convert(frame)
    assert np.ptp(patch_colors(rgb), axis=1).max() <= 4


def test_hdr_is_scaled_and_turned() -> None:
    light = np.array([0, 100, 10_000.0]).repeat(3).reshape(-1, 3)
    frame = hdr_frame(light, PQ)
    picture = PictureConverter(Orientation(90), (PATCH // 2, 25)).picture(frame)
    assert picture.shape == (25, PATCH // 2, 3)
    assert picture[2].max() <= 3 and picture[-3].min() >= 250
