"""Still images, for questions about one picture."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from stablechat.errors import LimitError, VideoError
from stablechat.types import FrameArray, FrameSample, VideoInfo
from stablechat.video import VideoLimits, check_file, default_limits, printable_name
from stablechat.video.isolation import Cancelled, Channel, Message, run_in_child

#: Formats that Pillow decodes by itself, without other programs.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP")

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


def read_image(
    path: Path,
    limits: VideoLimits | None = None,
    *,
    cancelled: Cancelled | None = None,
) -> FrameSample:
    """A still image as a video of one frame that lasts a second.

    It is decoded in a process of its own, as videos are. What may be transparent is
    put on black.

    Args:
        path: A PNG, JPEG, WebP or BMP file.
        limits: What to refuse; None for this process's limits.
        cancelled: Asked often; True stops.

    Raises:
        VideoError: It can't be decoded.
        LimitError: It is too large, or takes too long or too much memory.
        CancelledError: ``cancelled`` said so.
    """
    limits = limits or default_limits()
    status, name = check_file(path, limits), printable_name(path)
    request = {"task": "picture", "path": os.path.abspath(path)}
    answer = run_in_child(
        __name__,
        Message({**request, "limits": limits.as_dict()}),
        subject=name,
        limits=limits.child,
        cancelled=cancelled,
    )
    pixels, codec = _checked(answer, name, limits)
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
        size_bytes=status.st_size,
    )
    return FrameSample(info, pixels[None], np.zeros(1, np.int64), np.zeros(1))


def _checked(answer: Message, name: str, limits: VideoLimits) -> tuple[FrameArray, str]:
    """The picture and its format, if that is what the child sent."""
    match answer.data.get("codec"), list(answer.arrays):
        case str(codec), [pixels] if (
            codec.upper() in FORMATS
            and pixels.dtype == np.uint8
            and pixels.ndim == 3
            and pixels.shape[2] == 3
            and 0 < pixels.shape[0] * pixels.shape[1] <= limits.max_image_pixels
        ):
            return pixels.astype(np.uint8, copy=False), codec
    raise _unreadable(name)


def _unreadable(name: str) -> VideoError:
    return VideoError(
        "{name} is not an image that can be read; give a PNG, JPEG, WebP or BMP file.",
        name=name,
    )


def _decode(request: Message, channel: Channel) -> Message:
    """In the child: decode the image, right way up."""
    path, limits = Path(request.data["path"]), VideoLimits(**request.data["limits"])
    name = printable_name(path)
    Image.MAX_IMAGE_PIXELS = None  # the limit is ours
    try:
        with Image.open(path, formats=FORMATS) as image:
            if image.width * image.height > limits.max_image_pixels:
                raise LimitError(
                    "{name} has {width}x{height} pixels and the limit is "
                    "{max_image_pixels:,} pixels; scale it down first.",
                    name=name,
                    width=image.width,
                    height=image.height,
                    max_image_pixels=limits.max_image_pixels,
                )
            codec = (image.format or "image").lower()
            pixels = np.asarray(_on_black(ImageOps.exif_transpose(image)))
    except (UnidentifiedImageError, OSError, ValueError, SyntaxError) as error:
        raise _unreadable(name) from error
    return Message({"codec": codec}, [pixels])


def _on_black(image: Image.Image) -> Image.Image:
    """The same in RGB."""
    if image.mode.startswith("I"):  # gray of 16 bits, which Pillow would clip
        return Image.fromarray((np.asarray(image) >> 8).astype(np.uint8)).convert("RGB")
    if not image.has_transparency_data:
        return image.convert("RGB")
    rgba = image.convert("RGBA")
    black = Image.new("RGBA", rgba.size, (0, 0, 0, 255))
    return Image.alpha_composite(black, rgba).convert("RGB")


TASKS = {"picture": _decode}
