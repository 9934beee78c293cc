"""What was filled in, as it came from the browser: nothing in it is checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ui.asks import Mode
from ui.fields import Sides
from ui.widgets import Widgets


@dataclass(frozen=True)
class AskForm:
    """The form.

    Attributes:
        video: The uploaded file, or None.
        question: What was typed.
        mode: What to do.
        candidates: How many answers to choose from.
        span: Start and end that ``svg`` asks about, as typed; empty is the video's.
        start: From when on ``elc`` asks; empty is the picture that was drawn on.
        region: What was drawn, xyxy in pixels; None where empty.
        still: An image to ask ``rec`` about, or None for a picture of the video.
        moment: Which picture; empty is the first.
        segment: Start and end of the part to look at, as typed; empty is the video's.
        windows: Look at a long video window by window.
        part_seconds: Length of the parts for ``captions``; empty is the usual one.
    """

    video: str | None
    question: str
    mode: Mode = "ground"
    candidates: int = 1
    span: tuple[str, str] = ("", "")
    start: str = ""
    region: Sides = (None, None, None, None)
    still: str | None = None
    moment: str = ""
    segment: tuple[str, str] = ("", "")
    windows: bool = True
    part_seconds: float | None = None


def form_of(page: Widgets, values: Mapping[Any, Any]) -> AskForm:
    """The form, as its controls say."""
    others, part = page.others, page.part
    x1, y1, x2, y2 = (values[side] for side in others.sides)
    return AskForm(
        video=values[page.video],
        question=values[page.question] or "",
        mode=values[page.mode] or values[others.kind] or "ground",
        candidates=values[page.candidates],
        span=(values[others.svg_start] or "", values[others.svg_end] or ""),
        start=values[others.elc_start] or "",
        region=(x1, y1, x2, y2),
        still=values[others.rec_still],
        moment=values[others.rec_moment] or "",
        segment=(values[part.start] or "", values[part.end] or ""),
        windows=bool(values[page.windows]),
        part_seconds=values[others.captions_part],
    )
