"""Files that are written whole or not at all."""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from stablechat.errors import RenderError


def write_json(path: Path, data: Mapping[str, Any] | list[Any]) -> None:
    """Write strict JSON (UTF-8, no NaN) under its name only when it is complete.

    Args:
        path: The file; an older one is replaced.
        data: Plain values.

    Raises:
        RenderError: If the values are not JSON or the file can't be written.
    """
    write_bytes(path, json_bytes(data, Path(path).name))


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
        raise RenderError(f"{name} can't be written: {error}.") from error
    return text_bytes(text + "\n")


def text_bytes(text: str) -> bytes:
    """Text as UTF-8; a lone surrogate (of a damaged name) becomes a question mark."""
    return text.encode("utf-8", "replace")


def write_bytes(path: Path, content: bytes) -> None:
    """Write a file under its name only when it is complete.

    Args:
        path: The file; an older one is replaced.
        content: All of it.

    Raises:
        RenderError: If it can't be written.
    """
    path = Path(path)
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        temporary.write_bytes(content)
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        raise RenderError(
            f"{path.name} can't be written: {error.strerror or error}."
        ) from error
