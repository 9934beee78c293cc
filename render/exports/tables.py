"""Answers as tables for spreadsheets: comma-separated, UTF-8, a header line.

The files begin with a byte order mark, without which spreadsheets take them for another
encoding; read them as ``utf-8-sig``.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence

from render.exports.files import text_bytes
from render.exports.frames import answer_frames
from render.exports.words import BY_HAND, cell, plain_line
from stablechat.grounding import shown_span
from stablechat.types import Captions, Grounding
from stablechat.video import Timeline

MOMENT_COLUMNS = (
    *("query", "rank", "start_seconds", "end_seconds", "duration_seconds"),
    *("confidence", "text", "video", "corrected"),
)
BOX_COLUMNS = (
    *("query", "moment", "frame", "time_seconds", "x1", "y1", "x2", "y2"),
    *("confidence", "corrected"),
)
CAPTION_COLUMNS = (
    *("start_seconds", "end_seconds", "duration_seconds"),
    *("text", "question", "video"),
)

_Cell = str | int | float | None


def moments_csv(answers: Sequence[Grounding]) -> bytes:
    """One line for each moment.

    Args:
        answers: Each is followed by its alternatives, ranked from 1. One that found
            nothing has a line without times.

    Returns:
        The file, with the columns :data:`MOMENT_COLUMNS`.
    """
    rows = [
        _moment(each, rank)
        for answer in answers
        for rank, each in enumerate((answer, *answer.alternatives), 1)
    ]
    return _table(MOMENT_COLUMNS, rows)


def _moment(answer: Grounding, rank: int) -> list[_Cell]:
    span = shown_span(answer)
    times: list[_Cell] = [None, None, None]
    if span is not None:
        seconds = (span.start_seconds, span.end_seconds, span.duration_seconds)
        times = [_rounded(value, 6) for value in seconds]
    return [
        cell(answer.query),
        rank,
        *times,
        _rounded(answer.confidence, 6),
        cell(answer.prose),
        cell(plain_line(answer.video.path.name)),
        _corrected(answer),
    ]


def _corrected(answer: Grounding) -> str | None:
    return None if answer.original is None else BY_HAND


def boxes_csv(answers: Sequence[Grounding], timeline: Timeline | None) -> bytes:
    """One line for each picture with a box.

    Args:
        answers: About one video.
        timeline: Of the video; None for a still image.

    Returns:
        The file, with the columns :data:`BOX_COLUMNS`; ``moment`` counts the answers
        from 1, boxes are in pixels of the displayed picture.
    """
    rows: list[list[_Cell]] = [
        [
            cell(answer.query),
            moment,
            frame.number,
            _rounded(frame.time_seconds, 6),
            *(_rounded(value, 3) for value in frame.xyxy.tolist()),
            _rounded(frame.confidence, 6),
            _corrected(answer),
        ]
        for moment, answer in enumerate(answers, 1)
        for frame in answer_frames(answer, timeline)
        if frame.xyxy is not None
    ]
    return _table(BOX_COLUMNS, rows)


def captions_csv(captions: Captions) -> bytes:
    """One line for each caption, with the columns :data:`CAPTION_COLUMNS`."""
    rows: list[list[_Cell]] = [
        [
            _rounded(each.span.start_seconds, 6),
            _rounded(each.span.end_seconds, 6),
            _rounded(each.span.duration_seconds, 6),
            cell(each.text),
            cell(captions.question),
            cell(plain_line(captions.video.path.name)),
        ]
        for each in captions.captions
    ]
    return _table(CAPTION_COLUMNS, rows)


def _rounded(value: float | None, digits: int) -> float | None:
    return None if value is None else round(float(value), digits)


def _table(columns: Sequence[str], rows: Iterable[Sequence[_Cell]]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(columns)
    writer.writerows(rows)
    return text_bytes("\ufeff" + text.getvalue())
