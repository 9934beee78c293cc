"""Tables of an answer: its moments, and its box on each picture."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape

from render.exports.frames import AnswerFrame
from stablechat.times import format_time
from stablechat.types import Caption, Captions
from ui.i18n import Language, text
from ui.links import seek_button
from ui.outcomes import MAX_LISTED_FRAMES
from ui.results.moments import Moment, moment_title, rank_text


def moments_table(language: Language, moments: Sequence[Moment]) -> str:
    """Start, end and duration to the millisecond, as ``h:mm:ss.mmm``.

    Args:
        language: Of the heads.
        moments: The answer first; ranks are shown if there are several, and questions
            if they answer different ones.
    """
    several = len(moments) > 1
    asked = any(moment.question for moment in moments)
    scored = any(moment.confidence is not None for moment in moments)
    keys = ["start", "end", "duration", *(["confidence"] if scored else [])]
    heads = [text(language, key) for key in keys]
    rows = [_moment_row(language, moment, several, scored) for moment in moments]
    css = "sc-many" if several else ""
    if asked:
        heads, css = [text(language, "question"), *heads], "sc-many sc-answers"
    return _table(
        text(language, "table_caption"),
        [text(language, "place" if asked else "rank"), *heads] if several else heads,
        rows,
        css=css,
    )


def _moment_row(language: Language, moment: Moment, several: bool, scored: bool) -> str:
    span = moment.span
    start = seek_button(
        span.start_seconds,
        format_time(span.start_seconds, hours=True),
        name=moment_title(language, moment),
        piece=moment.rank - 1 if moment.question else None,
    )
    cells = [start]
    if moment.question:
        cells = [escape(moment.question), start]
    cells += [
        format_time(seconds, hours=True)
        for seconds in (span.end_seconds, span.duration_seconds)
    ]
    if scored:
        known = moment.confidence is not None
        cells.append(f"{moment.confidence:.0%}" if known else "–")  # noqa: RUF001
    rank = ""
    if several:
        rank = f'<th scope="row">{escape(rank_text(language, moment))}</th>'
    return rank + "".join(f"<td>{cell}</td>" for cell in cells)


def boxes_table(language: Language, frames: Iterable[AnswerFrame]) -> str:
    """The box on each picture, in a frame of bounded height.

    Args:
        language: Of the heads.
        frames: Pictures of the answer; the first :data:`MAX_LISTED_FRAMES` with a box
            are listed.
    """
    boxed = [frame for frame in frames if frame.xyxy is not None]
    rows = [_box_row(frame) for frame in boxed[:MAX_LISTED_FRAMES]]
    heads = [text(language, key) for key in ("frame", "time")]
    heads += ["x1", "y1", "x2", "y2"]
    if any(frame.confidence is not None for frame in boxed):
        heads.append(text(language, "confidence"))
    title = text(language, "boxes_caption")
    note = ""
    if len(boxed) > MAX_LISTED_FRAMES:
        more = escape(text(language, "boxes_cut", count=MAX_LISTED_FRAMES))
        note = f'<p class="sc-hint">{more}</p>'
    return note + _scrolled(title, _table(title, heads, rows, css="sc-dense"))


def captions_table(language: Language, captions: Captions) -> str:
    """Start, end and words of each part, in a frame of bounded height."""
    title = text(language, "captions_caption")
    heads = [text(language, key) for key in ("start", "end", "captions_words")]
    rows = [_caption_row(language, each) for each in captions.captions]
    return _scrolled(title, _table(title, heads, rows, css="sc-captions"))


def _caption_row(language: Language, caption: Caption) -> str:
    start, end = (
        format_time(seconds, hours=True)
        for seconds in (caption.span.start_seconds, caption.span.end_seconds)
    )
    name = text(language, "caption_title", start=start, end=end)
    button = seek_button(caption.span.start_seconds, start, name=name)
    return f'<th scope="row">{button}</th><td>{end}</td><td>{escape(caption.text)}</td>'


def _scrolled(title: str, table: str) -> str:
    # A region that can be scrolled must be reachable by keyboard.
    return (
        f'<div class="sc-scroll" role="region" tabindex="0" '
        f'aria-label="{escape(title)}">{table}</div>'
    )


def _box_row(frame: AnswerFrame) -> str:
    values = [] if frame.xyxy is None else [f"{v:.1f}" for v in frame.xyxy.tolist()]
    if frame.confidence is not None:
        values.append(f"{frame.confidence:.0%}")
    time = seek_button(frame.time_seconds, format_time(frame.time_seconds))
    cells = "".join(f"<td>{value}</td>" for value in (time, *values))
    return f'<th scope="row">{frame.number}</th>{cells}'


def _table(
    caption: str, heads: Iterable[str], rows: Iterable[str], *, css: str = ""
) -> str:
    """A table.

    Args:
        caption: Read by screen readers.
        heads: Of the columns.
        rows: Cells as HTML, already escaped.
        css: Its further classes.
    """
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in heads)
    body = "".join(f"<tr>{row}</tr>" for row in rows)
    return (
        f'<table class="sc-table {css}"><caption>{escape(caption)}</caption>'
        f"<thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>"
    )
