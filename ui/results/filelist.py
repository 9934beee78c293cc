"""The list of an answer's files."""

from __future__ import annotations

from html import escape

from ui.files import ALL, ResultFile, ResultFiles
from ui.i18n import Language, text
from ui.links import file_url
from ui.translation import in_language

_UNITS = ("B", "kB", "MB", "GB", "TB")


def file_list(language: Language, result: ResultFiles) -> str:
    """A link for each file, and why some can't be had."""
    items = "".join(_item(language, file) for file in result.files)
    reasons = {
        name: in_language(language, reason) for name, reason in result.left_out.items()
    }
    missing = "".join(
        f"<li>{escape(_title(language, name))}: {escape(reason)}</li>"
        for name, reason in reasons.items()
    )
    if missing:
        title = escape(text(language, "files_left_out"))
        missing = f'<div class="sc-notes">{title}<ul>{missing}</ul></div>'
    return f'<ul class="sc-files">{items}</ul>{missing}'


def _item(language: Language, file: ResultFile) -> str:
    css = ' class="sc-all"' if file.format == ALL else ""
    name = escape(file.path.name)
    return (
        f'<li{css}><a href="{escape(file_url(file.path))}" download="{name}">{name}</a>'
        f"<span>{escape(_title(language, file.format))}</span>"
        f"<span>{size_text(file.size_bytes)}</span></li>"
    )


def _title(language: Language, name: str) -> str:
    return text(language, f"file_{name.replace('-', '_')}")


def size_text(size_bytes: int) -> str:
    """A size as people read it: ``"812 B"``, ``"1.4 MB"``."""
    size, unit = float(size_bytes), 0
    # What would be written as 1000 belongs to the next unit.
    while size >= 999.5 and unit < len(_UNITS) - 1:
        size, unit = size / 1000, unit + 1
    digits = 1 if unit and size < 99.95 else 0
    return f"{size:.{digits}f} {_UNITS[unit]}"
