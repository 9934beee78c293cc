"""What was read from the model's text, to be compared with it."""

from __future__ import annotations

from html import escape

from stablechat.times import format_time
from stablechat.types import Description, Grounding
from ui.i18n import Language, text
from ui.translation import in_language


def parsed(language: Language, answer: Grounding | Description) -> str:
    """A list of what an answer says, and of what was odd about it."""
    fields = {}
    if isinstance(answer, Grounding):
        fields = {
            "read_time": _time(language, answer),
            "read_boxes": _boxes(language, answer),
            "read_words": answer.prose,
        }
    fields["read_end"] = text(language, f"ended_{answer.generation.finish_reason}")
    items = "".join(
        f"<dt>{escape(text(language, key))}</dt><dd>{escape(value)}</dd>"
        for key, value in fields.items()
        if value
    )
    title = escape(text(language, "read_title"))
    remarks = answer.issues if isinstance(answer, Grounding) else ()
    return (
        f'<section class="sc-read"><h3>{title}</h3><dl>{items}</dl>'
        f"{_remarks(language, remarks)}</section>"
    )


def _time(language: Language, answer: Grounding) -> str:
    if answer.span is None:
        return text(language, "read_no_time")
    return text(
        language,
        "from_to",
        start=format_time(answer.span.start_seconds),
        end=format_time(answer.span.end_seconds),
    )


def _boxes(language: Language, answer: Grounding) -> str:
    tube = answer.tube
    if tube is None:
        return text(language, "read_no_boxes")
    return text(
        language,
        "read_some_boxes",
        count=len(tube.times_seconds),
        start=format_time(float(tube.times_seconds[0])),
        end=format_time(float(tube.times_seconds[-1])),
    )


def _remarks(language: Language, issues: tuple[str, ...]) -> str:
    if not issues:
        return f"<p>{escape(text(language, 'read_nothing_odd'))}</p>"
    said = [in_language(language, issue) for issue in issues]
    items = "".join(f"<li>{escape(each)}</li>" for each in said)
    return f'<div class="sc-notes"><ul>{items}</ul></div>'
