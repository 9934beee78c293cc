"""Files of JSON objects, one a line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from stablechat.errors import InputError

RawRow = dict[str, Any]


def read_json_lines(path: Path) -> list[RawRow]:
    """Read a file of JSON objects, one a line.

    Raises:
        InputError: It can't be read, or a line is not a JSON object.
    """
    rows = []
    for number, line in enumerate(read_bytes(path).split(b"\n"), start=1):
        if not line.strip():
            continue
        row = json_object(line)
        if row is None:
            raise InputError(
                f"Line {number} of {path} is not a JSON object. If a run was ended in "
                "the middle of it, start the run again: it goes on from there."
            )
        rows.append(row)
    return rows


def json_object(line: bytes) -> RawRow | None:
    """The object on a line; None if it is something else."""
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def read_bytes(path: Path) -> bytes:
    """All of a file.

    Raises:
        InputError: It can't be read.
    """
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:  # a name with a zero byte
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path} can't be read ({reason}).") from error
