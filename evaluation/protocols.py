"""From result rows to numbers, by one of several protocols.

* ``released`` equals the published evaluation code of LLaVA-ST, oddities included: it
  never finds the span of an ELC answer, asks for more than the threshold in TVG and for
  at least that elsewhere, and leaves REC answers without a box out of its mean. Videos
  that can't be read do not count either: upstream puts another row in their place.
* ``strict`` counts every row, unreadable videos and unreadable answers as 0, takes the
  end of an ELC event from "Ends in" (its start stands in the question), and asks for at
  least the threshold everywhere.
* ``hcstvg`` and ``vidstg`` are the definitions of m_vIoU of those benchmarks, for STVG
  rows: see ``benchmark_viou.py``.

The first two round alike (truth to three decimals, answers to five, boxes to pixels),
so that nothing else makes their numbers differ. Where neither has anything to measure
(the time of SVG, whose question gives it), released says 0 and strict says None.

Each metric is the mean of a column with one value for each row that counts; the columns
are what confidence intervals are drawn from.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from evaluation import metrics
from evaluation.benchmark_viou import hcstvg_columns, vidstg_columns
from evaluation.bootstrap import Interval, mean_intervals
from evaluation.metrics import THRESHOLDS
from evaluation.predictions import (
    TUBE_TASKS,
    Prediction,
    Reading,
    read_predictions,
    true_span,
)
from evaluation.rows import ResultRow
from stablechat.errors import InputError
from stablechat.types import FloatArray, Task

Protocol = Literal["released", "strict", "hcstvg", "vidstg"]
PROTOCOLS: tuple[Protocol, ...] = ("released", "strict", "hcstvg", "vidstg")
TASKS: tuple[Task, ...] = ("stvg", "svg", "elc", "tvg", "rec")
Metrics = dict[str, float | int | None]

#: A metric's value for each row that counts, ``(N,)``; None: nothing to measure.
Columns = dict[str, FloatArray | None]


@dataclass(frozen=True)
class RowScore:
    """What one row is worth.

    Attributes:
        tiou: Overlap of the spans; None where the task gives the span.
        siou: Mean overlap of the boxes over common frames; REC's overlap.
        stiou: The same over the union of frames.
        parsed: Whether every part that the task asks for could be read.
        missing: Whether there is no answer.
    """

    tiou: float | None
    siou: float
    stiou: float
    parsed: bool
    missing: bool


@dataclass(frozen=True)
class ScoreTable:
    """Everything that a protocol makes of a result file.

    Attributes:
        columns: By metric.
        counted: The rows that the columns are about, in order.
        num_rows: All rows.
        num_unparsed: Answers from which a part that the task asks for is missing.
        num_missing: Rows without an answer.
    """

    columns: Mapping[str, FloatArray | None]
    counted: tuple[ResultRow, ...]
    num_rows: int
    num_unparsed: int
    num_missing: int

    def metrics(self) -> Metrics:
        """The flat object that ``score`` prints."""
        means = {
            name: None if column is None else metrics.mean(column[~np.isnan(column)])
            for name, column in self.columns.items()
        }
        return {
            **means,
            "num_rows": self.num_rows,
            "num_unparsed": self.num_unparsed,
            "num_missing": self.num_missing,
        }

    def intervals(self, resamples: int) -> dict[str, Interval | None]:
        """The 95% confidence interval of each metric; videos are drawn.

        Rows that do not name their video are drawn one by one.
        """
        videos = [row.video or place for place, row in enumerate(self.counted)]
        return mean_intervals(self.columns, videos, resamples=resamples)

    def flat_intervals(self, resamples: int) -> Metrics:
        """The same as ``METRIC_low`` and ``METRIC_high``."""
        return {
            f"{name}_{end}": None if interval is None else interval[place]
            for name, interval in self.intervals(resamples).items()
            for place, end in enumerate(("low", "high"))
        }


def score(rows: Sequence[ResultRow], task: Task, protocol: Protocol) -> Metrics:
    """All numbers of a benchmark.

    Args:
        rows: Every row of the result file.
        task: What was asked.
        protocol: How to read and count.

    Returns:
        Means as fractions, recalls in percent, and how many rows there are, lack an
        answer (``num_missing``), or have one from which a part that the task asks for
        could not be read (``num_unparsed``).

    Raises:
        InputError: The protocol is not for this task.
    """
    return score_table(rows, task, protocol).metrics()


def score_table(
    rows: Sequence[ResultRow], task: Task, protocol: Protocol
) -> ScoreTable:
    """As :func:`score`, with the values of each row."""
    if protocol in ("hcstvg", "vidstg") and task != "stvg":
        raise InputError(f"Protocol {protocol} is for task stvg, not {task}.")
    predictions = read_predictions(rows, task, reading_of(protocol))
    columns: Columns
    counted = tuple(rows)
    if protocol == "hcstvg":
        columns = hcstvg_columns(rows, predictions)
    elif protocol == "vidstg":
        columns = vidstg_columns(rows, predictions)
    else:
        scores = _score(rows, predictions, task)
        keep = [protocol == "strict" or _counts(s, task) for s in scores]
        counted = tuple(row for row, kept in zip(rows, keep, strict=True) if kept)
        columns = _columns(
            [s for s, kept in zip(scores, keep, strict=True) if kept], task, protocol
        )
    return ScoreTable(
        columns=columns,
        counted=counted,
        num_rows=len(rows),
        num_unparsed=sum(
            not prediction.parsed and not row.missing
            for row, prediction in zip(rows, predictions, strict=True)
        ),
        num_missing=sum(row.missing for row in rows),
    )


def score_rows(
    rows: Sequence[ResultRow], task: Task, protocol: Protocol
) -> list[RowScore]:
    """Score each row by itself, in their order."""
    return _score(rows, read_predictions(rows, task, reading_of(protocol)), task)


def reading_of(protocol: Protocol) -> Reading:
    """How a protocol reads answers."""
    return "released" if protocol == "released" else "strict"


def _counts(score_of_row: RowScore, task: Task) -> bool:
    """Whether the released code has this row in its denominator."""
    return not score_of_row.missing and (task != "rec" or score_of_row.parsed)


# --- columns --------------------------------------------------------------------


def _columns(scores: Sequence[RowScore], task: Task, protocol: Protocol) -> Columns:
    siou = np.array([s.siou for s in scores], np.float64)
    tious = [s.tiou for s in scores if s.tiou is not None]
    tiou = np.array(tious, np.float64)
    if task == "tvg":
        return _plain_columns(tiou, must_exceed=protocol == "released")
    if task == "rec":
        return _plain_columns(siou, must_exceed=False)
    stiou = np.array([s.stiou for s in scores], np.float64)
    no_times = task == "svg"
    times = _family("t", "t", np.zeros(len(scores)) if no_times else tiou)
    if no_times and protocol == "strict":
        times = dict.fromkeys(times)
    return {**times, **_family("s", "s", siou), **_family("st", "v", stiou)}


def _family(mean_name: str, recall_name: str, values: FloatArray) -> Columns:
    return {
        f"m{mean_name}iou": values,
        **{
            f"{recall_name}iou@{k}": metrics.hits_percent(values, k) for k in THRESHOLDS
        },
    }


def _plain_columns(values: FloatArray, *, must_exceed: bool) -> Columns:
    recalls = {
        f"r@{k}": metrics.hits_percent(values, k, must_exceed=must_exceed)
        for k in THRESHOLDS
    }
    return {"miou": values, **recalls}


# --- rows -----------------------------------------------------------------------


def _score(
    rows: Sequence[ResultRow], predictions: Sequence[Prediction], task: Task
) -> list[RowScore]:
    nothing: FloatArray = np.zeros(len(rows))
    siou, stiou, tiou = nothing, nothing, nothing
    if task == "rec":
        siou = _box_ious(rows, predictions)
    else:
        tiou = _span_ious(rows, predictions, task)
    if task in TUBE_TASKS:
        truths = [row.true_boxes for row in rows]
        siou, stiou = metrics.tube_overlaps(truths, [p.boxes for p in predictions])
    has_times = task in ("stvg", "elc", "tvg")
    return [
        RowScore(
            tiou=float(tiou[place]) if has_times else None,
            siou=float(siou[place]),
            stiou=float(stiou[place]),
            parsed=prediction.parsed,
            missing=row.missing,
        )
        for place, (row, prediction) in enumerate(zip(rows, predictions, strict=True))
    ]


def _span_ious(
    rows: Sequence[ResultRow], predictions: Sequence[Prediction], task: Task
) -> FloatArray:
    truths = [row.true_unit if task == "tvg" else true_span(row) for row in rows]
    # The released code takes (0, 0) for an answer without a span, which is 0 as well.
    answers = [prediction.span or (0.0, 0.0) for prediction in predictions]
    truth = np.array([t or (0.0, 0.0) for t in truths], np.float64).reshape(-1, 2)
    return metrics.span_iou(truth, np.array(answers, np.float64).reshape(-1, 2))


def _box_ious(
    rows: Sequence[ResultRow], predictions: Sequence[Prediction]
) -> FloatArray:
    answers = [prediction.box or (0.0,) * 4 for prediction in predictions]
    truths = [row.true_unit for row in rows]
    return metrics.box_iou(
        np.array(answers, np.float64).reshape(-1, 4),
        np.array(truths, np.float64).reshape(-1, 4),
    )
