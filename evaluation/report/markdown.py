"""A report as Markdown, its pictures in files beside it."""

from __future__ import annotations

import re
from collections.abc import Mapping

from evaluation.report.blocks import Block, Picture, Report, Section, Table, Text

#: Where the pictures go, relative to the Markdown file.
FIGURES = "figures"

# What would be markup in another person's text.
_MARKUP = re.compile(r"([\\`*_{}\[\]<>#|!~$&])")


def to_markdown(report: Report) -> tuple[str, Mapping[str, bytes]]:
    """The whole file.

    Returns:
        The text, and by their paths relative to it the pictures that are not there.
    """
    parts = [f"# {_escaped(report.title)}", *map(_section, report.sections)]
    pictures = {
        _path(block): block.content
        for section in report.sections
        for block in section.blocks
        if isinstance(block, Picture) and not block.place
    }
    return "\n\n".join(parts) + "\n", pictures


def _section(section: Section) -> str:
    heading = f"## {_escaped(section.title)}"
    return "\n\n".join([heading, *map(_block, section.blocks)])


def _block(block: Block) -> str:
    if isinstance(block, Text):
        return _escaped(block.text)
    if isinstance(block, Table):
        return _table(block)
    caption = _escaped(block.caption)
    video = f" [Video]({block.video})" if block.video else ""
    return f"![{caption}]({_path(block)})\n\n{caption}{video}"


def _table(table: Table) -> str:
    lines = [f"*{_escaped(table.caption)}*", ""]
    lines.append(_line(table.header, table.marked))
    lines.append("|" + "---|" * len(table.header))
    lines += [_line(cells, table.marked) for cells in table.rows]
    return "\n".join(lines)


def _line(cells: tuple[str, ...], marked: frozenset[int]) -> str:
    escaped = (
        f"*{_escaped(cell)}*" if number in marked and cell else _escaped(cell)
        for number, cell in enumerate(cells)
    )
    return f"| {' | '.join(escaped)} |"


def _path(picture: Picture) -> str:
    return picture.place or f"{FIGURES}/{picture.name}.{picture.ending}"


def _escaped(text: str) -> str:
    """Text that stays text, on one line."""
    return _MARKUP.sub(r"\\\1", " ".join(text.split()))
