"""The list of answers, and the controls that forget them."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import gradio as gr

from ui.i18n import label


@dataclass(frozen=True)
class HistoryWidgets:
    """What shows the answers so far, and takes them away.

    Attributes:
        runs: The list.
        forget: Asks whether all are to go.
        sure: What is shown then: a line, and the two answers to it.
        sure_line: That line.
        sure_yes: They go.
        sure_no: They stay.
    """

    runs: gr.Radio
    forget: gr.Button
    sure: gr.Column
    sure_line: gr.HTML
    sure_yes: gr.Button
    sure_no: gr.Button

    @property
    def all(self) -> list[Any]:
        """Every one of them."""
        return [getattr(self, field.name) for field in fields(self)]


def place_history() -> gr.Radio:
    """Place the list; hidden while there is little to choose from."""
    return gr.Radio([], label=label("history"), visible=False, elem_id="sc-history")


def place_forgetting(runs: gr.Radio) -> HistoryWidgets:
    """Place what takes answers away; hidden while there is none.

    Args:
        runs: The list, which is elsewhere on the page.
    """
    forget = gr.Button(
        label("forget"), size="sm", visible=False, elem_id="sc-forget", min_width=80
    )
    with gr.Column(visible=False, elem_id="sc-forget-sure") as sure:
        line = gr.HTML("", padding=False)
        with gr.Row(elem_classes="sc-buttons"):
            yes = gr.Button(
                label("forget_yes"),
                variant="stop",
                size="md",
                min_width=120,
                elem_id="sc-forget-yes",
            )
            no = gr.Button(
                label("forget_no"), size="md", min_width=120, elem_id="sc-forget-no"
            )
    return HistoryWidgets(runs, forget, sure, line, yes, no)
