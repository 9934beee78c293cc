"""Files that are written whole or not at all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from render.output import written_whole
from stablechat.errors import RenderError


def write_json(path: Path, data: Mapping[str, Any] | list[Any]) -> None:
    """Write strict JSON (UTF-8, no NaN) under its name only when it is complete.

    Args:
        path: The file; an older one is replaced.
        data: Plain values.

    Raises:
        RenderError: If the values are not JSON or the file can't be written.
    """
    content = json_bytes(data, Path(path).name)
    with written_whole(Path(path)) as unfinished:
        unfinished.write_bytes(content)


def json_bytes(data: Mapping[str, Any] | list[Any], name: str) -> bytes:
    """Strict JSON as it stands in a file.

    Args:
        data: Plain values.
        name: Of the file, for the message.

    Raises:
        RenderError: If the values are not JSON.
    """
    try:
        text = json.dumps(data, allow_nan=False, ensure_ascii=False, indent=2)
    except (TypeError, ValueError) as error:
        raise RenderError(
            "{name} can't be written: {reason}.", name=name, reason=error
        ) from error
    return text_bytes(text + "\n")


def text_bytes(text: str) -> bytes:
    """Text as UTF-8; a lone surrogate (of a damaged name) becomes a question mark."""
    return text.encode("utf-8", "replace")
