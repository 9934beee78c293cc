"""An answer on the page: which control shows what."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from stablechat.types import Description, Grounding
from ui.i18n import Language
from ui.pipeline import Outcome
from ui.results.keyframes import strip
from ui.results.moments import moments_of
from ui.results.parsed import parsed
from ui.results.tables import boxes_table, moments_table
from ui.results.timeline import timeline
from ui.results.widgets import ResultWidgets

Update = dict[Any, Any]


def empty(page: ResultWidgets) -> Update:
    """Take the last answer off the page."""
    hidden = {
        widget: gr.update(value=None, visible=False)
        for widget in page.hidden_when_empty
    }
    folded = {widget: gr.update(visible=False) for widget in page.panels}
    return hidden | folded | {page.raw: ""}


def shown(page: ResultWidgets, outcome: Outcome, language: Language) -> Update:
    """Put an answer on the page, as far as there is something to show."""
    answer = outcome.answer
    common = {
        page.downloads: gr.update(visible=True),
        page.download_json: _file(outcome.json_path),
        page.raw_panel: gr.update(visible=True),
        page.raw: answer.generation.text,
        page.parsed: parsed(language, answer),
    }
    if isinstance(answer, Description):
        return common | _description(page, answer, outcome)
    if outcome.clip is None:
        return common
    return common | _grounding(page, answer, outcome, language)


def _description(page: ResultWidgets, answer: Description, outcome: Outcome) -> Update:
    if not answer.text.strip():
        return {}
    return {
        page.description: _html(answer.text),
        page.download_text: _file(outcome.text_path),
    }


def _grounding(
    page: ResultWidgets, answer: Grounding, outcome: Outcome, language: Language
) -> Update:
    if outcome.clip is None:
        return {}
    moments, clip = moments_of(answer), outcome.clip
    duration = answer.video.duration_seconds
    update: Update = {
        page.clip: gr.update(value=str(clip.path), visible=True),
        page.timeline: _html(timeline(language, duration, moments, clip.span)),
        page.table: _html(moments_table(language, moments)),
        page.key_frames: _html(strip(language, outcome.key_frames)),
        page.download_clip: _file(clip.path),
    }
    if answer.tube is not None:
        update[page.boxes_panel] = gr.update(visible=True)
        update[page.boxes] = boxes_table(language, outcome.frames)
    return update


def _html(value: str) -> Any:
    return gr.update(value=value, visible=True)


def _file(path: Path | None) -> Any:
    return gr.update(value=None if path is None else str(path), visible=True)
