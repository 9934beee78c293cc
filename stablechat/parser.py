"""The model's text, read into bins: a span, boxes and prose.

Every answer is a sentence with coordinate tokens in it::

    During the span of {<TEMP-004><TEMP-010>}. Object bounding box:
    <TEMP-004>:[<WIDTH-042><HEIGHT-026><WIDTH-047><HEIGHT-040>], <TEMP-005>:[...
    Ends in <TEMP-058>, the cat jumps onto the table. Object bounding box: ...

or the same with unit values, as saved by the evaluation (``{0.04040,0.10101}``,
``0.04040,:[0.42424,0.26263,0.47475,0.40404]``) or written by hand (``<t0.040>``).

Reading takes three steps: a regular expression finds the coordinates (*marks*, see
``marks.py``); marks that stand together become *events*, a box row or a loose time;
the task decides what the events mean. Nothing here raises on any text, and all of it
is linear in the text's length.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile
from typing import NamedTuple

from stablechat.marks import BAD, VOCABULARY_MARK, Axis, Mark, find_marks
from stablechat.remarks import ODDITIES
from stablechat.sentences import Sentence
from stablechat.types import BoxBins, CoordinateTokens, ParsedAnswer, Task

#: Longest text that is read; a whole answer of the model has under 20,000 characters.
MAX_TEXT_CHARACTERS = 200_000

#: Longest run of punctuation between a row's time and its box.
_MAX_GAP = 16
_BOX_AXES: tuple[Axis, ...] = ("w", "h")

_WORD = re.compile(r"\w")
_ENDS_IN = re.compile(r"\bends?\s+(?:in|at)\s*$", re.IGNORECASE)
_LEAD_IN = re.compile(
    r"\b(?:during the span of|(?:starts?|ends?) (?:in|at))[\s:\[{(]*$", re.IGNORECASE
)
_BOX_LEFTOVER = re.compile(
    r"\bobject bounding box(?:es)?\b\s{0,4}:?"
    # What is left of a box in unit values that was cut short.
    r"|\[\s{0,4}[01]?\.[0-9][0-9\s.,;]{0,60}\]?",
    re.IGNORECASE,
)
_CONTROL_TOKEN = re.compile(
    r"<\|(?:im_start|im_end|endoftext)\|>"
    r"|<(?:im|vid|slow_vid)_(?:start|end|patch)>"
    # A coordinate token that the end of the text cut in two.
    r"|<(?:TEMP|WIDTH|HEIGHT)-?[^<>\s]{0,12}\Z"
)
# Control characters, and halves of surrogate pairs, which no file can hold.
_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]+")


class _Cell(NamedTuple):
    """A number of a box; ``token`` is its place among the coordinate tokens."""

    axis: Axis
    bin: int
    token: int | None


@dataclass(frozen=True)
class _Row:
    """A box, complete or not, with the time it stands beside (None: no time)."""

    time: int | None
    cells: tuple[_Cell, ...]


@dataclass(frozen=True)
class _Loose:
    """A time with no box beside it."""

    time: int
    ends: bool = False  # "Ends in" stands before it
    alone_in_braces: bool = False
    token: int | None = None  # as in _Cell


_Event = _Row | _Loose
_Box = tuple[_Cell, _Cell, _Cell, _Cell]  # x1, y1, x2, y2
_Ends = tuple[_Loose, _Loose]


def parse_answer(text: str, task: Task) -> ParsedAnswer:
    """Read the model's text.

    Of several boxes for one frame the last is kept, as in the released evaluation. An
    ELC answer gives only its end: its span starts at its first box. An SVG answer
    usually has no span, because the question gave it.

    Args:
        text: Any text.
        task: What was asked. A description is not searched for coordinates.

    Returns:
        The span and the boxes that could be read; what was odd is in ``issues``.
    """
    odd = Counter(cut=int(len(text) > MAX_TEXT_CHARACTERS))
    text = text[:MAX_TEXT_CHARACTERS]
    if task == "describe":
        return ParsedAnswer(task, _description(text), None, {}, _sentences(odd))
    marks = list(find_marks(text, task))
    odd["bad"] = sum(mark.bins.count(BAD) for mark in marks)
    events = _group(text, marks)
    rows = [event for event in events if isinstance(event, _Row)]
    boxes = _image_box(rows, odd) if task == "rec" else _boxes(rows, odd)
    ends = None if task == "rec" else _span(events, boxes, task, odd)
    odd["no_time"] = int(ends is None and task in ("stvg", "tvg", "elc"))
    odd["no_box"] = task != "tvg" and not (boxes or odd["incomplete"] + odd["timeless"])
    return ParsedAnswer(
        task,
        _prose(text, marks, task),
        None if ends is None else (ends[0].time, ends[1].time),
        {time: _corners(box) for time, box in boxes.items()},
        _sentences(odd),
        _tokens(marks, ends, boxes),
    )


def _corners(box: _Box) -> BoxBins:
    x1, y1, x2, y2 = box
    return x1.bin, y1.bin, x2.bin, y2.bin


def _tokens(
    marks: Sequence[Mark], ends: _Ends | None, boxes: Mapping[int, _Box]
) -> CoordinateTokens:
    written = [(m.axis, m.bins[0]) for m in marks if m.token is not None]
    places = {time: tuple(cell.token for cell in box) for time, box in boxes.items()}
    return CoordinateTokens(
        tuple(written),
        (None, None) if ends is None else (ends[0].token, ends[1].token),
        {
            t: (x1, y1, x2, y2)
            for t, (x1, y1, x2, y2) in places.items()
            if x1 is not None and y1 is not None and x2 is not None and y2 is not None
        },
    )


def _sentences(odd: Counter[str]) -> tuple[str, ...]:
    said = ((text, odd[kind]) for kind, text in ODDITIES.items() if odd[kind])
    return tuple(
        text if isinstance(text, str) else Sentence(text[count > 1], count=count)
        for text, count in said
    )


# --- events ---------------------------------------------------------------------


def _group(text: str, marks: Sequence[Mark]) -> list[_Event]:
    """Put marks that stand together into rows and loose times."""
    events: list[_Event] = []
    head: Mark | None = None
    cells: list[_Cell] = []

    def close() -> None:
        if cells:
            events.append(_Row(head.bins[0] if head else None, tuple(cells)))
        elif head is not None:
            events.append(_time_event(text, head))
        cells.clear()

    previous_end = 0
    for mark in marks:
        is_box_part = mark.axis in ("w", "h") or len(mark.bins) == 4
        if not (is_box_part and _touch(text, previous_end, mark.start)):
            close()
            head = None
        if is_box_part:
            cells.extend(_Cell(mark.axis, value, mark.token) for value in mark.bins)
        elif mark.axis == "t":
            head = mark
        else:
            events.extend(_Loose(value) for value in mark.bins)
        previous_end = mark.end
    close()
    return events


def _touch(text: str, start: int, end: int) -> bool:
    """Whether only punctuation, and no end of a span, lies between two marks."""
    gap = text[start : min(end, start + _MAX_GAP + 1)]
    return len(gap) <= _MAX_GAP and not any(c.isalnum() or c == "}" for c in gap)


def _time_event(text: str, mark: Mark) -> _Event:
    before = text[max(0, mark.start - 12) : mark.start]
    after = text[mark.end : mark.end + 4].lstrip(" ,")
    if after.startswith(":"):
        return _Row(mark.bins[0], ())
    return _Loose(
        mark.bins[0],
        ends=_ENDS_IN.search(before) is not None,
        alone_in_braces=before.rstrip().endswith("{") and after.startswith("}"),
        token=mark.token,
    )


# --- boxes ----------------------------------------------------------------------


def _boxes(rows: Sequence[_Row], odd: Counter[str]) -> dict[int, _Box]:
    boxes: dict[int, _Box] = {}
    latest = 0
    for row in rows:
        box = _box(row.cells, odd)
        if box is None or row.time == BAD:
            continue
        if row.time is None:
            odd["timeless"] += 1
            continue
        odd["duplicate"] += row.time in boxes
        odd["unsorted"] |= row.time < latest
        latest = max(latest, row.time)
        boxes[row.time] = box
    return dict(sorted(boxes.items()))


def _image_box(rows: Sequence[_Row], odd: Counter[str]) -> dict[int, _Box]:
    read = (_box(row.cells, odd) for row in rows)
    boxes = [box for box in read if box is not None]
    odd["other_boxes"] = int(len(boxes) > 1)
    return {0: boxes[0]} if boxes else {}


def _box(cells: Sequence[_Cell], odd: Counter[str]) -> _Box | None:
    """Corners from a row's coordinates, or None when they do not make a box."""
    # Unit values carry no axis: they take the one of their place.
    first = [
        cell if cell.axis else cell._replace(axis=_BOX_AXES[place % 2])
        for place, cell in enumerate(cells[:4])
    ]
    axes = [cell.axis for cell in first]
    if sorted(axes) != ["h", "h", "w", "w"] or BAD in (cell.bin for cell in first):
        odd["incomplete"] += 1
        return None
    xs = [cell for cell in first if cell.axis == "w"]
    ys = [cell for cell in first if cell.axis == "h"]
    x1, x2 = sorted(xs, key=_bin_of)
    y1, y2 = sorted(ys, key=_bin_of)
    odd["extra"] += len(cells) > 4
    odd["axes"] += axes != ["w", "h", "w", "h"]
    odd["swapped"] += [x1, x2] != xs or [y1, y2] != ys
    return x1, y1, x2, y2


def _bin_of(cell: _Cell) -> int:
    return cell.bin


# --- span -----------------------------------------------------------------------


def _span(
    events: Sequence[_Event],
    boxes: Mapping[int, _Box],
    task: Task,
    odd: Counter[str],
) -> _Ends | None:
    if task == "elc":
        return _span_to_end(events, boxes, odd)
    pairs = list(_pairs(events))
    if pairs:
        odd["many_spans"] = int(len({(a.time, b.time) for a, b in pairs}) > 1)
        return _ordered(*pairs[0], odd)
    for event in events:
        if isinstance(event, _Loose) and event.alone_in_braces and event.time != BAD:
            odd["one_time"] = 1
            return event, event
    return None


def _pairs(events: Sequence[_Event]) -> Iterator[_Ends]:
    """Loose times that follow each other, two by two."""
    start: _Loose | None = None
    for event in events:
        if isinstance(event, _Row):
            start = None
        elif start is None:
            start = event
        else:
            if BAD not in (start.time, event.time):
                yield start, event
            start = None


def _span_to_end(
    events: Sequence[_Event], boxes: Mapping[int, _Box], odd: Counter[str]
) -> _Ends | None:
    """The span of an answer that names only its end, or both ends."""
    times = _times_of_end(events)
    if not times:
        return None
    if len(times) == 2:
        return _ordered(times[0], times[1], odd)
    end = times[0]
    first = next(iter(boxes), end.time)
    return (_Loose(first) if first < end.time else end), end


def _times_of_end(events: Sequence[_Event]) -> tuple[_Loose, ...]:
    """The time after "Ends in", else the first of the answer; a start before it."""
    leading = list(takewhile(lambda event: isinstance(event, _Loose), events))
    named = (
        place
        for place, event in enumerate(events)
        if isinstance(event, _Loose) and event.ends
    )
    place = next(named, min(len(leading), 2) - 1)
    around = events[max(place - 1, 0) : place + 1]
    return tuple(
        event for event in around if isinstance(event, _Loose) and event.time != BAD
    )


def _ordered(start: _Loose, end: _Loose, odd: Counter[str]) -> _Ends:
    odd["reversed"] = int(start.time > end.time)
    return (end, start) if start.time > end.time else (start, end)


# --- prose ----------------------------------------------------------------------


def _prose(text: str, marks: Sequence[Mark], task: Task) -> str:
    """The words around the coordinates, without the sentence frames."""
    starts = [0, *(mark.end for mark in marks)]
    ends = [*(mark.start for mark in marks), len(text)]
    pieces = (
        _LEAD_IN.sub("", text[start:end]) if end < len(text) else text[start:end]
        for start, end in zip(starts, ends, strict=True)
        if _WORD.search(text, start, end)
    )
    words = (_trimmed(_BOX_LEFTOVER.sub(" ", _printable(piece))) for piece in pieces)
    prose = " ".join(" ".join(word for word in words if word).split())
    # The captions of the training data are clauses, without a full stop.
    return prose.rstrip(". ") if task == "elc" else prose


def _trimmed(piece: str) -> str:
    """Without the punctuation that held coordinates, empty if nothing else is left."""
    kept = piece.strip().lstrip("]}):,.; ").rstrip("[{(:,; ")
    return kept if any(char.isalnum() for char in kept) else ""


def _description(text: str) -> str:
    """A plain answer: its paragraphs stay, tokens go."""
    lines = _printable(VOCABULARY_MARK.sub(" ", text)).splitlines()
    return "\n".join(" ".join(line.split()) for line in lines).strip()


def _printable(text: str) -> str:
    return _UNPRINTABLE.sub(" ", _CONTROL_TOKEN.sub(" ", text))
