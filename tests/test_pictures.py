"""Still images: decoded right way up, in a child process, within limits."""

from __future__ import annotations

import struct
import sys
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from stablechat import pictures
from stablechat.errors import CancelledError, LimitError, VideoError
from stablechat.pictures import is_image, read_image
from stablechat.video import VideoLimits, default_limits
from stablechat.video.isolation import Message

FOUR = np.array([[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [255, 255, 0]]], np.uint8)


def large(folder: Path, name: str = "x.png", **options: object) -> Path:
    """A quarter each of red, green, blue and yellow, 24x16."""
    picture = Image.fromarray(FOUR.repeat(8, 0).repeat(12, 1))
    picture.save(folder / name, **options)  # type: ignore[arg-type]
    return folder / name


def png_of(width: int, height: int) -> bytes:
    """The beginning of a PNG; its pixels would come later."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    checksum = struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + checksum


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "bmp"])
def test_each_format_is_read(tmp_path: Path, ending: str) -> None:
    path = large(tmp_path, f"x.{ending}")
    assert is_image(path)
    sample = read_image(path)
    assert sample.frames.shape == (1, 16, 24, 3) and sample.frames.flags.writeable
    assert (sample.video.width, sample.video.height) == (24, 16)
    assert (sample.video.container, sample.video.num_frames) == ("image", 1)
    assert sample.video.codec == {"jpg": "jpeg"}.get(ending, ending)
    assert sample.video.size_bytes == path.stat().st_size
    corners = sample.frames[0, [2, 2, -3, -3], [2, -3, 2, -3]].astype(int)
    assert np.abs(corners - FOUR.reshape(4, 3)).max() < 40


def test_a_photo_is_turned_upright(tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # to be turned clockwise
    sample = read_image(large(tmp_path, exif=exif))
    assert sample.frames.shape == (1, 24, 16, 3)
    assert sample.frames[0, 0, 0].tolist() == [0, 0, 255]
    assert sample.frames[0, 0, -1].tolist() == [255, 0, 0]


def test_what_is_transparent_is_black(tmp_path: Path) -> None:
    rgba = np.full((4, 4, 4), 200, np.uint8)
    rgba[:2, :, 3], rgba[2:, :, 3] = 0, 255
    Image.fromarray(rgba).save(tmp_path / "x.png")
    picture = read_image(tmp_path / "x.png").frames[0]
    assert picture[:2].max() == 0 and picture[2:].min() == 200
    palette = Image.new("P", (4, 4))
    palette.putdata([0, 1] * 8)
    palette.putpalette([255, 0, 0, 0, 255, 0])
    palette.save(tmp_path / "p.png", transparency=0)
    picture = read_image(tmp_path / "p.png").frames[0]
    assert picture[0, :2].tolist() == [[0, 0, 0], [0, 255, 0]]


def test_gray_of_16_bits_keeps_its_shades(tmp_path: Path) -> None:
    gray = np.array([[0, 0x4000], [0x8000, 0xFFFF]], np.uint16)
    Image.fromarray(gray).save(tmp_path / "x.png")
    assert read_image(tmp_path / "x.png").frames[0, ..., 1].tolist() == [
        [0, 0x40],
        [0x80, 0xFF],
    ]


@pytest.mark.parametrize("side", [10_001, 20_000, 2**31 - 1])
def test_a_huge_image_is_refused_by_its_header(tmp_path: Path, side: int) -> None:
    path = tmp_path / "huge.png"
    path.write_bytes(png_of(side, side) + struct.pack(">I4s", 0, b"IDAT"))
    assert is_image(path)
    with pytest.raises(LimitError, match=r"huge\.png has .* the limit is 100,000,000"):
        read_image(path)


def test_limits_hold_for_images(tmp_path: Path) -> None:
    path = large(tmp_path)
    with pytest.raises(LimitError, match="24x16 pixels and the limit is 383 pixels"):
        read_image(path, VideoLimits(max_image_pixels=383))
    with pytest.raises(LimitError, match="cut or compress"):
        read_image(path, VideoLimits(max_bytes=10))
    with pytest.raises(CancelledError):
        read_image(path, cancelled=lambda: True)
    assert read_image(path, VideoLimits(max_image_pixels=384)).video.width == 24


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux bounds memory")
def test_memory_is_bounded(tmp_path: Path) -> None:
    path = tmp_path / "x.png"
    Image.new("L", (9000, 9000)).save(path)  # a few kilobytes; 243 MB of RGB
    limits = replace(default_limits(), max_memory_bytes=350 << 20)
    with pytest.raises(LimitError, match="memory"):
        read_image(path, limits)


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "bmp"])
def test_a_broken_image_is_one_line(tmp_path: Path, ending: str) -> None:
    path = large(tmp_path, f"x.{ending}")
    path.write_bytes(path.read_bytes()[:40])
    with pytest.raises(VideoError, match=rf"^x\.{ending} is not an image that can"):
        read_image(path)


def test_it_is_decoded_in_another_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = large(tmp_path)
    monkeypatch.setattr(Image, "open", lambda *_, **__: pytest.fail("opened here"))
    assert read_image(path).video.width == 24


@pytest.mark.parametrize(
    "answer",
    [
        Message({"codec": "png"}),
        Message({"codec": "elf"}, [np.zeros((2, 2, 3), np.uint8)]),
        Message({}, [np.zeros((2, 2, 3), np.uint8)]),
        Message({"codec": "png"}, [np.zeros((2, 2, 4), np.uint8)]),
        Message({"codec": "png"}, [np.zeros((2, 0, 3), np.uint8)]),
        Message({"codec": "png"}, [np.zeros((2, 2, 3), np.int64)]),
    ],
)
def test_a_child_that_lies_is_not_believed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, answer: Message
) -> None:
    path = large(tmp_path)
    monkeypatch.setattr(pictures, "run_in_child", lambda *_, **__: answer)
    with pytest.raises(VideoError, match="is not an image that can be read"):
        read_image(path)
