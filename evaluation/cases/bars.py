"""Spans as bars on a line of time, one under the other, with a moving mark."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from PIL import Image, ImageDraw

from render.labels import ColorRGB, choose_font
from render.timeline import format_time
from stablechat.types import FrameArray, TimeSpan

_BACKGROUND: ColorRGB = (24, 26, 32)
_TRACK: ColorRGB = (62, 66, 78)
_TEXT: ColorRGB = (214, 218, 226)
_CURSOR: ColorRGB = (255, 255, 255)

_ROW_HEIGHT = 22
_BAR_HEIGHT = 10
_MARGIN = 10
_FONT_SIZE = 12
_NAME_WIDTH = 56
_TIMES_WIDTH = 112
_SCALE = 4

#: Name, span and colour of a bar; no span draws an empty track.
Bar = tuple[str, TimeSpan | None, ColorRGB]


class Bars:
    """Draws the bars of a case.

    Args:
        width: Of the picture in pixels.
        clip: What the line stands for.
        bars: From top to bottom.
    """

    def __init__(self, width: int, clip: TimeSpan, bars: Sequence[Bar]) -> None:
        self._left, self._right = _NAME_WIDTH, width - _TIMES_WIDTH
        self._clip = clip
        height = _ROW_HEIGHT * len(bars) + 2 * (_MARGIN // 2)
        # Even: encoders of video ask for it.
        size = (width, height + height % 2)
        # Drawn large and scaled down for smooth ends.
        large = Image.new("RGB", (size[0] * _SCALE, size[1] * _SCALE), _BACKGROUND)
        middles = [
            _MARGIN // 2 + _ROW_HEIGHT * (number + 0.5) for number in range(len(bars))
        ]
        for middle, bar in zip(middles, bars, strict=True):
            self._draw_bar(ImageDraw.Draw(large), middle, bar)
        image = large.resize(size, Image.Resampling.BOX)
        for middle, bar in zip(middles, bars, strict=True):
            self._write(ImageDraw.Draw(image), middle, bar)
        self._picture: FrameArray = np.array(image, dtype=np.uint8)

    def picture(self, time_seconds: float | None = None) -> FrameArray:
        """The bars, with a mark at a moment.

        Returns:
            uint8 ``(H, W, 3)``.
        """
        picture: FrameArray = self._picture.copy()
        if time_seconds is not None:
            x = round(self._x(time_seconds))
            picture[2:-2, max(0, x - 1) : x + 1] = _CURSOR
        return picture

    def _draw_bar(self, draw: ImageDraw.ImageDraw, middle: float, bar: Bar) -> None:
        _, span, color = bar

        def rounded(x1: float, x2: float, half: float, fill: ColorRGB) -> None:
            box = (x1, middle - half, x2, middle + half)
            radius = min(half, (x2 - x1) / 2) * _SCALE
            draw.rounded_rectangle([v * _SCALE for v in box], radius, fill)

        rounded(self._left, self._right, _BAR_HEIGHT / 2, _TRACK)
        if span is not None:
            x1, x2 = self._x(span.start_seconds), self._x(span.end_seconds)
            rounded(x1, max(x2, x1 + 3), _BAR_HEIGHT / 2 + 1, color)

    def _write(self, draw: ImageDraw.ImageDraw, middle: float, bar: Bar) -> None:
        name, span, _ = bar
        times = "none"
        if span is not None:
            ends = (format_time(t) for t in (span.start_seconds, span.end_seconds))
            times = " to ".join(ends)
        for x, text in ((_MARGIN, name), (self._right + _MARGIN, times)):
            font, _ = choose_font(text, _FONT_SIZE)
            draw.text((x, middle), text, font=font, fill=_TEXT, anchor="lm")

    def _x(self, seconds: float) -> float:
        length = max(self._clip.duration_seconds, 1e-9)
        share = (seconds - self._clip.start_seconds) / length
        return self._left + min(max(share, 0.0), 1.0) * (self._right - self._left)
