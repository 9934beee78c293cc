"""The answers of a session, to be looked at again."""

from __future__ import annotations

import gradio as gr

from stablechat.doubts import is_unsure
from stablechat.grounding import shown_span
from stablechat.times import format_time
from stablechat.types import Captions, Grounding
from ui import view
from ui.batch import Batch
from ui.i18n import Language, text
from ui.outcomes import Outcome, has_answer
from ui.results.history_widgets import HistoryWidgets
from ui.running import Update
from ui.runs import Run
from ui.tab import Session
from ui.together import Together
from ui.translation import in_language

#: Characters of a question in the list.
_MAX_NAME = 60


def history(page: HistoryWidgets, session: Session, language: Language) -> Update:
    """The list, the newest first and what is shown chosen.

    It is hidden while all there is of it is shown.

    Whoever was asked whether to forget them is asked again about what there is now.
    """
    choices = [(name(run, language), run.key) for run in reversed(session.runs)]
    shown = session.run.key if session.run in session.runs and session.run else None
    others = [key for _, key in choices if key != shown]
    return {
        page.runs: gr.update(choices=choices, value=shown, visible=bool(others)),
        page.forget: gr.update(visible=bool(choices)),
        page.sure: gr.update(visible=False),
    }


def name(run: Run, language: Language) -> str:
    """What an answer is called in the list."""
    result = run.result
    if isinstance(result, Together):
        count = len(result.outcomes)
        return text(language, "history_together", count=count)
    if result is None:
        return run.key
    return f"{_asked(result, language)} · {_found(result, language)}"


def _asked(outcome: Outcome, language: Language) -> str:
    words = outcome.question
    if not words and isinstance(outcome.answer, Grounding):
        words = outcome.answer.prose
    captions = isinstance(outcome.answer, Captions)
    usual = text(language, "kind_captions" if captions else "mode_describe")
    words = " ".join(words.split()) or usual
    return words if len(words) <= _MAX_NAME else words[: _MAX_NAME - 1] + "…"


def _found(outcome: Outcome, language: Language) -> str:
    """When it was, or which video a description is of."""
    answer = outcome.answer
    if not isinstance(answer, Grounding):
        return answer.video.path.name
    span = shown_span(answer)
    if span is None or not has_answer(answer):
        return text(language, "not_found_title")
    start = format_time(span.start_seconds)
    if answer.task == "rec":
        return answer.video.path.name if outcome.picture else start
    key = "from_to_unsure" if is_unsure(answer) else "from_to"
    return text(language, key, start=start, end=format_time(span.end_seconds))


def failures_card(language: Language, batch: Batch) -> str:
    """What of several questions could not be answered, and why."""
    if not batch.failures:
        return ""
    title = text(language, "failures_title", count=len(batch.failures))
    lines = [
        f"{ask.question}: {in_language(language, error)}"
        for ask, error in batch.failures
    ]
    return view.card("bad", title, *lines, alert=True)
