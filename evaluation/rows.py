"""Result rows: JSON lines, one for each question, in the format of the benchmark.

A row is ``{"split", "width", "height", "gt", "outputs", "converted_outputs"}``; rows of
our own runner carry more (``index``, ``video``, ``query``, ``finish_reason``, ...). TVG
and REC rows hold the truth as unit values, in ``gt`` and ``gt_bbox``.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evaluation.frames import Split
from evaluation.json_lines import RawRow, read_json_lines
from evaluation.metrics import Box
from evaluation.row_file import RowFile
from stablechat.errors import InputError
from stablechat.types import Task

__all__ = [
    "RawRow",
    "ResultRow",
    "RowFile",
    "check_row",
    "read_json_lines",
    "read_result_rows",
]

_NOT_A_ROW = (KeyError, TypeError, ValueError, AttributeError, OverflowError)


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
        true_track: ``{frame: box}`` on every frame of the event, where the benchmark
            has that.
        caption: What happens, for ELC.
        index: The row's number in its benchmark; -1 where the file does not say.
        video: Its video or image, as annotated.
        query: The bare query.
        kind: What kind of sentence it is, where the benchmark has kinds.
        fps: Frames a second, where the benchmark says so.
        finish_reason: How the answer ended; empty where the file does not say.
        num_tokens: Tokens of the answer; 0 where the file does not say.
        num_passes: Forward passes that wrote them; 0 where it does not say.
    """

    outputs: str | None
    converted: str
    missing: bool = False
    split: Split = (0, 1)
    width: int = 1
    height: int = 1
    true_frames: tuple[int, int] | None = None
    true_boxes: Mapping[int, Box] = field(default_factory=dict)
    true_unit: tuple[float, ...] = ()
    true_track: Mapping[int, Box] = field(default_factory=dict)
    caption: str = ""
    index: int = -1
    video: str = ""
    query: str = ""
    kind: str = ""
    fps: float | None = None
    finish_reason: str = ""
    num_tokens: int = 0
    num_passes: int = 0


def read_result_rows(path: Path, task: Task) -> list[ResultRow]:
    """Read a file of result rows for scoring.

    Returns:
        Its rows; none for an empty file, as a run leaves it that was ended at once.

    Raises:
        InputError: It can't be read, has a damaged line, or holds rows of another
            task.
    """
    raw_rows = read_json_lines(path)
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
    converted = _text(raw["converted_outputs"])
    facts = _facts(raw)
    if task in ("tvg", "rec"):
        outputs = None if "outputs" not in raw else _text(raw["outputs"])
        truth = raw["gt"] if task == "tvg" else raw["gt_bbox"]
        unit = _numbers(truth, 2 if task == "tvg" else 4)
        return ResultRow(outputs, converted, true_unit=unit, **facts)
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
        split=(int(first), int(last)),
        width=int(raw["width"]),
        height=int(raw["height"]),
        true_frames=None if frames is None else (int(frames[0]), int(frames[1])),
        true_boxes={int(frame): _box(b) for frame, b in truth["svg"].items()},
        true_track=_track(truth.get("track")),
        caption=str(truth.get("caption", "")),
        **facts,
    )


def _facts(raw: Mapping[str, Any]) -> dict[str, Any]:
    """What any row may say about itself."""
    index, fps = raw.get("index"), raw.get("fps")
    return {
        "missing": bool(raw.get("missing", False)),
        "index": index if isinstance(index, int) else -1,
        "video": str(raw.get("video", "")),
        "query": str(raw.get("query", "")),
        "kind": str(raw.get("kind", "")),
        "finish_reason": str(raw.get("finish_reason") or ""),
        "num_tokens": int(raw.get("num_tokens", 0)),
        "num_passes": int(raw.get("num_passes", 0)),
        "fps": None if fps is None else _numbers([fps], 1)[0],
    }


def _track(raw: Mapping[str, Any] | None) -> dict[int, Box]:
    """Boxes on consecutive frames: ``{"first": frame, "xyxy": [[x1, ...], ...]}``."""
    if raw is None:
        return {}
    boxes = (_box(values) for values in raw["xyxy"])
    return dict(enumerate(boxes, start=int(raw["first"])))


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
