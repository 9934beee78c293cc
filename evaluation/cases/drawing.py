"""A contact sheet and a video of a case."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable, Iterator
from fractions import Fraction
from pathlib import Path

import av
import numpy as np

from evaluation.cases.scene import CaseScene
from render.labels import ColorRGB, paste, render_label
from render.timeline import format_time
from stablechat.errors import RenderError
from stablechat.types import FrameArray

_BACKGROUND: ColorRGB = (24, 26, 32)
_GAP = 6
_TITLE_SIZE = 15
_TITLE_HEIGHT = 30

SHEET_COLUMNS = 4
SHEET_ROWS = 2
SHEET_TILE_SIDE = 176

_VIDEO_SIDE = 480
_NARROWEST_VIDEO = 320
_VIDEO_FPS = 12
_MOST_PICTURES = 360
#: Pictures that are in memory at once.
_PICTURES_AT_ONCE = 48
_VIDEO_OPTIONS = {"crf": "27", "preset": "veryfast"}


def contact_sheet(scene: CaseScene) -> FrameArray:
    """Key frames of truth and answer together, with their bars.

    Returns:
        uint8 ``(H, W, 3)``.

    Raises:
        VideoError: The video can't be read.
    """
    event = scene.event
    count = SHEET_COLUMNS * SHEET_ROWS
    times = np.linspace(event.start_seconds, event.end_seconds, count).tolist()
    tiles = scene.pictures(times, SHEET_TILE_SIDE)
    for tile, time in zip(tiles, times, strict=True):
        _stamp(tile, format_time(time))
    height, width = tiles.shape[1:3]
    whole_width = SHEET_COLUMNS * (width + _GAP) + _GAP
    sheet = _blank(SHEET_ROWS * (height + _GAP) + _GAP, whole_width)
    for number, tile in enumerate(tiles):
        row, column = divmod(number, SHEET_COLUMNS)
        y, x = _GAP + row * (height + _GAP), _GAP + column * (width + _GAP)
        sheet[y : y + height, x : x + width] = tile
    parts = [_title(scene, whole_width), sheet, scene.bars(whole_width).picture()]
    return np.vstack(parts)


def write_video(scene: CaseScene, path: Path) -> None:
    """The whole clip with both boxes, above their bars and a mark that runs.

    Args:
        scene: The case.
        path: The MP4 file; an older one is replaced.

    Raises:
        VideoError: The video can't be read.
        RenderError: The file can't be written.
    """
    clip = scene.clip
    length = max(clip.duration_seconds, 1 / _VIDEO_FPS)
    count = max(2, min(round(length * _VIDEO_FPS), _MOST_PICTURES))
    times = np.linspace(clip.start_seconds, clip.end_seconds, count).tolist()
    rate = Fraction(count / length).limit_denominator(1000)
    temporary = path.with_name(f".{secrets.token_hex(8)}{path.suffix}")
    try:
        _encode(temporary, _frames(scene, times), rate)
        os.replace(temporary, path)
    except (OSError, av.FFmpegError) as error:
        reason = getattr(error, "strerror", None) or error
        raise RenderError(f"{path.name} can't be written: {reason}.") from error
    finally:
        temporary.unlink(missing_ok=True)


def _frames(scene: CaseScene, times: list[float]) -> Iterator[FrameArray]:
    bars = None
    for start in range(0, len(times), _PICTURES_AT_ONCE):
        some = times[start : start + _PICTURES_AT_ONCE]
        for time, picture in zip(some, scene.pictures(some, _VIDEO_SIDE), strict=True):
            picture = _widened(picture)
            if bars is None:
                bars = scene.bars(picture.shape[1])
                title = _title(scene, picture.shape[1])
            yield np.vstack([title, picture, bars.picture(time)])


def _widened(picture: FrameArray) -> FrameArray:
    """A narrow picture between dark edges, so that the bars have room."""
    height, width = picture.shape[:2]
    if width >= _NARROWEST_VIDEO:
        return picture
    wide = _blank(height, _NARROWEST_VIDEO)
    left = (_NARROWEST_VIDEO - width) // 2
    wide[:, left : left + width] = picture
    return wide


def _encode(path: Path, frames: Iterable[FrameArray], rate: Fraction) -> None:
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        stream = container.add_stream("libx264", rate=rate, options=_VIDEO_OPTIONS)
        stream.pix_fmt = "yuv420p"
        for number, picture in enumerate(frames):
            if number == 0:
                stream.height, stream.width = picture.shape[:2]
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def _title(scene: CaseScene, width: int) -> FrameArray:
    """The question, and what went wrong."""
    case = scene.case
    band = _blank(_TITLE_HEIGHT, width)
    tags = ", ".join(case.tags) or "no fault"
    text = f"{case.row.query}  ({tags})"
    label = render_label(text, _TITLE_SIZE, width - 2 * _GAP, _BACKGROUND)
    if label is not None and label.height <= _TITLE_HEIGHT:
        paste(band, label, _GAP, (_TITLE_HEIGHT - label.height) // 2)
    return band


def _stamp(tile: FrameArray, text: str) -> None:
    label = render_label(text, _TITLE_SIZE - 3, tile.shape[1] - 4, _BACKGROUND)
    if label is not None and label.height + 4 <= tile.shape[0]:
        paste(tile, label, 3, tile.shape[0] - 3 - label.height)


def _blank(height: int, width: int) -> FrameArray:
    blank: FrameArray = np.empty((height, width, 3), np.uint8)
    blank[:] = _BACKGROUND
    return blank
