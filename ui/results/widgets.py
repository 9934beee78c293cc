"""The controls that show an answer, and where they are on the page."""

from __future__ import annotations

from dataclasses import dataclass, fields
from typing import Any

import gradio as gr

from ui.i18n import label
from ui.player import player
from ui.results.edit_widgets import EditWidgets, place_choice, place_editing

#: What most people want of an answer; there is one of them at a time.
_FIRST_FILES = ("download_clip", "download_picture")


@dataclass(frozen=True)
class ResultWidgets:
    """The controls that an answer changes, from top to bottom."""

    clip: gr.Video
    picture: gr.HTML
    timeline: gr.HTML
    table: gr.HTML
    description: gr.Textbox
    downloads: gr.Row
    download_clip: gr.DownloadButton
    download_picture: gr.DownloadButton
    download_json: gr.DownloadButton
    download_text: gr.DownloadButton
    key_frames: gr.HTML
    files_panel: gr.Accordion
    files: gr.HTML
    edit: EditWidgets
    boxes_panel: gr.Accordion
    boxes: gr.HTML
    raw_panel: gr.Accordion
    raw: gr.Textbox
    parsed: gr.HTML

    @property
    def all(self) -> list[Any]:
        """Every one of them."""
        own = [field.name for field in fields(self) if field.name != "edit"]
        return [*(getattr(self, name) for name in own), *self.edit.all]

    @property
    def hidden_when_empty(self) -> list[Any]:
        """Those that show a value of their own and go with it."""
        return [
            self.clip,
            self.picture,
            self.timeline,
            self.table,
            self.description,
            self.download_clip,
            self.download_picture,
            self.download_json,
            self.download_text,
            self.key_frames,
        ]

    @property
    def panels(self) -> list[Any]:
        """Those that only hold others."""
        return [self.downloads, self.files_panel, self.boxes_panel, self.raw_panel]


def place_results() -> ResultWidgets:
    """Place the controls; all hidden until there is an answer."""
    shown = _place_answer()
    choice = place_choice()
    shown |= _place_downloads()
    key_frames = gr.HTML("", visible=False, padding=False, elem_id="sc-frames")
    with gr.Accordion(label("files_panel"), open=False, visible=False) as files_panel:
        files = gr.HTML("", padding=False, elem_id="sc-files")
    edit = place_editing(choice)
    with gr.Accordion(label("boxes_panel"), open=False, visible=False) as boxes_panel:
        boxes = gr.HTML("", padding=False, elem_id="sc-boxes")
    said = _place_text()
    return ResultWidgets(
        key_frames=key_frames,
        files_panel=files_panel,
        files=files,
        edit=edit,
        boxes_panel=boxes_panel,
        boxes=boxes,
        **shown,
        **said,
    )


def _place_answer() -> dict[str, Any]:
    clip = player(
        label=label("clip"),
        interactive=False,
        visible=False,
        buttons=[],
        height=300,
        elem_id="sc-clip",
    )
    picture = gr.HTML("", visible=False, padding=False, elem_id="sc-answer-picture")
    timeline = gr.HTML("", visible=False, padding=False, elem_id="sc-timeline")
    table = gr.HTML("", visible=False, padding=False, elem_id="sc-span")
    description = gr.Textbox(
        label=label("description"),
        interactive=False,
        visible=False,
        lines=3,
        max_lines=12,
        buttons=["copy"],
        elem_id="sc-description",
    )
    return {
        "clip": clip,
        "picture": picture,
        "timeline": timeline,
        "table": table,
        "description": description,
    }


def _place_downloads() -> dict[str, Any]:
    with gr.Row(visible=False, elem_classes="sc-buttons") as downloads:
        files = {
            key: gr.DownloadButton(
                label(key),
                visible=False,
                variant="primary" if key in _FIRST_FILES else "secondary",
                size="md",
                min_width=120,
                elem_id=f"sc-{key.replace('_', '-')}",
            )
            for key in (*_FIRST_FILES, "download_text", "download_json")
        }
    return {"downloads": downloads, **files}


def _place_text() -> dict[str, Any]:
    """The model's own words, beside what was read from them."""
    with (
        gr.Accordion(label("raw"), open=False, visible=False) as raw_panel,
        gr.Row(elem_classes="sc-beside"),
    ):
        raw = gr.Textbox(
            label=label("raw_text"),
            interactive=False,
            lines=4,
            max_lines=10,
            buttons=["copy"],
            elem_id="sc-raw",
        )
        parsed = gr.HTML("", padding=False, elem_id="sc-parsed")
    return {"raw_panel": raw_panel, "raw": raw, "parsed": parsed}
