"""Choosing rows to look at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from evaluation.cases.tags import TAGS, failure_tags
from evaluation.predictions import TUBE_TASKS, Prediction, read_predictions
from evaluation.protocols import RowScore, score_rows
from evaluation.rows import ResultRow
from stablechat.errors import InputError
from stablechat.types import Task


@dataclass(frozen=True)
class Case:
    """One answer beside its truth.

    Attributes:
        row: The question and its truth.
        prediction: What was read from the answer.
        score: What it is worth, strictly.
        tags: What went wrong.
        task: What was asked.
    """

    row: ResultRow
    prediction: Prediction
    score: RowScore
    tags: tuple[str, ...]
    task: Task

    @property
    def name(self) -> str:
        """What files about it are called."""
        return f"row_{self.row.index:05d}"

    @property
    def quality(self) -> float:
        """What cases are ranked by: stIoU, for which time and place must be right.

        Boxes that a cut answer lacks count in it, as they do not in sIoU.
        """
        return self.score.stiou


def make_cases(rows: Sequence[ResultRow], task: Task) -> list[Case]:
    """Every row as a case, read and scored strictly.

    Raises:
        InputError: The task has no boxes to draw, or the rows have no numbers.
    """
    if task not in TUBE_TASKS:
        raise InputError(f"Cases are drawn for stvg, svg and elc, not {task}.")
    if any(row.index < 0 for row in rows):
        raise InputError(
            "These rows have no index and no video; cases need the rows of a run."
        )
    predictions = read_predictions(rows, task, "strict")
    scores = score_rows(rows, task, "strict")
    return [
        Case(row, prediction, score, failure_tags(row, prediction, score), task)
        for row, prediction, score in zip(rows, predictions, scores, strict=True)
    ]


def choose_cases(
    cases: Sequence[Case], indices: Sequence[int], best: int, worst: int
) -> list[Case]:
    """The cases to draw, each once.

    Args:
        cases: All of them.
        indices: Numbers of rows to draw in any case.
        best: How many of the best.
        worst: How many of the worst whose video is there.

    Raises:
        InputError: A row is not there.
    """
    by_index = {case.row.index: case for case in cases}
    unknown = [index for index in indices if index not in by_index]
    if unknown:
        raise InputError(f"There is no row {unknown[0]} in the result file.")
    seen = [case for case in cases if not case.row.missing]
    # Python's sort keeps the order of equal ones: the file's.
    ranked = sorted(seen, key=lambda case: -case.quality)
    chosen = [by_index[index] for index in indices]
    chosen += ranked[:best]
    chosen += ranked[len(ranked) - min(worst, len(ranked)) :][::-1]
    return list({case.row.index: case for case in chosen}.values())


def count_tags(cases: Sequence[Case]) -> dict[str, int]:
    """How many cases have each tag, in the order of the tags."""
    counts = Counter(tag for case in cases for tag in case.tags)
    return {tag: counts[tag] for tag in TAGS}
