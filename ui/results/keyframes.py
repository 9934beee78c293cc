"""Key frames of an answer: the strip of them."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from pathlib import Path

from render.timeline import format_time as short_time
from ui.i18n import Language, text
from ui.links import file_url, seek_button
from ui.pictures import FrameFile


def strip(language: Language, frames: Sequence[FrameFile]) -> str:
    """The pictures side by side; a press takes the players there."""
    items = "".join(f"<li>{_button(language, frame)}</li>" for frame in frames)
    title = escape(text(language, "key_frames"))
    return f'<ol class="sc-strip" aria-label="{title}">{items}</ol>'


def picture(name: str, path: Path) -> str:
    """The one picture of an answer that has no clip.

    Args:
        name: What a screen reader says.
        path: It, with its box.
    """
    address = escape(file_url(path))
    return f'<img class="sc-answer-picture" src="{address}" alt="{escape(name)}">'


def _button(language: Language, frame: FrameFile) -> str:
    time = short_time(frame.time_seconds)
    name = text(language, "key_frame", time=time)
    content = f'<img src="{escape(file_url(frame.path))}" alt=""><span>{time}</span>'
    return seek_button(frame.time_seconds, content, name=name)
