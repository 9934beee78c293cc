"""The model's text, read as each protocol reads it.

``released`` does what the published evaluation does with the two texts of a row: boxes
come from the one with tokens, spans from the one with numbers. ``strict`` reads the
text with tokens by :mod:`stablechat.parser`, which also understands answers that are
spaced or punctuated differently.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from evaluation.metrics import Box
from stablechat.parser import parse_answer
from stablechat.types import NUM_BINS, ParsedAnswer, Task

Span = tuple[float, float]

_LAST_BIN = NUM_BINS - 1
#: Decimals of the unit values in a row's ``converted_outputs``.
_UNIT_DECIMALS = 5

_TOKEN = re.compile(r"<(?:TEMP|WIDTH|HEIGHT)-(\d+)>")
_NUMBER = r"(\d+(?:\.\d+)?)"
_SPAN = re.compile(rf"\{{\s*{_NUMBER},\s*{_NUMBER}\s*\}}")
# Both are matched against text without spaces.
_BOX = re.compile(rf"\[{_NUMBER},{_NUMBER},{_NUMBER},{_NUMBER}\]")
_ROW = re.compile(rf"{_NUMBER},:{_BOX.pattern}")


@dataclass(frozen=True)
class Answer:
    """What was read; unit values, whatever the text had.

    Attributes:
        span: Start and end, 0..1 of the clip. The start of an ELC answer is not the
            model's (the question gives it): only the end counts.
        boxes: ``{temporal bin: box}``.
        box: The box of a still image.
    """

    span: Span | None = None
    boxes: Mapping[float, Box] = field(default_factory=dict)
    box: Box | None = None


def convert_outputs(text: str) -> str:
    """The text with numbers for tokens, as result rows hold it.

    ``{<TEMP-004><TEMP-010>}`` becomes ``{0.04040,0.10101}``, and ``<TEMP-004>:[`` the
    odd ``0.04040,:[``: a comma follows each number that no bracket follows.
    """
    return _without_tokens(
        text, lambda value: f"{value / _LAST_BIN:.{_UNIT_DECIMALS}f}"
    )


def _without_tokens(text: str, write: Callable[[int], str]) -> str:
    numbers = _TOKEN.sub(lambda match: f"{write(int(match[1]))},", text)
    return numbers.replace(",]", "]").replace(",}", "}")


def read_released(outputs: str | None, converted: str, task: Task) -> Answer:
    """Read a row as the published evaluation does.

    Args:
        outputs: The text with tokens; rows of TVG and REC may lack it.
        converted: The text with numbers.
        task: What was asked. The span of an ELC answer is looked for in braces, where
            it never is.

    Returns:
        The parts that were found. Of several boxes for one bin the last counts.
    """
    if task == "rec":
        return Answer(box=_first_box(converted))
    if task == "tvg":
        return Answer(span=_first_span(converted))
    bare = _without_tokens(outputs or "", str).replace(" ", "")
    rows = ([float(number) for number in row] for row in _ROW.findall(bare))
    boxes = {row[0]: _unit_box(row[1:]) for row in rows}
    return Answer(span=_first_span(converted), boxes=boxes)


def read_strict(outputs: str | None, converted: str, task: Task) -> Answer:
    """Read a row as well as it can be read; the arguments are the same."""
    if outputs is None and task in ("tvg", "rec"):
        # Numbers in the text are finer than bins.
        exact = read_released(outputs, converted, task)
        if exact != Answer():
            return exact
    parsed = parse_answer(converted if outputs is None else outputs, task)
    boxes = {float(time_bin): _unit_box(b) for time_bin, b in parsed.boxes_bins.items()}
    return Answer(_span_of(parsed), boxes, boxes.get(0.0) if task == "rec" else None)


def _span_of(parsed: ParsedAnswer) -> Span | None:
    if parsed.span_bins is None:
        return None
    # The same decimals as in converted_outputs, so that the protocols differ in what
    # they are meant to differ in, and in nothing else.
    start, end = (
        round(value / _LAST_BIN, _UNIT_DECIMALS) for value in parsed.span_bins
    )
    return start, end


def _first_span(converted: str) -> Span | None:
    match = _SPAN.search(converted)
    return None if match is None else (float(match[1]), float(match[2]))


def _first_box(converted: str) -> Box | None:
    match = _BOX.search(converted.replace(" ", ""))
    if match is None:
        return None
    x1, y1, x2, y2 = map(float, match.groups())
    return x1, y1, x2, y2


def _unit_box(bins: Sequence[float]) -> Box:
    x1, y1, x2, y2 = (value / _LAST_BIN for value in bins)
    return x1, y1, x2, y2
