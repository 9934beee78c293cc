"""The form of an answer, by task: its words and coordinates in their order, as tokens.

A *slot* is a token of the vocabulary. A word is itself; a coordinate is named by the
first token of its table, ``<TEMP-000>`` for any time.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from stablechat.types import NUM_BINS, Task

Encode = Callable[[str], list[int]]

#: What stands before the rows. "t", "w" and "h" alone are coordinates; None is prose.
_OPENINGS: dict[Task, tuple[str | None, ...]] = {
    "stvg": ("During the span of {", "t", "t", "}. Object bounding box: "),
    "svg": (),
    "elc": ("Ends in ", "t", ",", None, ". Object bounding box: "),
    "tvg": ("{", "t", "t", "}"),
    "rec": ("[", "w", "h", "w", "h", "]"),
}
_ROW = ("t", ":[", "w", "h", "w", "h", "], ")
_TASKS_WITH_ROWS = ("stvg", "svg", "elc")

#: Stands for prose of any length in a form.
PROSE = -1


@dataclass(frozen=True)
class Tables:
    """Where the coordinate tables are in the vocabulary.

    Attributes:
        first: Id of ``<TEMP-000>``; the heights' and the widths' follow.
    """

    first: int

    @property
    def time(self) -> int:
        """Id of ``<TEMP-000>``."""
        return self.first

    @property
    def height(self) -> int:
        """Id of ``<HEIGHT-000>``."""
        return self.first + NUM_BINS

    @property
    def width(self) -> int:
        """Id of ``<WIDTH-000>``."""
        return self.first + 2 * NUM_BINS

    def slot(self, token: int) -> int:
        """The slot that a token fills."""
        place = token - self.first
        return token if place < 0 else self.first + place // NUM_BINS * NUM_BINS

    def bin(self, token: int) -> int:
        """The bin that a coordinate token means."""
        return (token - self.first) % NUM_BINS

    def is_time(self, token: int) -> bool:
        """Whether a token is a time."""
        return 0 <= token - self.first < NUM_BINS

    def is_place(self, token: int) -> bool:
        """Whether a token is a height or a width."""
        return token >= self.first + NUM_BINS


@dataclass(frozen=True)
class AnswerForm:
    """How answers to one task look.

    Attributes:
        opening: Slots before the rows; :data:`PROSE` where the model says what it
            likes.
        row: Slots of one row, its time first, with what leads to the next row; empty
            where there are none.
    """

    opening: tuple[int, ...] = ()
    row: tuple[int, ...] = ()


def answer_form(task: Task, encode: Encode, tables: Tables) -> AnswerForm:
    """The form of a task's answers, in the words of its training.

    Args:
        task: What is asked.
        encode: Text to tokens.
        tables: Where the coordinates are.
    """
    opening = _slots(_OPENINGS.get(task, ()), encode, tables)
    row = _slots(_ROW, encode, tables) if task in _TASKS_WITH_ROWS else ()
    return AnswerForm(opening, row)


def _slots(
    pieces: tuple[str | None, ...], encode: Encode, tables: Tables
) -> tuple[int, ...]:
    coordinates = {"t": tables.time, "w": tables.width, "h": tables.height}
    slots: list[int] = []
    for piece in pieces:
        if piece is None:
            slots.append(PROSE)
        elif piece in coordinates:
            slots.append(coordinates[piece])
        else:
            slots.extend(encode(piece))
    return tuple(slots)
