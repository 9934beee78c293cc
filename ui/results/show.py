"""An answer on the page: which control shows what."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from stablechat.grounding import shown_span
from stablechat.times import format_time
from stablechat.types import (
    Captions,
    Clip,
    Description,
    Grounding,
    TimeSpan,
    VideoInfo,
)
from ui.i18n import Language, text
from ui.outcomes import Outcome
from ui.results import cards
from ui.results.correcting import trimmer
from ui.results.edit_widgets import EditWidgets
from ui.results.filelist import file_list
from ui.results.form import StyleForm
from ui.results.keyframes import picture, strip
from ui.results.moments import BY_HAND, Moment, moment_title, moments_of, moments_of_all
from ui.results.parsed import parsed
from ui.results.tables import boxes_table, captions_table, moments_table
from ui.results.timeline import parts_timeline, timeline
from ui.results.widgets import ResultWidgets
from ui.running import Update
from ui.runs import Run
from ui.together import Piece, Together
from ui.widgets import Widgets


def shown_run(page: Widgets, run: Run, language: Language) -> Update:
    """Put the answer of a run on the page, and the card over it."""
    if run.result is None:
        return {}
    if isinstance(run.result, Together):
        update = _together(page.result, run.result, language)
        update[page.status] = cards.together(language, run.result)
    else:
        update = shown(page.result, run.result, language)
        update[page.status] = card(run.result, language)
    if run.files is not None:
        update[page.result.files] = file_list(language, run.files)
    return update


def card(outcome: Outcome, language: Language) -> str:
    """The card over an answer."""
    answer = outcome.answer
    file = answer.video.path.name
    seconds, segment = outcome.elapsed_seconds, answer.segment
    about = cards.about(language, outcome.question, file, seconds, segment)
    if isinstance(answer, Grounding):
        return cards.found(language, answer, about)
    if isinstance(answer, Captions):
        return cards.captioned(language, answer, about)
    if not answer.text.strip():
        return cards.wordless(language, about)
    remarks, asked = answer.video.warnings, bool(outcome.question)
    return cards.described(language, about, asked=asked, remarks=remarks)


def empty(page: ResultWidgets) -> Update:
    """Take the last answer off the page."""
    hidden = {
        widget: gr.update(value=None, visible=False)
        for widget in page.hidden_when_empty
    }
    folded = {widget: gr.update(visible=False) for widget in page.panels}
    folded[page.files_panel] = gr.update(visible=False, open=False)
    return hidden | folded | {page.raw: ""} | _closed(page.edit)


def _closed(page: EditWidgets) -> Update:
    """Take the forms away."""
    return {
        page.style_panel: gr.update(visible=False, open=False),
        page.fix_panel: gr.update(visible=False, open=False),
        page.style_line: "",
        page.fix_line: "",
        page.choice: gr.update(value=None, visible=False),
        page.choice_line: "",
        **_no_picture(page),
    }


def _no_picture(page: EditWidgets) -> Update:
    return {page.moment: "", page.picture: "", **dict.fromkeys(page.sides)}


def shown(page: ResultWidgets, outcome: Outcome, language: Language) -> Update:
    """Put an answer on the page, as far as there is something to show."""
    answer = outcome.answer
    common: Update = {
        page.downloads: gr.update(visible=True),
        page.download_json: _file(outcome.json_path),
    }
    if isinstance(answer, Captions):
        return common | _captions(page, answer, outcome, language)
    common |= {
        page.raw_panel: gr.update(visible=True),
        page.raw: answer.generation.text,
        page.parsed: parsed(language, answer),
    }
    if isinstance(answer, Description):
        return common | _description(page, answer, outcome)
    return common | _folded_files(page) | _grounding(page, answer, outcome, language)


def _together(page: ResultWidgets, result: Together, language: Language) -> Update:
    """Several answers as one clip."""
    moments = moments_of_all(result.answers)
    update = _clip(
        page,
        result.video,
        result.clip,
        moments,
        result.pieces,
        language,
        result.answers[0].segment,
    )
    frames = [frame for each in result.outcomes for frame in each.key_frames[:1]]
    return update | {
        page.key_frames: _html(strip(language, frames)),
        page.downloads: gr.update(visible=True),
        page.download_json: _file(result.json_path),
        **_folded_files(page),
    }


def _folded_files(page: ResultWidgets) -> Update:
    """Folded, so that the files of this answer are written when it is opened."""
    return {page.files_panel: gr.update(visible=True, open=False), page.files: ""}


def _clip(
    page: ResultWidgets,
    video: VideoInfo,
    clip: Clip,
    moments: Sequence[Moment],
    pieces: Sequence[Piece],
    language: Language,
    looked_at: TimeSpan | None,
) -> Update:
    line = timeline(
        language,
        video.duration_seconds,
        moments,
        pieces,
        video.path.parent.name,
        looked_at,
    )
    return {
        page.clip: gr.update(value=str(clip.path), visible=True),
        page.timeline: _html(line),
        page.table: _html(moments_table(language, moments)),
        page.download_clip: _file(clip.path),
    }


def _description(page: ResultWidgets, answer: Description, outcome: Outcome) -> Update:
    if not answer.text.strip():
        return {}
    return {
        page.description: _html(answer.text),
        page.download_text: _file(outcome.text_path),
    }


def _captions(
    page: ResultWidgets, answer: Captions, outcome: Outcome, language: Language
) -> Update:
    """What happens part by part; the player of the upload shows it."""
    files = _folded_files(page)
    if not answer.captions:
        return files
    line = parts_timeline(language, answer, answer.video.path.parent.name)
    return files | {
        page.timeline: _html(line),
        page.table: _html(captions_table(language, answer)),
        page.download_text: _file(outcome.text_path),
    }


def _grounding(
    page: ResultWidgets, answer: Grounding, outcome: Outcome, language: Language
) -> Update:
    if outcome.picture is not None:
        return _picture(page, outcome, language)
    if outcome.clip is None:
        return {}
    moments, clip = moments_of(answer, outcome.rank), outcome.clip
    pieces = [Piece(clip.span, 0.0)]
    update = _clip(page, answer.video, clip, moments, pieces, language, answer.segment)
    update[page.key_frames] = _html(strip(language, outcome.key_frames))
    update |= _editing(page.edit, answer, outcome, language)
    update[page.edit.choice] = _choice(moments, outcome.rank, language)
    return update | _boxes(page, outcome, language)


def _choice(moments: Sequence[Moment], rank: int, language: Language) -> Any:
    """Which of several moments the clip shows."""
    said = [moment for moment in moments if moment.rank != BY_HAND]
    choices = [
        (moment_title(language, moment), moment.rank)
        for moment in sorted(said, key=lambda moment: moment.rank)
    ]
    return gr.update(choices=choices, value=rank, visible=len(choices) > 1)


def _picture(page: ResultWidgets, outcome: Outcome, language: Language) -> Update:
    """An answer about one picture: that picture instead of a clip."""
    path = outcome.picture
    if path is None:
        return {}
    name = outcome.question or text(language, "picture")
    update = {
        page.picture: _html(picture(name, path)),
        page.download_picture: _file(path),
    }
    return update | _boxes(page, outcome, language)


def _boxes(page: ResultWidgets, outcome: Outcome, language: Language) -> Update:
    if not any(frame.xyxy is not None for frame in outcome.frames):
        return {}
    return {
        page.boxes_panel: gr.update(visible=True),
        page.boxes: boxes_table(language, outcome.frames),
    }


def _editing(
    page: EditWidgets, answer: Grounding, outcome: Outcome, language: Language
) -> Update:
    """The forms, filled in with what the answer says."""
    span = shown_span(answer)
    if span is None:
        return {}
    form = StyleForm.of(outcome.options, answer.query)
    return {
        page.style_panel: gr.update(visible=True),
        page.pad_before: form.pad_before_seconds,
        page.pad_after: form.pad_after_seconds,
        page.label: form.label,
        page.box: form.box,
        page.color: form.color,
        page.line_scale: form.line_scale,
        page.trail: form.trail_seconds,
        page.fix_panel: gr.update(visible=True),
        page.trim: trimmer(language, answer, span),
        page.start: format_time(span.start_seconds, hours=True),
        page.end: format_time(span.end_seconds, hours=True),
        page.restore: gr.update(interactive=answer.original is not None),
        **_no_picture(page),
    }


def _html(value: str) -> Any:
    return gr.update(value=value, visible=True)


def _file(path: Path | None) -> Any:
    return gr.update(value=None if path is None else str(path), visible=True)
