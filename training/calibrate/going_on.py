"""A file of answers that a stopped run goes on with."""

from __future__ import annotations

import json
import os
from collections import Counter
from collections.abc import Sequence
from itertools import takewhile
from pathlib import Path
from typing import Any

from stablechat.errors import InputError

Json = dict[str, Any]

#: How each row begins. What else ends a file is not ours to cut off.
_ROW_START = b'{"world": '


def to_lines(rows: Sequence[Json], run: Json) -> str:
    """One video's rows as they are written.

    Args:
        rows: All about the video.
        run: What the run was told; a run that goes on must be told the same.
    """
    whole = {"run": run, "num_rows": len(rows)}
    return "".join(json.dumps({**row, **whole}) + "\n" for row in rows)


def take_up(path: Path, run: Json) -> set[int]:
    """Which videos a file has all rows of; what a kill has cut off is taken away.

    Args:
        path: The file; it need not exist.
        run: What this run is told.

    Raises:
        InputError: The file is of another run, or holds something else.
    """
    if not path.exists():
        return set()
    *lines, tail = path.read_bytes().split(b"\n")
    if not (tail.startswith(_ROW_START) or _ROW_START.startswith(tail)):
        lines.append(tail)  # not a row of ours that was cut
    rows = [_row(path, number, line) for number, line in enumerate(lines, 1)]
    for row in rows:
        _check_same(path, row, run)
    written = Counter(row["video_number"] for row in rows)
    # Files of earlier versions do not tell how many rows a video has.
    cut = {
        row["video_number"]
        for row in rows
        if row.get("num_rows", 0) > written[row["video_number"]]
    }
    # A video is written when the one before it is whole, so what is cut is the end.
    kept = list(takewhile(lambda row: row["video_number"] not in cut, rows))
    os.truncate(path, sum(len(line) + 1 for line in lines[: len(kept)]))
    return {row["video_number"] for row in kept}


def _row(path: Path, number: int, line: bytes) -> Json:
    try:
        row: Json = json.loads(line)
        row["video_number"] + 0
    except (ValueError, TypeError, KeyError) as error:
        raise InputError(
            f"{path}, line {number} is no row of this program; choose another --out."
        ) from error
    return row


def _check_same(path: Path, row: Json, run: Json) -> None:
    before = row.get("run", run)
    differing = [name for name in run if before.get(name) != run[name]]
    if differing:
        name = differing[0]
        raise InputError(
            f"{path} was made with another --{name} ({before.get(name)}, now "
            f"{run[name]}); choose another --out."
        )
