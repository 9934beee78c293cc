"""The field for a link, folded below the video."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from ui.i18n import label


@dataclass(frozen=True)
class LinkWidgets:
    """The controls."""

    link: gr.Textbox
    fetch: gr.Button
    stop: gr.Button
    line: gr.HTML


def place_link() -> LinkWidgets:
    """Place the controls."""
    with gr.Accordion(label("link_panel"), open=False, elem_id="sc-link-panel"):
        link = gr.Textbox(
            label=label("link"),
            info=label("link_info"),
            placeholder="https://",
            max_lines=1,
            max_length=2000,
            elem_id="sc-link",
        )
        with gr.Row(elem_classes="sc-buttons"):
            fetch = gr.Button(
                label("link_fetch"), size="md", min_width=100, elem_id="sc-link-fetch"
            )
            stop = gr.Button(
                label("stop"),
                size="md",
                min_width=100,
                interactive=False,
                elem_id="sc-link-stop",
            )
        line = gr.HTML("", padding=False, elem_id="sc-link-line")
    return LinkWidgets(link, fetch, stop, line)
