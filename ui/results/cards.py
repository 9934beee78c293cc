"""The card over an answer: what was found, in a line. Pure: HTML, escaped."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from render.exports.frames import is_image
from stablechat.grounding import shown_span
from stablechat.times import format_time
from stablechat.types import Grounding, Task, TimeSpan
from ui import view
from ui.i18n import Language, text
from ui.outcomes import has_answer
from ui.together import Together

#: A remark that the card already makes in its own words.
NO_BOX_ISSUE = "The model's answer has no box."

_TITLES: dict[Task, str] = {
    "svg": "found_boxes_title",
    "elc": "found_event_title",
    "rec": "found_at_title",
}
_NOTHING: dict[Task, str] = {
    "svg": "no_boxes_body",
    "elc": "no_event_body",
    "rec": "no_boxes_body",
}


def about(language: Language, question: str, file: str, elapsed_seconds: float) -> str:
    """What was asked of which video, and how long the answer took.

    The form may already hold the next question while the answer is looked at.
    """
    parts = [f'<q class="sc-asked">{escape(question)}</q>'] if question else []
    parts.append(f"<span>{escape(file)}</span>")
    took = text(language, "took", seconds=f"{elapsed_seconds:.1f}")
    parts.append(f"<span>{escape(took)}</span>")
    return f'<p class="sc-about">{" · ".join(parts)}</p>'


def found(language: Language, answer: Grounding, about: str = "") -> str:
    """The card of an answer that has a time or boxes.

    Args:
        language: Of the words.
        answer: What the model said.
        about: See :func:`about`; the same for the cards below.
    """
    span = shown_span(answer)
    if span is None or not has_answer(answer):
        return not_found(language, answer.task, remarks(answer), about)
    if answer.original is not None:
        return _corrected(language, span, answer.original, about)
    title = text(language, _title_key(answer), **_times(span))
    body = [
        *([answer.prose] if answer.task == "elc" else []),
        *_lacks(language, answer),
    ]
    odd = [r for r in remarks(answer) if r != NO_BOX_ISSUE or answer.tube]
    extra = view.notes(language, odd)
    return view.card("good", title, *filter(None, body), about=about, extra=extra)


def together(language: Language, result: Together) -> str:
    """The card of several answers that are one clip."""
    counts = {"count": len(result.outcomes), "asked": result.asked}
    title = text(language, "together_title", **counts)
    file = result.video.path.name
    said = about(language, "", file, result.elapsed_seconds)
    return view.card("good", title, text(language, "together_body"), about=said)


def _title_key(answer: Grounding) -> str:
    if is_image(answer):
        return "found_in_image_title"
    return _TITLES.get(answer.task, "found_title")


def _lacks(language: Language, answer: Grounding) -> list[str]:
    """What the model was asked for and did not give."""
    if answer.task in ("tvg", "rec"):
        return []
    lacks = {"found_no_box": answer.tube, "found_no_time": answer.span}
    return [text(language, key) for key, part in lacks.items() if part is None]


def _corrected(
    language: Language, span: TimeSpan, original: Grounding, about: str
) -> str:
    """The card of an answer that a person corrected: theirs, then the model's."""
    title = text(language, "corrected_title", **_times(span))
    own = shown_span(original)
    body = text(language, "corrected_body", **_times(own)) if own else ""
    return view.card("good", title, *([body] if body else []), about=about)


def _times(span: TimeSpan) -> dict[str, str]:
    return {
        "start": format_time(span.start_seconds),
        "end": format_time(span.end_seconds),
    }


def remarks(answer: Grounding) -> list[str]:
    """What is odd about an answer and its video; some of it only decoding shows."""
    return [*answer.video.warnings, *answer.issues]


def not_found(
    language: Language, task: Task, issues: Iterable[str], about: str = ""
) -> str:
    """The card of an answer with nothing to show."""
    title = text(language, "not_found_title")
    body = text(language, _NOTHING.get(task, "not_found_body"))
    extra = view.notes(language, issues)
    return view.card("warn", title, body, about=about, extra=extra)


def described(
    language: Language, about: str = "", *, asked: bool, remarks: Iterable[str] = ()
) -> str:
    """The card of a description, or of an answer to a question."""
    title = text(language, "answered_title" if asked else "described_title")
    extra = view.notes(language, remarks)
    return view.card("good", title, about=about, extra=extra)


def wordless(language: Language, about: str = "") -> str:
    """The card of a description that is empty."""
    return view.card("warn", text(language, "empty_description"), about=about)
