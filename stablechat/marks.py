"""Coordinates found in the model's text, by one regular expression.

A *mark* is one token (``<TEMP-004>``), one unit value written as a token (``<t0.040>``)
or a bracket of bare unit values (``{0.04040,0.10101}``). Every repetition in the
expression has a small upper bound, so that reading is linear in any text's length.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from stablechat.types import NUM_BINS, Task

Axis = Literal["t", "w", "h", ""]

#: Stands for a coordinate that is there but can't be used: <WIDTH-110>, <HEIGHT--02>.
BAD = -1

_NUMBER = r"-?(?:[0-9]{1,4}(?:\.[0-9]{0,12})?|\.[0-9]{1,12})"
_DECIMAL = r"[0-9]?\.[0-9]{1,12}"
_SEPARATOR = r"[\s,;]{1,6}"

_MARK = re.compile(
    rf"""
      <\s{{0,2}}(?P<axis>TEMP|WIDTH|HEIGHT)-(?P<bin>[^<>\s]{{0,12}})\s{{0,2}}>
    | <(?P<unit_axis>[twh])(?P<unit>-?[0-9]{{0,4}}\.[0-9]{{1,12}})>
    | \[\s{{0,4}}(?P<box>{_NUMBER}(?:{_SEPARATOR}{_NUMBER}){{3}})
    | (?P<open>[\[{{])\s{{0,4}}(?P<span>{_NUMBER}{_SEPARATOR}{_NUMBER})\s{{0,4}}[\]}}]
    | (?<![\w.])(?P<head>{_DECIMAL})[\s,]{{0,4}}:(?=\s{{0,4}}(?:\[|\.?\s{{0,4}}\Z))
    | \bends?\s{{1,3}}(?:in|at)\s{{1,3}}(?P<end>{_DECIMAL})(?![\w.])
    """,
    re.IGNORECASE | re.VERBOSE,
)
VOCABULARY_MARK = re.compile(
    r"<\s{0,2}(?:TEMP|WIDTH|HEIGHT)-[^<>\s]{0,12}\s{0,2}>", re.IGNORECASE
)
# By first letter: case-insensitive matching also lets some non-ASCII letters through.
_AXES: Mapping[str, Axis] = {"t": "t", "w": "w", "h": "h"}
_NAMES: Mapping[Axis, str] = {"t": "TEMP", "w": "WIDTH", "h": "HEIGHT"}


@dataclass(frozen=True)
class Mark:
    """Coordinates found in the text: one token, or a bracket of unit values."""

    axis: Axis  # "" for four unit values in a box, or two in a span
    bins: tuple[int, ...]  # BAD where unusable
    start: int
    end: int
    # Place among the text's coordinate tokens; None for anything else.
    token: int | None = None


def find_marks(text: str, task: Task) -> Iterator[Mark]:
    """Find every coordinate, usable or not, from left to right.

    Args:
        text: Any text.
        task: What was asked; square brackets hold a time span only where no box
            was asked for.

    Yields:
        Marks that do not overlap.
    """
    tokens = 0
    for match in _MARK.finditer(text):
        kind = match.lastgroup
        if kind == "bin":
            axis, value = _AXES[match["axis"][0].lower()], _bin(match["bin"])
            # Letter by letter as the vocabulary has it: anything else is words.
            is_token = match[0] == f"<{_NAMES[axis]}-{value:03d}>" and value != BAD
            yield Mark(axis, (value,), *match.span(), tokens if is_token else None)
            tokens += is_token
        elif kind == "unit":
            axis = _AXES[match["unit_axis"].lower()]
            yield Mark(axis, _unit_bins(match["unit"]), *match.span())
        elif kind in ("head", "end"):
            yield Mark("t", _unit_bins(match[kind]), *match.span(kind))
        elif kind == "box":
            yield Mark("", _unit_bins(match["box"]), *match.span())
        elif match["open"] == "{" or task == "tvg":
            yield Mark("", _unit_bins(match["span"]), *match.span())


def _bin(digits: str) -> int:
    usable = digits.isascii() and digits.isdigit() and int(digits) < NUM_BINS
    return int(digits) if usable else BAD


def _unit_bins(numbers: str) -> tuple[int, ...]:
    values = [float(number) for number in re.findall(_NUMBER, numbers)]
    return tuple(
        int(value * (NUM_BINS - 1) + 0.5) if 0 <= value <= 1 else BAD
        for value in values
    )
