"""Still images: what is too large is refused by its header."""

from __future__ import annotations

import struct
import zlib
from pathlib import Path

import pytest

from stablechat.errors import LimitError
from stablechat.pictures import is_image, read_image


def png_of(width: int, height: int) -> bytes:
    """The beginning of a PNG; its pixels would come later."""
    header = b"IHDR" + struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    checksum = struct.pack(">I", zlib.crc32(header))
    return b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + header + checksum


# Pillow itself refuses the larger ones.
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize("side", [10_001, 20_000, 2**31 - 1])
def test_a_huge_image_is_refused(tmp_path: Path, side: int) -> None:
    path = tmp_path / "huge.png"
    path.write_bytes(png_of(side, side) + struct.pack(">I4s", 0, b"IDAT"))
    assert is_image(path)
    with pytest.raises(LimitError, match=r"huge\.png has .*100 million"):
        read_image(path)
