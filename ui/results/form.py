"""The forms under an answer as values: how a clip is drawn, and what is corrected."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

import numpy as np

from render.boxes import BoxStyle
from render.encoding import ClipOptions
from render.labels import ColorRGB
from stablechat.correction import corrected
from stablechat.errors import InputError
from stablechat.grounding import shown_span
from stablechat.times import parse_time
from stablechat.types import FloatArray, Grounding, TimeSpan

BoxKind = Literal["corners", "frame", "none"]

#: Bounds of the form; the library allows more.
MAX_PAD_SECONDS = 60.0
MAX_TRAIL_SECONDS = 10.0
LINE_SCALES = (0.5, 3.0)

#: Fields show tenths of a pixel; less is no change.
_SAME_PIXELS = 0.05

_HEX = re.compile(r"#([0-9a-fA-F]{2})([0-9a-fA-F]{2})([0-9a-fA-F]{2})")
_RGBA = re.compile(r"rgba?\(\s*([\d.]+)\s*,\s*([\d.]+)\s*,\s*([\d.]+)\s*(?:,[^)]*)?\)")


@dataclass(frozen=True)
class StyleForm:
    """How a clip is to be drawn, as it was filled in.

    Attributes:
        pad_before_seconds: Empty is none.
        pad_after_seconds: Likewise.
        label: Empty is no label.
        box: What kind.
        color: ``"#2ed5ff"`` or ``"rgba(46, 213, 255, 1)"``.
        line_scale: Thickness of the line.
        trail_seconds: How far back the way of the box is drawn.
    """

    pad_before_seconds: float | None
    pad_after_seconds: float | None
    label: str
    box: BoxKind
    color: str
    line_scale: float
    trail_seconds: float

    @classmethod
    def of(cls, options: ClipOptions, query: str) -> StyleForm:
        """The form as a clip was drawn; ``query`` is its label if there is no other."""
        frame: BoxKind = "corners" if options.style.corners else "frame"
        label = query if options.label_text is None else options.label_text
        return cls(
            pad_before_seconds=options.pad_before_seconds,
            pad_after_seconds=options.pad_after_seconds,
            label=label if options.label else "",
            box=frame if options.draw_boxes else "none",
            color=color_text(options.style.color_rgb),
            line_scale=options.style.line_scale,
            trail_seconds=options.trail_seconds,
        )

    def options(self) -> ClipOptions:
        """What the renderer takes.

        Raises:
            InputError: A value can't be used.
        """
        padding = [self.pad_before_seconds or 0.0, self.pad_after_seconds or 0.0]
        if not all(0 <= seconds <= MAX_PAD_SECONDS for seconds in padding):
            raise InputError(
                "The clip can be up to {max_pad_seconds:g} seconds longer on "
                "either side.",
                max_pad_seconds=MAX_PAD_SECONDS,
            )
        label = self.label.strip()
        return ClipOptions(
            draw_boxes=self.box != "none",
            label=bool(label),
            label_text=label or None,
            pad_before_seconds=padding[0],
            pad_after_seconds=padding[1],
            style=BoxStyle(
                color_rgb=parse_color(self.color),
                line_scale=self.line_scale,
                corners=self.box == "corners",
            ),
            trail_seconds=self.trail_seconds,
        )


def parse_color(text: str) -> ColorRGB:
    """Read what a colour picker gives.

    Raises:
        InputError: It is no colour.
    """
    found = _HEX.fullmatch(text.strip())
    if found is not None:
        red, green, blue = (int(part, 16) for part in found.groups())
        return red, green, blue
    found = _RGBA.fullmatch(text.strip())
    if found is not None:
        red, green, blue = (round(float(part)) for part in found.groups())
        if max(red, green, blue) <= 255:
            return red, green, blue
    raise InputError(
        "{typed!r} is not a colour; write it as #2ed5ff.", typed=text.strip()[:40]
    )


def color_text(color: ColorRGB) -> str:
    """A colour as a colour picker takes it."""
    return "#" + "".join(f"{part:02x}" for part in color)


@dataclass(frozen=True)
class CorrectionForm:
    """What a person corrected, as it was filled in.

    Attributes:
        start: A time; empty is the answer's own.
        end: Likewise.
        moment_seconds: Of the picture that the box is for; None for no box.
        xyxy: Its sides in pixels; None where empty.
    """

    start: str
    end: str
    moment_seconds: float | None = None
    xyxy: tuple[float | None, float | None, float | None, float | None] = (None,) * 4

    def applied_to(self, answer: Grounding) -> Grounding:
        """The corrected answer.

        Raises:
            InputError: A value can't be used, or nothing was corrected.
        """
        span = self._span(answer)
        box = self._box(answer)
        boxes = {}
        if self.moment_seconds is not None and box is not None:
            boxes = {self.moment_seconds: box}
        return corrected(answer, span, boxes)

    def _span(self, answer: Grounding) -> TimeSpan:
        own = shown_span(answer)
        if own is None:
            raise InputError("There is nothing to correct: nothing was found.")
        start, end = (
            _time(text, seconds)
            for text, seconds in (
                (self.start, own.start_seconds),
                (self.end, own.end_seconds),
            )
        )
        if start > end:
            raise InputError("The end must come after the start.")
        return TimeSpan(start, end)

    def _box(self, answer: Grounding) -> FloatArray | None:
        """The box if it is another than the answer's at that moment."""
        known = [side for side in self.xyxy if side is not None]
        if self.moment_seconds is None or not known:
            return None
        if len(known) != 4:
            raise InputError("A box needs all four sides: x1, y1, x2, y2.")
        box = np.array(known, np.float64)
        tube = answer.tube
        own = None if tube is None else tube.at(self.moment_seconds)
        if own is not None and bool(np.all(np.abs(box - own) <= _SAME_PIXELS)):
            return None
        return box


def _time(text: str, own_seconds: float) -> float:
    """A time; what the field shows of the answer's own is the answer's own."""
    if not text.strip():
        return own_seconds
    seconds = parse_time(text)
    # Fields show milliseconds.
    return own_seconds if abs(seconds - own_seconds) <= 0.0005 else seconds
