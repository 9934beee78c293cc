"""The whole video as a line, with the answer and the other candidates on it."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape

from render.timeline import format_time as short_time
from render.timeline import round_moments
from stablechat.types import Captions, TimeSpan
from ui.i18n import Language, text
from ui.links import seek_button
from ui.results.moments import Moment, moment_title, rank_mark
from ui.together import Piece

#: Candidates that get a lane of their own; the table lists all.
MAX_LANES = 5

#: Marks that fit on a phone's line.
_MOST_MARKS = 5
#: Behind this a mark stands before its moment, so that it does not stick out.
_LAST_SHARE = 0.96


def timeline(
    language: Language,
    duration_seconds: float,
    moments: Sequence[Moment],
    pieces: Sequence[Piece],
    folder: str = "",
    looked_at: TimeSpan | None = None,
) -> str:
    """The line, its marks, and where there are several a lane for each candidate.

    ``page.js`` moves the players when the line is dragged or a lane is pressed, and the
    line while they play; the data attributes say what the clip shows, of which video.

    Args:
        language: Of the labels.
        duration_seconds: Length of the video.
        moments: The answer first.
        pieces: What parts of the video the clip shows; none where there is no clip.
        folder: Name of the video's own folder, by which it is known when another one
            was uploaded since.
        looked_at: The part of the video that the model saw; None is all of it.
    """
    data = f' data-folder="{escape(folder)}"'
    if pieces:
        data += f' data-pieces="{_pieces(pieces)}"'
    # Of several candidates the line shows the answer; of several answers all.
    marked = moments if any(moment.question for moment in moments) else moments[:1]
    spans = [moment.span for moment in marked]
    lanes = _lanes(language, moments, duration_seconds)
    start = _start(moments)
    return _section(language, duration_seconds, spans, data, start, looked_at, lanes)


def parts_timeline(language: Language, captions: Captions, folder: str = "") -> str:
    """The line with every part about which something is said, parted by gaps.

    Args:
        language: Of the labels.
        captions: What is said.
        folder: As for :func:`timeline`.
    """
    spans = [each.span for each in captions.captions]
    data = f' data-folder="{escape(folder)}"'
    start = spans[0].start_seconds if spans else 0.0
    length = captions.video.duration_seconds
    return _section(
        language, length, spans, data, start, captions.segment, css="sc-parts"
    )


def _section(
    language: Language,
    duration_seconds: float,
    spans: Sequence[TimeSpan],
    data: str,
    start_seconds: float,
    looked_at: TimeSpan | None,
    lanes: str = "",
    css: str = "",
) -> str:
    title = escape(text(language, "timeline"))
    return (
        f'<section class="sc-timeline {css}" aria-label="{title}"{data}>'
        f'<div class="sc-line">{_outside(looked_at, duration_seconds)}'
        f"{_marked(spans, duration_seconds)}"
        f'<input type="range" class="sc-scrub" min="0" max="{duration_seconds:.6f}" '
        f'step="any" value="{start_seconds:.6f}" '
        f'aria-label="{escape(text(language, "position"))}"></div>'
        f"{_marks(duration_seconds)}{lanes}</section>"
    )


def _start(moments: Sequence[Moment]) -> float:
    """Where the line stands at first: where the clip begins."""
    return moments[0].span.start_seconds if moments else 0.0


def _pieces(pieces: Sequence[Piece]) -> str:
    """Start, end and place in the clip of each, as JSON."""
    data = [
        [piece.span.start_seconds, piece.span.end_seconds, piece.at_seconds]
        for piece in pieces
    ]
    return json.dumps([[round(value, 6) for value in piece] for piece in data])


def _lanes(
    language: Language, moments: Sequence[Moment], duration_seconds: float
) -> str:
    """A lane for each of several candidates; one alone is on the line already."""
    if len(moments) < 2:
        return ""
    lanes = (
        _lane(language, moment, duration_seconds, place == 0)
        for place, moment in enumerate(moments[:MAX_LANES])
    )
    return f'<div class="sc-lanes">{"".join(lanes)}</div>'


def _outside(looked_at: TimeSpan | None, duration_seconds: float) -> str:
    """What the model did not see, before and after the part that it saw."""
    if looked_at is None:
        return ""
    ends = (
        TimeSpan(0.0, looked_at.start_seconds),
        TimeSpan(min(looked_at.end_seconds, duration_seconds), duration_seconds),
    )
    return "".join(
        f'<span class="sc-outside" style="{_place(end, duration_seconds)}"></span>'
        for end in ends
        if end.duration_seconds > 0
    )


def _marked(spans: Sequence[TimeSpan], duration_seconds: float) -> str:
    return "".join(
        f'<span class="sc-marked" style="{_place(span, duration_seconds)}"></span>'
        for span in spans
    )


def _lane(
    language: Language, moment: Moment, duration_seconds: float, first: bool
) -> str:
    css = "sc-first" if first else ""
    button = seek_button(
        moment.span.start_seconds,
        f"<span>{rank_mark(moment)}</span>",
        name=moment_title(language, moment),
        css=css,
        piece=moment.rank - 1 if moment.question else None,
    )
    place = _place(moment.span, duration_seconds)
    return f'<div class="sc-lane"><span style="{place}">{button}</span></div>'


def _place(span: TimeSpan, duration_seconds: float) -> str:
    """Left edge and width as shares of the line."""
    start = min(span.start_seconds / duration_seconds, 1.0)
    end = min(span.end_seconds / duration_seconds, 1.0)
    return f"left:{start:.4%};width:{end - start:.4%}"


def _marks(duration_seconds: float) -> str:
    moments = round_moments(duration_seconds, _MOST_MARKS)
    tenths = len(moments) > 1 and moments[1] < 1
    marks = ""
    for seconds in moments:
        share = seconds / duration_seconds
        css = ' class="sc-last"' if share > _LAST_SHARE else ""
        time = short_time(seconds, tenths=tenths)
        marks += f'<span{css} style="left:{share:.4%}">{time}</span>'
    return f'<div class="sc-marks" aria-hidden="true">{marks}</div>'
