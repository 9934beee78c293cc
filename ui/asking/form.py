"""What was filled in, as it came from the browser: nothing in it is checked."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ui.asking.widgets import OtherWidgets
from ui.fields import Sides
from ui.pipeline import Mode


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


def other_fields(page: OtherWidgets, values: Mapping[Any, Any]) -> dict[str, Any]:
    """What the folded controls say, by the form's own names."""
    x1, y1, x2, y2 = (values[side] for side in page.sides)
    return {
        "span": (values[page.svg_start] or "", values[page.svg_end] or ""),
        "start": values[page.elc_start] or "",
        "region": (x1, y1, x2, y2),
        "still": values[page.rec_still],
        "moment": values[page.rec_moment] or "",
    }
