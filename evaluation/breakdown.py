"""Where a model is good: by length of event, size of object, length of query.

The groups are those of table 3 of the report that this project follows. Its table
leaves out events below 10% of the clip; they have a group of their own here, so that
the counts add up. It splits queries at "50 words"; no sentence of VidSTG's test set has
half as many, so that must mean characters; numbers of words are told as well.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from evaluation.predictions import TUBE_TASKS, true_span
from evaluation.protocols import Protocol, RowScore, score_rows
from evaluation.rows import ResultRow
from stablechat.errors import InputError
from stablechat.types import FloatArray, Task

#: What both overlaps of a row must reach to be a joint success.
JOINT_THRESHOLD = 0.5

QUERY_CHARACTERS = 50
#: Of shares: 0.3 - 0.2 must not fall short of 0.1.
_DECIMALS = 9

#: Name, lower end (included) and upper end of each group, as shares.
Bounds = tuple[tuple[str, float, float], ...]

DURATION_GROUPS: Bounds = (
    ("under 10%", -np.inf, 0.1),
    ("10-30%", 0.1, 0.3),
    ("30-70%", 0.3, 0.7),
    ("over 70%", 0.7, np.inf),
)
AREA_GROUPS: Bounds = (
    ("under 1%", -np.inf, 0.01),
    ("1-5%", 0.01, 0.05),
    ("5-20%", 0.05, 0.2),
    ("over 20%", 0.2, np.inf),
)
QUERY_GROUPS: Bounds = (
    (f"up to {QUERY_CHARACTERS} characters", -np.inf, QUERY_CHARACTERS + 1),
    (f"over {QUERY_CHARACTERS} characters", QUERY_CHARACTERS + 1, np.inf),
)


@dataclass(frozen=True)
class Group:
    """The rows of one group.

    Attributes:
        name: What they have in common.
        count: How many they are.
        mean_tiou: None where there is nothing to measure, as for SVG.
        mean_siou: None for no row.
        joint_success_percent: Rows whose tIoU and sIoU both reach 0.5.
        mean_words: Words of their queries.
    """

    name: str
    count: int
    mean_tiou: float | None
    mean_siou: float | None
    joint_success_percent: float | None
    mean_words: float | None


@dataclass(frozen=True)
class Breakdown:
    """All groups of a result file.

    Attributes:
        dimensions: Groups by dimension; those of one hold every row that has a value.
        tiou: ``(N,)``, NaN where there is nothing to measure.
        siou: ``(N,)``.
        correlation: Pearson's, of the two; None where either does not vary.
    """

    dimensions: dict[str, tuple[Group, ...]]
    tiou: FloatArray
    siou: FloatArray
    correlation: float | None

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "dimensions": {
                name: [asdict(group) for group in groups]
                for name, groups in self.dimensions.items()
            },
            "tiou_siou_correlation": self.correlation,
        }


def break_down(
    rows: Sequence[ResultRow], task: Task, protocol: Protocol = "strict"
) -> Breakdown:
    """Group rows by what they ask for.

    Args:
        rows: Every row of a result file.
        task: STVG, SVG or ELC.
        protocol: ``strict`` or ``released``: how answers are read. Every row is in its
            group, missing ones with 0.

    Raises:
        InputError: The task has no boxes.
    """
    if task not in TUBE_TASKS:
        raise InputError(
            f"A breakdown needs boxes and times; task {task} has not both."
        )
    scores = score_rows(rows, task, protocol)
    tiou = np.array([np.nan if s.tiou is None else s.tiou for s in scores], np.float64)
    siou = np.array([s.siou for s in scores], np.float64)
    words = np.array([len(row.query.split()) for row in rows], np.float64)
    members = _Members(tiou, siou, words)
    return Breakdown(
        dimensions={
            "duration": members.groups(_values(rows, duration_share), DURATION_GROUPS),
            "object area": members.groups(_values(rows, area_share), AREA_GROUPS),
            "query length": members.groups(_values(rows, query_length), QUERY_GROUPS),
            "all": members.groups(np.zeros(len(rows)), (("all", -np.inf, np.inf),)),
        },
        tiou=tiou,
        siou=siou,
        correlation=_correlation(tiou, siou),
    )


def duration_share(row: ResultRow) -> float | None:
    """Length of the event over that of the clip."""
    span = true_span(row)
    if span is not None:
        return round(span[1] - span[0], _DECIMALS)
    if not row.true_boxes:
        return None
    first, last = row.split
    length = max(row.true_boxes) - min(row.true_boxes)
    return round(length / (last - first), _DECIMALS)


def area_share(row: ResultRow) -> float | None:
    """Mean area of the object over that of the picture."""
    if not row.true_boxes:
        return None
    boxes = np.array(list(row.true_boxes.values()), np.float64)
    size = np.array([row.width, row.height], np.float64)
    sides = np.clip(boxes[:, 2:], 0, size) - np.clip(boxes[:, :2], 0, size)
    shares = np.maximum(sides, 0).prod(axis=1) / size.prod()
    return round(float(shares.mean()), _DECIMALS)


def query_length(row: ResultRow) -> float | None:
    """Characters of the bare query; None where the file does not hold it."""
    return float(len(row.query)) if row.query else None


def is_joint_success(score: RowScore) -> bool:
    """Whether a row is right in time and in place."""
    return (score.tiou or 0.0) >= JOINT_THRESHOLD and score.siou >= JOINT_THRESHOLD


@dataclass(frozen=True)
class _Members:
    """Values of all rows, to be grouped: ``(N,)`` each."""

    tiou: FloatArray
    siou: FloatArray
    words: FloatArray

    def groups(self, values: FloatArray, bounds: Bounds) -> tuple[Group, ...]:
        return tuple(
            self._group(name, (values >= low) & (values < high))
            for name, low, high in bounds
        )

    def _group(self, name: str, inside: np.ndarray[Any, np.dtype[np.bool_]]) -> Group:
        tiou, siou = self.tiou[inside], self.siou[inside]
        joint = (tiou >= JOINT_THRESHOLD) & (siou >= JOINT_THRESHOLD)
        no_times = bool(np.isnan(tiou).any())
        return Group(
            name=name,
            count=int(inside.sum()),
            mean_tiou=None if no_times else _mean(tiou),
            mean_siou=_mean(siou),
            joint_success_percent=None if no_times else _mean(100.0 * joint),
            mean_words=_mean(self.words[inside]),
        )


def _values(
    rows: Sequence[ResultRow], measure: Callable[[ResultRow], float | None]
) -> FloatArray:
    measured = (measure(row) for row in rows)
    # Not a number is in no group.
    return np.array([np.nan if m is None else m for m in measured], np.float64)


def _mean(values: FloatArray) -> float | None:
    return float(values.mean()) if values.size else None


def _correlation(tiou: FloatArray, siou: FloatArray) -> float | None:
    if len(tiou) < 2 or np.isnan(tiou).any() or not (tiou.std() and siou.std()):
        return None
    return float(np.corrcoef(tiou, siou)[0, 1])
