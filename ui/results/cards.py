"""The card over an answer: what was found, in a line. Pure: HTML, escaped."""

from __future__ import annotations

from collections.abc import Iterable
from html import escape

from render.exports.frames import is_image
from stablechat.doubts import is_beyond_words, is_something_else, is_unsure
from stablechat.grounding import shown_span
from stablechat.remarks import LOST_BOXES, UNKNOWN_WORDS
from stablechat.sentences import Sentence
from stablechat.times import format_time
from stablechat.types import Captions, Grounding, Task, TimeSpan
from ui import view
from ui.i18n import Language, text
from ui.outcomes import has_answer
from ui.together import Together
from ui.translation import in_language

#: A remark that the card already makes in its own words.
NO_BOX_ISSUE = "The model's answer has no box."

_UNSURE_TITLES: dict[Task, str] = {
    "svg": "unsure_boxes_title",
    "elc": "unsure_event_title",
    "rec": "unsure_at_title",
}
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


def about(
    language: Language,
    question: str,
    file: str,
    elapsed_seconds: float,
    segment: TimeSpan | None = None,
) -> str:
    """What was asked of which video or part of it, and how long the answer took.

    The form may already hold the next question while the answer is looked at.
    """
    parts = [f'<q class="sc-asked">{escape(question)}</q>'] if question else []
    parts.append(f"<span>{escape(file)}</span>")
    if segment is not None:
        only = text(language, "looked_at", **_times(segment))
        parts.append(f"<span>{escape(only)}</span>")
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
        *([_unsure_body(language, answer)] if is_unsure(answer) else []),
        *_own_words(language, answer),
        *([answer.prose] if answer.task == "elc" else []),
        *_lacks(language, answer),
    ]
    lost = () if answer.tube else (NO_BOX_ISSUE, *_lost_boxes(answer))
    said = (*lost, UNKNOWN_WORDS)
    extra = view.notes(language, [r for r in remarks(answer) if r not in said])
    tone: view.Tone = "unsure" if is_unsure(answer) else "good"
    return view.card(tone, title, *filter(None, body), about=about, extra=extra)


def together(language: Language, result: Together) -> str:
    """The card of several answers that are one clip."""
    counts = {"count": len(result.outcomes), "asked": result.asked}
    title = text(language, "together_title", **counts)
    file = result.video.path.name
    segment = result.answers[0].segment
    said = about(language, "", file, result.elapsed_seconds, segment)
    body = [text(language, "together_body")]
    unsure = sum(is_unsure(answer) for answer in result.answers)
    if unsure:
        body.append(text(language, "together_unsure", count=unsure))
    tone: view.Tone = "unsure" if unsure == len(result.answers) else "good"
    return view.card(tone, title, *body, about=said)


def _title_key(answer: Grounding) -> str:
    unsure = is_unsure(answer)
    if is_image(answer):
        return "unsure_in_image_title" if unsure else "found_in_image_title"
    if unsure:
        return _UNSURE_TITLES.get(answer.task, "unsure_title")
    return _TITLES.get(answer.task, "found_title")


def _unsure_body(language: Language, answer: Grounding) -> str:
    """Why it is rather a guess, and what a person can do."""
    if is_beyond_words(answer):
        return in_language(language, UNKNOWN_WORDS)
    if is_something_else(answer):
        return text(language, "something_else_body")
    return text(language, "unsure_body", percent=f"{answer.confidence or 0.0:.0%}")


def _own_words(language: Language, answer: Grounding) -> list[str]:
    """What the model calls the thing that it found."""
    look = answer.second_look
    return [] if look is None else [text(language, "own_words", words=look.words)]


def _lacks(language: Language, answer: Grounding) -> list[str]:
    """What the model was asked for and did not give."""
    if answer.task in ("tvg", "rec"):
        return []
    lacks = []
    if answer.tube is None:
        lost = [in_language(language, each) for each in _lost_boxes(answer)]
        lacks = lost or [text(language, "found_no_box")]
    if answer.span is None:
        lacks.append(text(language, "found_no_time"))
    return lacks


def _lost_boxes(answer: Grounding) -> list[str]:
    """Why there is no box, although the model wrote some."""
    return [
        each
        for each in answer.issues
        if isinstance(each, Sentence) and each.template in LOST_BOXES
    ]


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


def captioned(language: Language, answer: Captions, about: str = "") -> str:
    """The card of what happens part by part."""
    if not answer.captions:
        return wordless(language, about)
    count = len(answer.windows)
    key = "captions_title_one" if count == 1 else "captions_title"
    title = text(language, key, count=count)
    extra = view.notes(language, [*answer.video.warnings, *answer.issues])
    body = text(language, "captions_body")
    return view.card("good", title, body, about=about, extra=extra)


def wordless(language: Language, about: str = "") -> str:
    """The card of a description that is empty."""
    return view.card("warn", text(language, "empty_description"), about=about)
