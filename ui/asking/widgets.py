"""The controls of the form, and the folded ones for other kinds of questions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from stablechat.windows import DEFAULT_PART_SECONDS
from ui.asks import OTHER_MODES
from ui.fields import side_fields, time_field
from ui.i18n import label

#: What of an image can be read; the server finds out by itself.
_STILL_ENDINGS = [".png", ".jpg", ".jpeg", ".webp", ".bmp"]


@dataclass(frozen=True)
class OtherWidgets:
    """The folded controls: which other question, and what each needs."""

    kind: gr.Radio
    svg_fields: gr.Column
    svg_start: gr.Textbox
    svg_end: gr.Textbox
    svg_take_start: gr.Button
    svg_take_end: gr.Button
    elc_fields: gr.Column
    elc_start: gr.Textbox
    elc_look: gr.Button
    elc_picture: gr.HTML
    elc_x1: gr.Number
    elc_y1: gr.Number
    elc_x2: gr.Number
    elc_y2: gr.Number
    elc_line: gr.HTML
    rec_fields: gr.Column
    rec_still: gr.File
    rec_still_line: gr.HTML
    rec_moment: gr.Textbox
    rec_take: gr.Button
    captions_fields: gr.Column
    captions_part: gr.Number

    @property
    def groups(self) -> dict[str, Any]:
        """What is shown for each kind that needs more than a question."""
        return {
            "svg": self.svg_fields,
            "elc": self.elc_fields,
            "rec": self.rec_fields,
            "captions": self.captions_fields,
        }

    @property
    def sides(self) -> list[Any]:
        """Of the region that was drawn."""
        return [self.elc_x1, self.elc_y1, self.elc_x2, self.elc_y2]

    @property
    def region(self) -> list[Any]:
        """What is about a picture of the video, and goes with the video."""
        return [self.elc_start, self.elc_picture, *self.sides, self.elc_line]

    @property
    def takes(self) -> dict[Any, Any]:
        """Buttons that take the player's time, with the field that it goes to."""
        return {
            self.svg_take_start: self.svg_start,
            self.svg_take_end: self.svg_end,
            self.rec_take: self.rec_moment,
        }

    @property
    def inputs(self) -> set[Any]:
        """What a question is made of."""
        return {
            *(self.kind, self.svg_start, self.svg_end, self.elc_start),
            *(*self.sides, self.rec_still, self.rec_moment, self.captions_part),
        }


@dataclass(frozen=True)
class PartWidgets:
    """Which part of the video is looked at."""

    start: gr.Textbox
    end: gr.Textbox
    take_start: gr.Button
    take_end: gr.Button

    @property
    def fields(self) -> list[Any]:
        """What is about one video, and goes with it."""
        return [self.start, self.end]

    @property
    def takes(self) -> dict[Any, Any]:
        """As :attr:`OtherWidgets.takes`."""
        return {self.take_start: self.start, self.take_end: self.end}


def place_part() -> PartWidgets:
    """Place the fields of the part that is looked at."""
    fields = _place_span("part", "sc-part")
    return PartWidgets(**fields)


def place_others() -> OtherWidgets:
    """Place the folded controls."""
    with gr.Accordion(label("others"), open=False, elem_id="sc-others"):
        kind = gr.Radio(
            [(label(f"kind_{mode}"), mode) for mode in OTHER_MODES],
            value=None,
            label=label("others"),
            elem_id="sc-kind",
        )
        return OtherWidgets(
            kind=kind,
            **_place_svg(),
            **_place_elc(),
            **_place_rec(),
            **_place_captions(),
        )


def _place_svg() -> dict[str, Any]:
    with gr.Column(visible=False, elem_classes="sc-kind-fields") as group:
        fields = _place_span("svg", "sc-svg")
    named = {f"svg_{name}": field for name, field in fields.items()}
    return {"svg_fields": group, **named}


def _place_span(key: str, prefix: str) -> dict[str, Any]:
    """Two times, each with a button that takes the player's.

    Args:
        key: What the keys of their labels begin with.
        prefix: What their ids on the page begin with.
    """
    with gr.Row(elem_classes="sc-aligned"):
        start = time_field(f"{key}_start", f"{prefix}-start", "empty_start")
        take_start = _take_button(f"{prefix}-take-start")
    with gr.Row(elem_classes="sc-aligned"):
        end = time_field(f"{key}_end", f"{prefix}-end", "empty_end")
        take_end = _take_button(f"{prefix}-take-end")
    return {
        "start": start,
        "end": end,
        "take_start": take_start,
        "take_end": take_end,
    }


def _take_button(elem_id: str) -> gr.Button:
    return gr.Button(label("take"), size="md", min_width=140, elem_id=elem_id)


def _place_elc() -> dict[str, Any]:
    with gr.Column(visible=False, elem_classes="sc-kind-fields") as group:
        with gr.Row(elem_classes="sc-aligned"):
            start = time_field("elc_start", "sc-elc-start")
            look = gr.Button(
                label("elc_look"), size="md", min_width=140, elem_id="sc-elc-look"
            )
        picture = gr.HTML("", padding=False, elem_id="sc-elc-picture")
        sides = side_fields("sc-elc")
        line = gr.HTML("", padding=False, elem_id="sc-elc-line")
    return {
        "elc_fields": group,
        "elc_start": start,
        "elc_look": look,
        "elc_picture": picture,
        "elc_line": line,
        **{f"elc_{name}": field for name, field in sides.items()},
    }


def _place_rec() -> dict[str, Any]:
    with gr.Column(visible=False, elem_classes="sc-kind-fields") as group:
        still = gr.File(
            label=label("rec_still"),
            file_types=_STILL_ENDINGS,
            height=120,
            elem_id="sc-still",
        )
        still_line = gr.HTML("", padding=False, elem_id="sc-still-line")
        with gr.Row(elem_classes="sc-aligned"):
            moment = time_field("rec_moment", "sc-rec-moment", "empty_start")
            take = _take_button("sc-rec-take")
    return {
        "rec_fields": group,
        "rec_still": still,
        "rec_still_line": still_line,
        "rec_moment": moment,
        "rec_take": take,
    }


def _place_captions() -> dict[str, Any]:
    with gr.Column(visible=False, elem_classes="sc-kind-fields") as group:
        part = gr.Number(
            DEFAULT_PART_SECONDS,
            label=label("captions_part"),
            info=label("captions_part_info"),
            elem_id="sc-captions-part",
        )
    return {"captions_fields": group, "captions_part": part}
