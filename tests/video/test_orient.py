"""From the stored picture to the displayed one."""

from __future__ import annotations

import runpy
import struct
from enum import IntEnum
from fractions import Fraction

import av
import numpy as np
import pytest
from av.video.reformatter import Interpolation
from video_clips import turn_matrix

from stablechat.video import _convert
from stablechat.video.orient import (
    Orientation,
    PictureConverter,
    displayed_size,
    orientation_from_matrix,
    sane_sample_aspect,
)

UPRIGHT = np.arange(12, dtype=np.uint8).reshape(2, 2, 3)


def pack(matrix: list[int]) -> bytes:
    return struct.pack("=9i", *matrix)


@pytest.mark.parametrize("mirror", [False, True])
@pytest.mark.parametrize("clockwise", [0, 90, 180, 270])
def test_every_quarter_turn_is_read(clockwise: int, mirror: bool) -> None:
    found = orientation_from_matrix(pack(turn_matrix(clockwise, mirror)))
    assert found == Orientation(clockwise, mirror)


@pytest.mark.parametrize(
    ("matrix", "expected"),
    [
        ([0] * 9, Orientation()),  # a broken muxer
        ([46341, 46341, 0, -46341, 46341, 0, 0, 0, 1 << 30], None),  # 45 degrees
        ([65536, 0, 0, 30000, 65536, 0, 0, 0, 1 << 30], None),  # sheared
        ([131072, 0, 0, 0, 131072, 0, 0, 0, 1 << 30], Orientation()),  # only scaled
        ([65536, 0, 0, 0, -65536, 0, 0, 0, 1 << 30], Orientation(180, True)),  # vflip
    ],
)
def test_odd_matrices(matrix: list[int], expected: Orientation | None) -> None:
    assert orientation_from_matrix(pack(matrix)) == expected


def test_a_short_matrix_is_no_turn_we_know() -> None:
    assert orientation_from_matrix(b"\0" * 8) is None


def test_apply_turns_clockwise_then_mirrors() -> None:
    turned = Orientation(90).apply(UPRIGHT)
    # clockwise: the bottom left goes to the top left
    np.testing.assert_array_equal(turned[0, 0], UPRIGHT[1, 0])
    np.testing.assert_array_equal(turned[0, 1], UPRIGHT[0, 0])
    mirrored = Orientation(90, mirrored=True).apply(UPRIGHT)
    np.testing.assert_array_equal(mirrored[0, 1], UPRIGHT[1, 0])


@pytest.mark.parametrize(
    ("stored", "aspect", "rotation", "expected"),
    [
        ((240, 180), Fraction(4, 3), 0, (320, 180)),
        ((240, 180), Fraction(4, 3), 90, (180, 320)),  # the aspect turns as well
        ((854, 480), Fraction(1280, 1281), 0, (853, 480)),
        ((1, 50), Fraction(1, 8), 0, (1, 50)),  # never nothing
    ],
)
def test_displayed_size(
    stored: tuple[int, int],
    aspect: Fraction,
    rotation: int,
    expected: tuple[int, int],
) -> None:
    assert displayed_size(stored, aspect, Orientation(rotation)) == expected


def test_absurd_sample_aspects_are_refused() -> None:
    assert sane_sample_aspect(None) == 1
    assert sane_sample_aspect(Fraction(0)) == 1
    assert sane_sample_aspect(Fraction(12, 11)) == Fraction(12, 11)
    assert sane_sample_aspect(Fraction(1, 100)) is None
    assert sane_sample_aspect(Fraction(-1)) is None


def test_works_with_the_pyav_of_python_3_10(monkeypatch: pytest.MonkeyPatch) -> None:
    class Version17(IntEnum):
        BICUBIC = 4

    monkeypatch.setattr("av.video.reformatter.Interpolation", Version17)
    assert runpy.run_path(_convert.__file__)["FILTER"] == 4 | 0x40000


def test_the_filter_is_the_one_pyav_names() -> None:
    named = getattr(Interpolation, "ACCURATE_RND", None)
    if named is None:
        pytest.skip("PyAV has no name for it before version 18")
    assert _convert.FILTER == Interpolation.BICUBIC | named


def test_small_pictures_keep_their_brightness() -> None:
    """A reformatter that did not know the flags would fail or alias."""
    picture = np.zeros((96, 168, 3), np.uint8)
    picture[:, ::2] = 255  # stripes of one pixel
    frame = av.VideoFrame.from_ndarray(picture, "rgb24")
    small = PictureConverter(Orientation(), (21, 12)).picture(frame)
    assert np.all(np.abs(small[2:-2, 2:-2].astype(int) - 127) < 8)
