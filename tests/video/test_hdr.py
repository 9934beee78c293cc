"""High dynamic range and wide gamut, shown on an ordinary screen."""

from __future__ import annotations

import av
import numpy as np
import pytest
from color_patches import (
    COLORS,
    PATCH,
    UPRIGHT,
    Floats,
    assert_colors,
    convert,
    patch_colors,
    patches,
    yuv_frame,
)

from stablechat.video.color import SDR
from stablechat.video.orient import Orientation, PictureConverter


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
