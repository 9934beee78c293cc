"""Links inside the HTML of an answer: to files, and to moments of the players."""

from __future__ import annotations

from html import escape
from pathlib import Path
from urllib.parse import quote


def file_url(path: Path) -> str:
    """Where the browser finds a file in a tab's folder.

    Relative, so that it also holds behind a proxy that puts the page in a folder.

    Args:
        path: Absolute, inside the folder that Gradio serves.
    """
    return f"gradio_api/file={quote(path.as_posix())}"


def seek_button(
    seconds: float,
    content: str,
    *,
    name: str = "",
    css: str = "",
    piece: int | None = None,
) -> str:
    """A button that takes the players to a moment; ``page.js`` does it.

    Args:
        seconds: On the video's clock.
        content: HTML inside it, already escaped.
        name: What a screen reader says, if not the content.
        css: Its classes.
        piece: Which of the clip's pieces is meant, where several show that moment.
    """
    label = f' aria-label="{escape(name)}" title="{escape(name)}"' if name else ""
    which = "" if piece is None else f' data-piece="{piece}"'
    return (
        f'<button type="button" class="sc-seek {css}" data-seek="{seconds:.6f}"'
        f"{which}{label}>"
        f"{content}</button>"
    )
