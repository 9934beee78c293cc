"""From rows of an annotation file to samples, and what is wrong with the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from evaluation.datasets.sample import Sample
from evaluation.datasets.values import NOT_IN_FORMAT
from stablechat.errors import InputError
from stablechat.types import Task

#: Reads the samples of one raw row; the first gets the given index.
ReadRow = Callable[[int, Any], list[Sample]]


@dataclass(frozen=True)
class RowProblem:
    """An annotated row that can't be used.

    Attributes:
        row: Its number in the annotation file, from 0.
        reason: What is wrong, one line.
    """

    row: int
    reason: str

    def __str__(self) -> str:
        return f"row {self.row}: {self.reason}"


@dataclass
class Loaded:
    """What was read from an annotation file.

    Attributes:
        samples: The questions that can be asked.
        problems: The rows that can't be used.
        num_rows: Rows in the file, both kinds together.
    """

    samples: list[Sample] = field(default_factory=list)
    problems: list[RowProblem] = field(default_factory=list)
    num_rows: int = 0


def read_rows(
    raws: Iterable[Any],
    read: ReadRow,
    *,
    samples_in: Callable[[Any], int] = lambda _: 1,
) -> Loaded:
    """Read all rows of an annotation file.

    Args:
        raws: The rows.
        read: Reads one; what it raises becomes a problem.
        samples_in: How many samples a row should hold, so that a bad one does not
            renumber those behind it.
    """
    loaded, index = Loaded(), 0
    for row, raw in enumerate(raws):
        loaded.num_rows += 1
        try:
            loaded.samples += read(index, raw)
        except KeyError as error:
            loaded.problems.append(RowProblem(row, f"{error} is not there"))
        except NOT_IN_FORMAT as error:
            reason = " ".join(str(error).split())
            loaded.problems.append(RowProblem(row, reason))
        index += samples_in(raw)
    return loaded


def checked(loaded: Loaded, path: Path, task: Task) -> Loaded:
    """Refuse a file that has unusable rows, or no others.

    Raises:
        InputError: It does; the message says how many, and why the first of them.
    """
    if loaded.problems:
        raise InputError(
            f"{len(loaded.problems)} of the {loaded.num_rows} rows of {path} can't be "
            f"used for task {task}; the first is {loaded.problems[0]}. To see all: "
            "python -m evaluation validate."
        )
    return checked_not_empty(loaded, path)


def checked_not_empty(loaded: Loaded, path: Path) -> Loaded:
    """Refuse a file without a usable row.

    Raises:
        InputError: There is none.
    """
    if not loaded.samples:
        raise InputError(f"{path} holds no rows; give another annotation file.")
    return loaded
