"""Fields that several forms have: a time, and the four sides of a box."""

from __future__ import annotations

import gradio as gr

from ui.i18n import label

#: The sides of a box, xyxy in pixels.
SIDES = ("x1", "y1", "x2", "y2")

Sides = tuple[float | None, float | None, float | None, float | None]


def time_field(key: str, elem_id: str, empty: str | None = None) -> gr.Textbox:
    """A field for a time; ``stablechat.times`` reads it.

    Args:
        key: Of its label.
        elem_id: Its id on the page.
        empty: Of what it says while it is empty; None is an example.
    """
    return gr.Textbox(
        label=label(key),
        placeholder=label(empty) if empty else "0:00:01.500",
        max_lines=1,
        max_length=40,
        scale=2,
        min_width=140,
        elem_id=elem_id,
    )


def side_fields(prefix: str) -> dict[str, gr.Number]:
    """Four fields in a row.

    Args:
        prefix: What their ids on the page begin with, as ``drawing.canvas`` takes it.
    """
    with gr.Row():
        return {
            # Without limits: what Gradio says about them is in English only.
            name: gr.Number(None, label=name, min_width=60, elem_id=f"{prefix}-{name}")
            for name in SIDES
        }
