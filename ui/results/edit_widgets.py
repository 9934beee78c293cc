"""The two folded forms under an answer: change the clip, and correct by hand."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import gradio as gr

from render.boxes import DEFAULT_STYLE
from ui.fields import side_fields, time_field
from ui.i18n import label
from ui.results.form import (
    LINE_SCALES,
    MAX_TRAIL_SECONDS,
    color_text,
)


@dataclass(frozen=True)
class EditWidgets:
    """What chooses a moment, and the controls of both forms, from top to bottom."""

    choice: gr.Radio
    choice_line: gr.HTML
    style_panel: gr.Accordion
    pad_before: gr.Number
    pad_after: gr.Number
    label: gr.Textbox
    box: gr.Radio
    color: gr.ColorPicker
    line_scale: gr.Slider
    trail: gr.Slider
    cut: gr.Button
    style_line: gr.HTML
    fix_panel: gr.Accordion
    trim: gr.HTML
    start: gr.Textbox
    end: gr.Textbox
    moment: gr.Textbox
    look: gr.Button
    picture: gr.HTML
    x1: gr.Number
    y1: gr.Number
    x2: gr.Number
    y2: gr.Number
    fix: gr.Button
    restore: gr.Button
    fix_line: gr.HTML

    @property
    def all(self) -> list[Any]:
        """Every one of them."""
        return [getattr(self, field.name) for field in fields(self)]

    @property
    def style(self) -> set[Any]:
        """What says how the clip is drawn."""
        return {
            *(self.pad_before, self.pad_after, self.label, self.box),
            *(self.color, self.line_scale, self.trail),
        }

    @property
    def sides(self) -> list[Any]:
        """Of the box."""
        return [self.x1, self.y1, self.x2, self.y2]

    @property
    def correction(self) -> set[Any]:
        """What says what was corrected."""
        return {self.start, self.end, self.moment, *self.sides}


def place_choice() -> dict[str, Any]:
    """Place what says which of several moments the clip shows."""
    choice = gr.Radio(
        [],
        label=label("choice"),
        info=label("choice_info"),
        visible=False,
        elem_id="sc-choice",
    )
    line = gr.HTML("", padding=False, elem_id="sc-choice-line")
    return {"choice": choice, "choice_line": line}


def place_editing(choice: dict[str, Any]) -> EditWidgets:
    """Place both forms; hidden until there is a clip.

    Args:
        choice: What :func:`place_choice` placed.
    """
    return EditWidgets(**choice, **_place_style(), **_place_correction())


def _place_style() -> dict[str, Any]:
    with gr.Accordion(label("style_panel"), open=False, visible=False) as panel:
        with gr.Row():
            pad_before = _seconds("pad_before")
            pad_after = _seconds("pad_after")
        text = gr.Textbox(
            label=label("clip_label"),
            info=label("clip_label_info"),
            max_length=1000,
            elem_id="sc-clip-label",
        )
        with gr.Row():
            box = gr.Radio(
                [(label(f"box_{kind}"), kind) for kind in ("corners", "frame", "none")],
                value="corners",
                label=label("box_kind"),
                scale=3,
                elem_id="sc-box-kind",
            )
            color = gr.ColorPicker(
                color_text(DEFAULT_STYLE.color_rgb),
                label=label("box_color"),
                min_width=100,
                elem_id="sc-box-color",
            )
        with gr.Row():
            line_scale = gr.Slider(
                *LINE_SCALES,
                1.0,
                step=0.25,
                label=label("line_scale"),
                elem_id="sc-line-scale",
            )
            trail = gr.Slider(
                0,
                MAX_TRAIL_SECONDS,
                0,
                step=0.5,
                label=label("trail"),
                elem_id="sc-trail",
            )
        cut = gr.Button(label("cut"), variant="primary", size="md", elem_id="sc-cut")
        line = gr.HTML("", padding=False, elem_id="sc-style-line")
    return {
        "style_panel": panel,
        "pad_before": pad_before,
        "pad_after": pad_after,
        "label": text,
        "box": box,
        "color": color,
        "line_scale": line_scale,
        "trail": trail,
        "cut": cut,
        "style_line": line,
    }


def _seconds(key: str) -> gr.Number:
    return gr.Number(
        0,
        label=label(key),  # Its limits are checked where we can say them in Chinese.
        step=0.5,
        min_width=120,
        elem_id=f"sc-{key.replace('_', '-')}",
    )


def _place_correction() -> dict[str, Any]:
    with gr.Accordion(
        label("fix_panel"), open=False, visible=False, elem_id="sc-fix-panel"
    ) as panel:
        trim = gr.HTML("", padding=False, elem_id="sc-trim")
        with gr.Row():
            start, end = (
                time_field("fix_start", "sc-fix-start"),
                time_field("fix_end", "sc-fix-end"),
            )
        with gr.Row(elem_classes="sc-aligned"):
            moment = time_field("fix_moment", "sc-fix-moment")
            look = gr.Button(label("look"), size="md", elem_id="sc-look-button")
        picture = gr.HTML("", padding=False, elem_id="sc-picture")
        sides = side_fields("sc-fix")
        with gr.Row(elem_classes="sc-buttons"):
            fix = gr.Button(
                label("fix"), variant="primary", size="md", elem_id="sc-fix"
            )
            restore = gr.Button(
                label("restore"), size="md", interactive=False, elem_id="sc-restore"
            )
        line = gr.HTML("", padding=False, elem_id="sc-fix-line")
    return {
        "fix_panel": panel,
        "trim": trim,
        "start": start,
        "end": end,
        "moment": moment,
        "look": look,
        "picture": picture,
        "fix": fix,
        "restore": restore,
        "fix_line": line,
        **sides,
    }
