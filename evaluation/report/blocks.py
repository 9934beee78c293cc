"""What a report is made of; ``html.py`` and ``markdown.py`` write the same blocks."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Text:
    """A paragraph."""

    text: str


@dataclass(frozen=True)
class Table:
    """A table.

    Attributes:
        caption: What it shows.
        header: Names of the columns.
        rows: Cells, as many as the header has.
        marked: Numbers of columns that are set off: what is not ours.
    """

    caption: str
    header: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]
    marked: frozenset[int] = frozenset()


@dataclass(frozen=True)
class Picture:
    """A figure or a thumbnail.

    Attributes:
        name: What its file is called, without an ending.
        ending: ``png`` or ``jpg``.
        content: The file.
        caption: What it shows.
        video: Where its video lies, relative to the report; empty for none.
        place: Where the file itself lies in the report's folder; empty if it does not.
    """

    name: str
    ending: str
    content: bytes
    caption: str
    video: str = ""
    place: str = ""


Block = Text | Table | Picture


@dataclass(frozen=True)
class Section:
    """A heading and what stands below it."""

    title: str
    blocks: Sequence[Block]


@dataclass(frozen=True)
class Report:
    """A whole report."""

    title: str
    sections: Sequence[Section]
