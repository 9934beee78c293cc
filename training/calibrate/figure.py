"""The reliability curves as a picture."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw, ImageFont

_TITLES = {"box": "Boxes", "span": "Spans", "answer": "Whole answers"}
_INK, _PALE, _GRID = (28, 32, 40), (150, 156, 168), (226, 229, 235)
_CALIBRATED, _BY_MASS = (24, 110, 190), (222, 142, 52)
# Drawn large and scaled down, for smooth lines.
_SCALE = 3
_PANEL, _MARGIN, _GAP, _TOP, _BOTTOM = 300, 58, 44, 74, 58
_TICKS = (0.0, 0.25, 0.5, 0.75, 1.0)

Curve = Sequence[Sequence[float]]


def draw_curves(report: Mapping[str, Any], path: Path) -> None:
    """Write a PNG with a panel for boxes, spans and answers.

    Args:
        report: The "confidence" part of a report.
        path: The file.
    """
    width = 2 * _MARGIN + 3 * _PANEL + 2 * _GAP - 30
    size = (width * _SCALE, (_TOP + _PANEL + _BOTTOM) * _SCALE)
    picture = Image.new("RGB", size, "white")
    pen = _Pen(ImageDraw.Draw(picture))
    for number, (level, title) in enumerate(_TITLES.items()):
        left = _MARGIN + number * (_PANEL + _GAP)
        found = report[level]
        pen.text(left, 12, title, _INK, 17)
        pen.text(
            left,
            36,
            f"error {found['ece']:.3f} calibrated, "
            f"{found['ece_uncalibrated']:.3f} not; {found['num_examples']} examples",
            _PALE,
            12,
        )
        _axes(pen, left, first=number == 0)
        pen.curve(left, found["curve_uncalibrated"], _BY_MASS)
        pen.curve(left, found["curve"], _CALIBRATED)
    _legend(pen)
    picture.resize((width, size[1] // _SCALE), Image.Resampling.LANCZOS).save(
        path, optimize=True
    )


class _Pen:
    """Draws in units of the finished picture."""

    def __init__(self, draw: ImageDraw.ImageDraw) -> None:
        self._draw = draw

    def text(
        self,
        x: float,
        y: float,
        words: str,
        color: tuple[int, int, int],
        size: int,
        anchor: str = "la",
    ) -> None:
        font = ImageFont.load_default(size * _SCALE)
        self._draw.text(
            (x * _SCALE, y * _SCALE), words, fill=color, font=font, anchor=anchor
        )

    def line(
        self,
        points: Sequence[tuple[float, float]],
        color: tuple[int, int, int],
        width: float,
    ) -> None:
        scaled = [(x * _SCALE, y * _SCALE) for x, y in points]
        self._draw.line(scaled, fill=color, width=round(width * _SCALE), joint="curve")

    def dot(self, x: float, y: float, color: tuple[int, int, int]) -> None:
        radius = 3.5 * _SCALE
        x, y = x * _SCALE, y * _SCALE
        self._draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=color)

    def curve(self, left: float, curve: Curve, color: tuple[int, int, int]) -> None:
        points = [_point(left, confidence, iou) for confidence, iou, _ in curve]
        self.line(points, color, 1.6)
        for x, y in points:
            self.dot(x, y, color)


def _point(left: float, x: float, y: float) -> tuple[float, float]:
    return left + x * _PANEL, _TOP + (1 - y) * _PANEL


def _axes(pen: _Pen, left: float, *, first: bool) -> None:
    for tick in _TICKS:
        pen.line([_point(left, 0, tick), _point(left, 1, tick)], _GRID, 1)
        pen.line([_point(left, tick, 0), _point(left, tick, 1)], _GRID, 1)
        x, y = _point(left, tick, 0)
        pen.text(x, y + 8, f"{tick:g}", _PALE, 12, "ma")
        if first:
            x, y = _point(left, 0, tick)
            pen.text(x - 8, y, f"{tick:g}", _PALE, 12, "rm")
    pen.line([_point(left, 0, 0), _point(left, 1, 1)], _PALE, 1)
    pen.text(left + _PANEL / 2, _TOP + _PANEL + 30, "confidence", _INK, 13, "ma")
    if first:
        pen.text(left - 8, _TOP - 18, "mean IoU", _INK, 13, "la")


def _legend(pen: _Pen) -> None:
    # In the empty corner of the last panel: curves run along the diagonal.
    left = _MARGIN + 2 * (_PANEL + _GAP) + 14
    for number, (words, color) in enumerate(
        (("calibrated", _CALIBRATED), ("mass alone", _BY_MASS))
    ):
        y = _TOP + 18 + 20 * number
        pen.dot(left, y, color)
        pen.text(left + 12, y, words, _INK, 13, "lm")
