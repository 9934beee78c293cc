"""Result rows: JSON lines, one for each question, in the format of the benchmark.

A row is ``{"split", "width", "height", "gt", "outputs", "converted_outputs"}``; rows of
our own runner carry more (``index``, ``video``, ``query``, ``finish_reason``, ...). TVG
and REC rows hold the truth as unit values, in ``gt`` and ``gt_bbox``.
"""

from __future__ import annotations

import json
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evaluation.frames import Split
from evaluation.metrics import Box
from stablechat.errors import InputError
from stablechat.types import Task

RawRow = dict[str, Any]

_NOT_A_ROW = (KeyError, TypeError, ValueError, AttributeError, OverflowError)

#: How each row of a run begins. What else may end a file is not ours to cut off.
_ROW_START = b'{"index": '


@dataclass(frozen=True)
class ResultRow:
    """One row, checked.

    Attributes:
        outputs: The model's text; None where the row lacks it (TVG, REC).
        converted: The same with numbers for tokens.
        missing: Whether there is no answer because the video could not be read.
        split: First and last frame number of the clip.
        width, height: Size in pixels that the true boxes refer to.
        true_frames: Start and end of the event, frame numbers; None for SVG.
        true_boxes: ``{frame: box}`` in pixels.
        true_unit: TVG's span or REC's box, unit values.
    """

    outputs: str | None
    converted: str
    missing: bool
    split: Split = (0, 1)
    width: int = 1
    height: int = 1
    true_frames: tuple[int, int] | None = None
    true_boxes: Mapping[int, Box] = field(default_factory=dict)
    true_unit: tuple[float, ...] = ()


def read_result_rows(path: Path, task: Task) -> list[ResultRow]:
    """Read a file of result rows for scoring.

    Raises:
        InputError: It can't be read, is empty, has a damaged line, or holds rows of
            another task.
    """
    raw_rows = read_json_lines(path)
    if not raw_rows:
        raise InputError(
            f"{path} holds no rows; make some with python -m evaluation run."
        )
    indices = [raw["index"] for raw in raw_rows if "index" in raw]
    if len(set(map(str, indices))) < len(indices):
        raise InputError(f"{path} holds a row twice; make the file anew.")
    rows = []
    for number, raw in enumerate(raw_rows, start=1):
        try:
            rows.append(check_row(raw, task))
        except _NOT_A_ROW as error:
            raise InputError(
                f"Line {number} of {path} is not a result row of task {task} "
                f"({type(error).__name__}: {error})."
            ) from error
    return rows


def check_row(raw: Mapping[str, Any], task: Task) -> ResultRow:
    """Take what scoring needs out of a row.

    Raises:
        KeyError, TypeError, ValueError, AttributeError, OverflowError: It is not
            there, or not that.
    """
    if raw.get("task", task) != task:
        raise ValueError(f"it is of task {raw['task']}")
    missing = bool(raw.get("missing", False))
    converted = _text(raw["converted_outputs"])
    if task in ("tvg", "rec"):
        outputs = None if "outputs" not in raw else _text(raw["outputs"])
        truth = raw["gt"] if task == "tvg" else raw["gt_bbox"]
        unit = _numbers(truth, 2 if task == "tvg" else 4)
        return ResultRow(outputs, converted, missing, true_unit=unit)
    first, last = _numbers(raw["split"], 2)
    if not first < last:
        raise ValueError(
            f"split must be two frame numbers in order, got {raw['split']}"
        )
    truth = raw["gt"]
    frames = None if task == "svg" else _numbers(truth["tvg"], 2)
    return ResultRow(
        outputs=_text(raw["outputs"]),
        converted=converted,
        missing=missing,
        split=(int(first), int(last)),
        width=int(raw["width"]),
        height=int(raw["height"]),
        true_frames=None if frames is None else (int(frames[0]), int(frames[1])),
        true_boxes={int(frame): _box(b) for frame, b in truth["svg"].items()},
    )


def read_json_lines(path: Path) -> list[RawRow]:
    """Read a file of JSON objects, one a line.

    Raises:
        InputError: It can't be read, or a line is not a JSON object.
    """
    rows = []
    for number, line in enumerate(_read(path).split(b"\n"), start=1):
        if not line.strip():
            continue
        row = _json_object(line)
        if row is None:
            raise InputError(
                f"Line {number} of {path} is not a JSON object. If a run was ended in "
                "the middle of it, start the run again: it goes on from there."
            )
        rows.append(row)
    return rows


class RowFile:
    """A file that rows are added to, and that a killed run can go on with.

    A context manager: it holds the open file, closed by ``with``. Nothing is made or
    changed before that.

    Args:
        path: The file; it may exist.

    Attributes:
        rows: What it held already, without a last line that was cut off.

    Raises:
        InputError: It can't be read, or holds something else.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._cut_at: int | None = None
        self._needs_newline = False
        self.rows: list[RawRow] = self._read_rows() if _exists(path) else []

    def _read_rows(self) -> list[RawRow]:
        content = _read(self._path)
        end = content.rfind(b"\n") + 1
        last = content[end:]
        if last and _json_object(last) is None and _begins_like_a_row(last):
            self._cut_at = end
        self._needs_newline = bool(last) and self._cut_at is None
        complete = content if self._cut_at is None else content[:end]
        rows = [_json_object(line) for line in complete.split(b"\n") if line.strip()]
        good = [row for row in rows if row and isinstance(row.get("index"), int)]
        if len(good) < len(rows) or (content and not rows and self._cut_at is None):
            raise InputError(
                f"{self._path} holds something other than the rows of a run; choose "
                "another --out."
            )
        return good

    def __enter__(self) -> RowFile:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            if self._cut_at is not None:
                os.truncate(self._path, self._cut_at)
            self._file = self._path.open("ab")
            if self._needs_newline:
                self._file.write(b"\n")
        except OSError as error:
            raise _not_writable(self._path, error) from error
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def append(self, row: Mapping[str, Any]) -> None:
        """Add a row; it is with the operating system when this returns."""
        line = json.dumps(row, ensure_ascii=False, allow_nan=False)
        # Half of a surrogate pair, which a file name can hold, has no UTF-8.
        self._file.write(line.encode("utf-8", "backslashreplace") + b"\n")
        self._file.flush()


def _begins_like_a_row(line: bytes) -> bool:
    return line.startswith(_ROW_START) or _ROW_START.startswith(line)


def _exists(path: Path) -> bool:
    if os.path.isdir(path):
        raise InputError(f"{path} is a folder; give --out the name of a file.")
    try:
        os.stat(path)
    except FileNotFoundError:
        return False
    except (OSError, ValueError) as error:  # too long, not to be entered, a zero byte
        raise _not_writable(path, error) from error
    return True


def _not_writable(path: Path, error: Exception) -> InputError:
    reason = getattr(error, "strerror", None) or error
    return InputError(f"{path} can't be written to ({reason}); choose another --out.")


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except (OSError, ValueError) as error:  # a name with a zero byte
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path} can't be read ({reason}).") from error


def _json_object(line: bytes) -> RawRow | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _text(value: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"outputs must be text, got {value!r}")
    return value


def _numbers(values: Any, count: int) -> tuple[float, ...]:
    numbers = tuple(float(value) for value in values)
    if len(numbers) != count or not all(map(math.isfinite, numbers)):
        raise ValueError(f"expected {count} numbers, got {values}")
    return numbers


def _box(values: Any) -> Box:
    x1, y1, x2, y2 = _numbers(values, 4)
    return x1, y1, x2, y2
