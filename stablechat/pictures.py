"""Still images, for questions about one picture."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from stablechat.errors import LimitError, VideoError
from stablechat.types import FrameSample, VideoInfo

#: Formats that Pillow decodes by itself, without other programs.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP")
MAX_PIXELS = 100_000_000

_HEADS = (b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"BM")


def is_image(path: Path) -> bool:
    """Whether a file starts like a still image."""
    # A named pipe would block for ever.
    if not os.path.isfile(path):
        return False
    try:
        with path.open("rb") as file:
            head = file.read(16)
    except OSError:
        return False
    is_webp = head[:4] == b"RIFF" and head[8:12] == b"WEBP"
    return is_webp or head.startswith(_HEADS)


def read_image(path: Path) -> FrameSample:
    """A still image as a video of one frame that lasts a second.

    Args:
        path: A PNG, JPEG, WebP or BMP file.

    Raises:
        VideoError: It can't be decoded.
        LimitError: It is too large.
    """
    try:
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > MAX_PIXELS:
                raise LimitError(
                    f"{path.name} has {image.width}x{image.height} pixels; the limit "
                    f"is {MAX_PIXELS // 10**6} million."
                )
            codec = (image.format or "image").lower()
            upright = ImageOps.exif_transpose(image)
            pixels = np.asarray(upright.convert("RGB"))
    except Image.DecompressionBombError as error:
        raise LimitError(
            f"{path.name} has too many pixels; the limit is {MAX_PIXELS // 10**6} "
            "million."
        ) from error
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise VideoError(f"{path.name} is not an image that can be read.") from error
    info = VideoInfo(
        path=path,
        width=pixels.shape[1],
        height=pixels.shape[0],
        rotation=0,
        fps=Fraction(1),
        num_frames=1,
        duration_seconds=1.0,
        start_seconds=0.0,
        has_audio=False,
        codec=codec,
        container="image",
    )
    return FrameSample(info, pixels[None], np.zeros(1, np.int64), np.zeros(1))
