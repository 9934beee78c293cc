"""All controls of the page that handlers change."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from ui.asking.widgets import OtherWidgets, PartWidgets
from ui.fetching.widgets import LinkWidgets
from ui.models.widgets import ModelWidgets
from ui.results.history_widgets import HistoryWidgets
from ui.results.widgets import ResultWidgets
from ui.running import Update, buttons


@dataclass(frozen=True)
class Widgets:
    """The controls that handlers change."""

    header: gr.HTML
    notice: gr.HTML
    video: gr.Video
    video_line: gr.HTML
    link: LinkWidgets | None
    mode: gr.Radio
    question: gr.Textbox
    question_line: gr.HTML
    run: gr.Button
    stop: gr.Button
    candidates: gr.Slider
    windows: gr.Checkbox
    others: OtherWidgets
    part: PartWidgets
    keys: gr.HTML
    model: ModelWidgets
    status: gr.HTML
    history: HistoryWidgets
    asks: gr.State
    tab: gr.Textbox
    settings: gr.BrowserState
    result: ResultWidgets

    @property
    def texts(self) -> list[Any]:
        """What is written anew in the browser's language."""
        return [self.video_line, self.keys, *self.about_model]

    @property
    def about_model(self) -> list[Any]:
        """What tells which model answers."""
        return [self.header, self.notice, self.model.facts]

    @property
    def form(self) -> set[Any]:
        """What a question is made of."""
        return {
            *(self.video, self.question, self.mode, self.candidates, self.windows),
            *self.others.inputs,
            *self.part.fields,
        }

    @property
    def results(self) -> list[Any]:
        """What a run changes."""
        return [self.run, self.stop, self.status, *self.history.all, *self.result.all]

    @property
    def arrival(self) -> list[Any]:
        """What is filled in when the page is loaded."""
        return [*self.results, self.video, self.question, self.tab]

    def running(self, running: bool) -> Update:
        """What starting and ending a run changes."""
        return buttons(self.run, self.stop, running)
