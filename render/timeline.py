"""Still pictures of an answer: key frames on one sheet, and the span on a time line."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from PIL import Image, ImageDraw

from render.boxes import DEFAULT_STYLE, BoxStyle, draw_box
from render.labels import ColorRGB, choose_font, paste, render_label
from render.output import written_whole
from render.scene import scaled_size
from stablechat.errors import InputError, RenderError
from stablechat.grounding import shown_span
from stablechat.types import FloatArray, FrameArray, Grounding, TimeSpan
from stablechat.video import frames_at

_BACKGROUND: ColorRGB = (24, 26, 32)
_TRACK: ColorRGB = (62, 66, 78)
_TEXT: ColorRGB = (214, 218, 226)
_PILL: ColorRGB = (24, 26, 32)

_SUPERSAMPLING = 4

#: Steps between the marks of a time line, in seconds; the first that leaves room wins.
_TICK_STEPS = (0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600)

_ENDINGS = (".png", ".jpg", ".jpeg", ".webp")


def format_time(seconds: float, *, tenths: bool = True) -> str:
    """Seconds as a player shows them: ``0:04.2``, ``1:02:03.0``.

    Args:
        seconds: Not negative.
        tenths: Whether tenths of a second are shown.

    Returns:
        The text.
    """
    whole = round(seconds * 10)
    rest, hours = whole % 600, whole // 36000
    minutes = whole // 600 - 60 * hours
    start = f"{hours}:{minutes:02d}" if hours else f"{minutes}"
    return f"{start}:{rest // 10:02d}" + (f".{rest % 10}" if tenths else "")


def contact_sheet(
    grounding: Grounding,
    *,
    count: int = 8,
    columns: int = 4,
    tile_side: int = 320,
    style: BoxStyle = DEFAULT_STYLE,
) -> FrameArray:
    """Key frames of the answer with their boxes and times on one picture.

    Args:
        grounding: The answer; its video is read.
        count: Frames, evenly from the first to the last of the span.
        columns: Frames in a row.
        tile_side: Longest side of a frame, in pixels.
        style: How the boxes look.

    Returns:
        uint8 ``(H, W, 3)``, RGB.

    Raises:
        RenderError: If the answer holds no time and no box.
        InputError: If ``count``, ``columns`` or ``tile_side`` is too small.
        VideoError: If the video can't be read.
    """
    if count < 1 or columns < 1 or tile_side < 16:
        raise InputError(
            "A sheet needs at least one frame, one column and 16 pixels, got "
            "{count}, {columns} and {tile_side}.",
            count=count,
            columns=columns,
            tile_side=tile_side,
        )
    tiles = _stamped(key_frames(grounding, count=count, side=tile_side, style=style))
    columns = min(columns, len(tiles))
    rows = math.ceil(len(tiles) / columns)
    height, width = tiles[0].shape[:2]
    gap = max(4, tile_side // 40)
    sheet = np.empty(
        (rows * (height + gap) + gap, columns * (width + gap) + gap, 3), np.uint8
    )
    sheet[:] = _BACKGROUND
    for number, tile in enumerate(tiles):
        row, column = divmod(number, columns)
        y, x = gap + row * (height + gap), gap + column * (width + gap)
        sheet[y : y + height, x : x + width] = tile
    return sheet


# Compared by identity: arrays have no single truth.
@dataclass(frozen=True, eq=False)
class KeyFrame:
    """One picture of an answer.

    Attributes:
        time_seconds: The moment, on the video's clock.
        picture: uint8 ``(H, W, 3)``, RGB, with the box of that moment if there is one.
    """

    time_seconds: float
    picture: FrameArray


def key_frames(
    grounding: Grounding,
    *,
    count: int = 8,
    side: int = 320,
    style: BoxStyle = DEFAULT_STYLE,
) -> list[KeyFrame]:
    """Pictures of an answer with their boxes.

    Args:
        grounding: The answer; its video is read.
        count: How many, evenly from the first to the last of the span.
        side: Their longest side, in pixels; they are never enlarged.
        style: How the boxes look.

    Returns:
        In the order of time.

    Raises:
        RenderError: If the answer holds no time and no box.
        VideoError: If the video can't be read.
    """
    span = _span_of(grounding)
    times = np.linspace(span.start_seconds, span.end_seconds, count).tolist()
    return boxed_frames(grounding, times, side=side, style=style)


def boxed_frames(
    grounding: Grounding,
    times_seconds: Sequence[float],
    *,
    side: int,
    style: BoxStyle = DEFAULT_STYLE,
) -> list[KeyFrame]:
    """The pictures at some moments, never decreasing; else as :func:`key_frames`."""
    video, tube = grounding.video, grounding.tube
    size = scaled_size(video, side)
    ratio: FloatArray = np.tile([size[0] / video.width, size[1] / video.height], 2)
    sample = frames_at(video, times_seconds, size=size)
    frames = []
    for time, picture in zip(times_seconds, sample.frames, strict=True):
        box = None if tube is None else tube.at(time)
        if box is not None:
            picture = draw_box(picture, box * ratio, None, style)
        frames.append(KeyFrame(time, picture))
    return frames


def _stamped(frames: list[KeyFrame]) -> list[FrameArray]:
    for frame in frames:
        _stamp(frame.picture, format_time(frame.time_seconds))
    return [frame.picture for frame in frames]


def _span_of(grounding: Grounding) -> TimeSpan:
    """The answer's time, clamped to the video."""
    span = shown_span(grounding)
    if span is None:
        raise RenderError("There is nothing to show: the answer holds no time or box.")
    last = grounding.video.duration_seconds
    return TimeSpan(min(span.start_seconds, last), min(span.end_seconds, last))


def _stamp(tile: FrameArray, text: str) -> None:
    """Write a time into the lower left corner, in place."""
    height, width = tile.shape[:2]
    size = max(11, round(min(width, height) / 14))
    picture = render_label(text, size, width - 4, _PILL)
    if picture is not None and picture.height + 4 <= height:
        paste(tile, picture, 3, height - 3 - picture.height)


def timeline_picture(
    duration_seconds: float,
    span: TimeSpan | None,
    *,
    width: int = 960,
    style: BoxStyle = DEFAULT_STYLE,
) -> FrameArray:
    """The video as a line with the answer's span on it.

    Args:
        duration_seconds: Length of the video, over 0.
        span: What to mark, or None.
        width: Of the picture, in pixels, at least 200.
        style: Its colour marks the span.

    Returns:
        uint8 ``(64, width, 3)``, RGB.

    Raises:
        InputError: If the length or the width is too small.
    """
    if not (math.isfinite(duration_seconds) and duration_seconds > 0) or width < 200:
        raise InputError(
            "A time line needs a length over 0 and 200 pixels, got "
            "{duration_seconds} and {width}.",
            duration_seconds=duration_seconds,
            width=width,
        )
    height, margin = 64, 28
    line = _TimeLine(duration_seconds, margin, width - margin)
    canvas = _bars(line, span, width, height, style.color_rgb)
    image = Image.fromarray(canvas)
    _write_ticks(ImageDraw.Draw(image), line)
    canvas = np.array(image, dtype=np.uint8)
    if span is not None:
        text = f"{format_time(span.start_seconds)} to {format_time(span.end_seconds)}"
        label = render_label(text, 13, width - 8, style.color_rgb)
        if label is not None:
            middle = (line.x(span.start_seconds) + line.x(span.end_seconds)) / 2
            x = round(middle - label.width / 2)
            paste(canvas, label, min(max(x, 4), width - 4 - label.width), 4)
    return canvas


class _TimeLine:
    """Where moments lie on a picture."""

    def __init__(self, duration_seconds: float, left: float, right: float) -> None:
        self.duration_seconds = duration_seconds
        self.left = left
        self.right = right

    def x(self, seconds: float) -> float:
        """Pixels from the left edge of the picture, inside the line."""
        share = min(max(seconds / self.duration_seconds, 0.0), 1.0)
        return self.left + share * (self.right - self.left)

    def ticks(self) -> list[float]:
        """Round moments, at least 70 pixels apart."""
        return round_moments(self.duration_seconds, (self.right - self.left) / 70)


def round_moments(duration_seconds: float, room: float) -> list[float]:
    """Moments to mark on a time line, from 0 on, at round steps.

    Args:
        duration_seconds: Length of the line, over 0.
        room: How many steps fit, at least 1.

    Returns:
        Seconds, ascending.
    """
    step = next(
        (s for s in _TICK_STEPS if duration_seconds / s <= room),
        math.ceil(duration_seconds / room / 3600) * 3600,
    )
    return [i * step for i in range(math.floor(duration_seconds / step + 1e-9) + 1)]


def _bars(
    line: _TimeLine, span: TimeSpan | None, width: int, height: int, color: ColorRGB
) -> FrameArray:
    """The line and the span, drawn large and scaled down for smooth ends."""
    scale, top, bottom = _SUPERSAMPLING, 31, 41
    image = Image.new("RGB", (width * scale, height * scale), _BACKGROUND)
    draw = ImageDraw.Draw(image)

    def bar(x1: float, x2: float, fill: ColorRGB, more: int = 0) -> None:
        box = (x1 * scale, (top - more) * scale, x2 * scale, (bottom + more) * scale)
        radius = min((bottom - top) / 2 + more, (x2 - x1) / 2) * scale
        draw.rounded_rectangle(box, radius, fill=fill)

    bar(line.left, line.right, _TRACK)
    if span is not None:
        x1, x2 = line.x(span.start_seconds), line.x(span.end_seconds)
        narrow = max(0.0, 4 - (x2 - x1)) / 2  # a moment is still to be seen
        bar(x1 - narrow, x2 + narrow, color, more=2)
    small = cv2.resize(
        np.asarray(image, dtype=np.uint8),
        (width, height),
        interpolation=cv2.INTER_AREA,
    )
    return np.asarray(small, dtype=np.uint8)


def _write_ticks(draw: ImageDraw.ImageDraw, line: _TimeLine) -> None:
    font, _ = choose_font("0123456789:.", 12)
    moments = line.ticks()
    tenths = len(moments) > 1 and moments[1] < 1
    for seconds in moments:
        text = format_time(seconds, tenths=tenths)
        x = line.x(seconds)
        draw.line((x, 43, x, 46), fill=_TRACK, width=1)
        draw.text((x - font.getlength(text) / 2, 47), text, font=font, fill=_TEXT)


def save_picture(path: Path, picture: FrameArray) -> None:
    """Write a picture (PNG, JPEG or WebP by its ending) whole or not at all.

    Args:
        path: The file; an older one is replaced.
        picture: uint8 ``(H, W, 3)``, RGB.

    Raises:
        RenderError: If the ending is another one or the file can't be written.
    """
    path = Path(path)
    if path.suffix.lower() not in _ENDINGS:
        raise RenderError(
            "{name}: a picture's name must end in {choices}.",
            name=path.name,
            choices=", ".join(_ENDINGS),
        )
    with written_whole(path) as unfinished:
        Image.fromarray(picture).save(unfinished, quality=92)
