"""Small pictures of videos: the first one, and the key frames of an answer."""

from __future__ import annotations

import base64
import io
import logging
import secrets
from dataclasses import dataclass
from pathlib import Path

from PIL import Image, ImageOps

from render.boxes import DEFAULT_STYLE, BoxStyle, draw_box
from render.exports.frames import is_image
from render.scene import scaled_size
from render.timeline import key_frames, save_picture
from stablechat.errors import StableChatError
from stablechat.pictures import read_image
from stablechat.types import FrameArray, Grounding, TimeSpan, VideoInfo
from stablechat.video import frames_at, sample_frames

logger = logging.getLogger(__name__)

#: Key frames of one answer.
KEY_FRAMES = 6

#: Side of a picture to draw on.
_LOOK_PIXELS = 960

#: Twice the size on the page, for screens with small pixels.
_KEY_FRAME_PIXELS = 240


@dataclass(frozen=True)
class FrameFile:
    """A key frame on disk.

    Attributes:
        time_seconds: Its moment, on the video's clock.
        path: A JPEG.
    """

    time_seconds: float
    path: Path


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
    return picture_address(frame, width, height)


def picture_address(frame: FrameArray, width: int, height: int) -> str:
    """A picture as a ``data:`` address of a JPEG.

    Args:
        frame: uint8 ``(H, W, 3)``, RGB.
        width: It is made to fit into this many pixels,
        height: by this many, and keeps its shape.
    """
    data = io.BytesIO()
    picture = ImageOps.contain(Image.fromarray(frame), (width, height))
    picture.save(data, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(data.getvalue()).decode()


def write_key_frames(
    answer: Grounding, folder: Path, style: BoxStyle = DEFAULT_STYLE
) -> tuple[FrameFile, ...]:
    """Write the key frames of an answer that found something.

    Args:
        answer: Its video is read.
        folder: Where to; it exists.
        style: How the boxes look.

    Raises:
        RenderError: A picture can't be written.
        VideoError: The video can no longer be read.
    """
    files = []
    frames = key_frames(answer, count=KEY_FRAMES, side=_KEY_FRAME_PIXELS, style=style)
    for number, frame in enumerate(frames, 1):
        path = folder / f"frame_{number}.jpg"
        save_picture(path, frame.picture)
        files.append(FrameFile(frame.time_seconds, path))
    return tuple(files)


def write_boxed_picture(answer: Grounding, path: Path) -> None:
    """Write the one picture that an answer is about, with its box.

    Args:
        answer: About a still image, or a moment of a video; it has a box.
        path: A JPEG; its folder exists.

    Raises:
        RenderError: It can't be written.
        VideoError: The image or the video can no longer be read.
    """
    if answer.tube is None:
        raise ValueError("There is no box.")
    if is_image(answer):
        [picture] = read_image(answer.video.path).frames
    else:
        moments = answer.tube.times_seconds[:1]
        [picture] = frames_at(answer.video, moments.tolist()).frames
    box = answer.tube.xyxy[0]
    save_picture(path, draw_box(picture, box, answer.query, DEFAULT_STYLE))


def write_picture(video: VideoInfo, time_seconds: float, folder: Path) -> FrameFile:
    """Write the picture of one moment, without a box.

    Args:
        video: It is read.
        time_seconds: The moment.
        folder: Where to; it exists.

    Raises:
        RenderError: It can't be written.
        VideoError: The video can no longer be read.
    """
    size = scaled_size(video, _LOOK_PIXELS)
    [picture] = frames_at(video, [time_seconds], size=size).frames
    # A new name each time: browsers keep pictures by their address.
    path = folder / f"look_{secrets.token_hex(4)}.jpg"
    save_picture(path, picture)
    return FrameFile(time_seconds, path)
