"""A result file with all that a report says about it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, get_args

from evaluation.captions import CaptionsUnavailableError, caption_metrics
from evaluation.protocols import ScoreTable, reading_of, score_table
from evaluation.rows import ResultRow, read_json_lines, read_result_rows
from evaluation.run_info import read_info
from stablechat.errors import InputError
from stablechat.types import Task


@dataclass(frozen=True)
class RunResult:
    """One run.

    Attributes:
        name: What the report calls it.
        task: What was asked.
        rows: All of its rows.
        info: How it was made; empty where nobody wrote it down.
        strict: Its metrics, every row counted.
        released: Its metrics as the published code has them.
        captions: By protocol, for ELC; empty where they can't be scored.
        notes: What a reader should know.
    """

    name: str
    task: Task
    rows: tuple[ResultRow, ...]
    info: Mapping[str, Any]
    strict: ScoreTable
    released: ScoreTable
    captions: Mapping[str, Mapping[str, float]]
    notes: tuple[str, ...] = ()

    @property
    def annotations(self) -> str:
        """What was asked, as far as it is known: the file, and whose format it has."""
        if "annotations" not in self.info:
            return "unknown"
        return f"{self.info['annotations']} ({self.info.get('dataset')} format)"

    @property
    def num_cut(self) -> int:
        """Answers that the length limit cut."""
        return sum(row.finish_reason == "length" for row in self.rows)

    @property
    def tokens_an_answer(self) -> float | None:
        """Mean length of an answer; None where the rows do not say."""
        lengths = [row.num_tokens for row in self.rows if row.num_tokens]
        return sum(lengths) / len(lengths) if lengths else None

    @property
    def tokens_a_pass(self) -> float | None:
        """Tokens that a forward pass wrote; None where the rows do not say."""
        num_passes = sum(row.num_passes for row in self.rows)
        num_tokens = sum(row.num_tokens for row in self.rows)
        return num_tokens / num_passes if num_passes else None


def read_run(name: str, path: Path, *, captions: bool = True) -> RunResult:
    """Read and score a result file.

    Args:
        name: What to call it.
        path: What ``run`` wrote.
        captions: Whether to score ELC's captions, where this machine can.

    Raises:
        InputError: It can't be read, or its rows do not say what was asked.
    """
    task = _task_of(path)
    rows = read_result_rows(path, task)
    strict, released = (score_table(rows, task, p) for p in ("strict", "released"))
    scored, notes = _captions(rows, task) if captions else ({}, ())
    return RunResult(
        name=name,
        task=task,
        rows=tuple(rows),
        info=read_info(path) or {},
        strict=strict,
        released=released,
        captions=scored,
        notes=notes,
    )


def _task_of(path: Path) -> Task:
    raw = read_json_lines(path)
    task = raw[0].get("task") if raw else None
    for known in get_args(Task):
        if known == task:
            return known  # type: ignore[no-any-return]
    raise InputError(
        f"{path} does not say what was asked; a report needs a run's rows."
    )


def _captions(
    rows: list[ResultRow], task: Task
) -> tuple[dict[str, dict[str, float]], tuple[str, ...]]:
    if task != "elc":
        return {}, ()
    try:
        found = {
            protocol: caption_metrics(rows, reading_of(protocol))
            for protocol in ("strict", "released")
        }
    except CaptionsUnavailableError as error:
        return {}, (str(error),)
    return found, ()
