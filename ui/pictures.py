"""First pictures of videos, small enough to be written into the page."""

from __future__ import annotations

import base64
import io
import logging
from pathlib import Path

from PIL import Image, ImageOps

from stablechat.errors import StableChatError
from stablechat.types import TimeSpan
from stablechat.video import sample_frames

logger = logging.getLogger(__name__)


def first_picture(video: Path, width: int, height: int) -> str | None:
    """The first picture of a video, as a ``data:`` address of a JPEG.

    Args:
        video: The file.
        width: The picture fits into this many pixels,
        height: by this many, and keeps its shape.

    Returns:
        None when the video has no picture that can be read.
    """
    try:
        frame = sample_frames(video, 1, span=TimeSpan(0.0, 0.0)).frames[0]
    except StableChatError as error:
        logger.warning("There is no picture of %s: %s", video.name, error)
        return None
    data = io.BytesIO()
    picture = ImageOps.contain(Image.fromarray(frame), (width, height))
    picture.save(data, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(data.getvalue()).decode()
