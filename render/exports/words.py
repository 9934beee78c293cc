"""What people typed, made fit for files that treat some characters as their own."""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path

from stablechat.types import Grounding

_MAX_STEM_CHARACTERS = 60
_MAX_STEM_BYTES = 180

#: Said of an answer that a person corrected.
BY_HAND = "corrected by hand"

#: With these a spreadsheet begins a formula, in either width.
_FORMULA_STARTS = "=+-@＝＋－＠"  # noqa: RUF001 (they are what is meant)


def plain_line(text: str) -> str:
    """Text on one line: white space collapsed, control characters gone."""
    kept = "".join(
        " " if unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") else char
        for char in text
    )
    return " ".join(kept.split())


def title_of(answer: Grounding) -> str:
    """What an answer is about in a few words: the query, or what the model said."""
    return plain_line(answer.query) or plain_line(answer.prose) or "moment"


def safe_stem(name: str) -> str:
    """A file name's stem that every system takes, in letters of any script.

    Args:
        name: For example ``"My kitchen (2).MP4"``.

    Returns:
        For example ``"My_kitchen_2"``; no separators, no dots, never empty.
    """
    stem = Path(name.replace("\\", "/")).stem
    kept = re.sub(r"[^\w-]+", "_", stem).strip("_-")
    return short_stem(kept[:_MAX_STEM_CHARACTERS]) or "video"


def short_stem(stem: str) -> str:
    """A stem with room for what files' names end with: systems take 255 bytes."""
    while len(os.fsencode(stem)) > _MAX_STEM_BYTES:
        stem = stem[:-1]
    return stem


def cell(text: str) -> str:
    """Text for a spreadsheet's cell, which must not become a formula.

    An apostrophe in front tells spreadsheets that the rest is text.
    """
    line = plain_line(text)
    return f"'{line}" if line.startswith(tuple(_FORMULA_STARTS)) else line
