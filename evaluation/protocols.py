"""From result rows to numbers, by one of two protocols.

* ``released`` equals the published evaluation code of LLaVA-ST, oddities included: it
  never finds the span of an ELC answer, asks for more than the threshold in TVG and for
  at least that elsewhere, and leaves REC answers without a box out of its mean. Videos
  that can't be read do not count either: upstream puts another row in their place.
* ``strict`` counts every row, unreadable videos and unreadable answers as 0, takes the
  end of an ELC event from "Ends in" (its start stands in the question), and asks for at
  least the threshold everywhere.

Both round alike (truth to three decimals, answers to five, boxes to pixels), so that
nothing else makes their numbers differ. Where neither has anything to measure (the
time of SVG, whose question gives it), released says 0 and strict says None.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from evaluation import metrics
from evaluation.answers import Answer, Span, read_released, read_strict
from evaluation.frames import frame_of_bin, frame_to_unit
from evaluation.metrics import THRESHOLDS, Box
from evaluation.rows import ResultRow
from stablechat.types import Task

Protocol = Literal["released", "strict"]
PROTOCOLS: tuple[Protocol, ...] = ("released", "strict")
TASKS: tuple[Task, ...] = ("stvg", "svg", "elc", "tvg", "rec")
Metrics = dict[str, float | int | None]

_WITH_TUBES = ("stvg", "svg", "elc")
_READERS: Mapping[Protocol, Callable[[str | None, str, Task], Answer]] = {
    "released": read_released,
    "strict": read_strict,
}


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


def score_rows(
    rows: Sequence[ResultRow], task: Task, protocol: Protocol
) -> list[RowScore]:
    """Score each row by itself, in their order."""
    return [_score_row(row, task, protocol) for row in rows]


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
    """
    scores = score_rows(rows, task, protocol)
    counted = [s for s in scores if protocol == "strict" or _counts(s, task)]
    if task in _WITH_TUBES:
        numbers = _tube_metrics(counted, protocol)
    elif task == "tvg":
        exceed = protocol == "released"
        numbers = _plain_metrics([s.tiou or 0.0 for s in counted], must_exceed=exceed)
    else:
        numbers = _plain_metrics([s.siou for s in counted], must_exceed=False)
    return {
        **numbers,
        "num_rows": len(rows),
        "num_unparsed": sum(not s.parsed and not s.missing for s in scores),
        "num_missing": sum(s.missing for s in scores),
    }


def _counts(score_of_row: RowScore, task: Task) -> bool:
    """Whether the released code has this row in its denominator."""
    return not score_of_row.missing and (task != "rec" or score_of_row.parsed)


def _tube_metrics(scores: Sequence[RowScore], protocol: Protocol) -> Metrics:
    tious = [s.tiou for s in scores if s.tiou is not None]
    no_times = protocol == "strict" and len(tious) < len(scores)
    return {
        **(_no_times() if no_times else _family("t", "t", tious)),
        **_family("s", "s", [s.siou for s in scores]),
        **_family("st", "v", [s.stiou for s in scores]),
    }


def _family(mean_name: str, recall_name: str, values: Sequence[float]) -> Metrics:
    return {
        f"m{mean_name}iou": metrics.mean(values),
        **{
            f"{recall_name}iou@{k}": metrics.recall_percent(values, k)
            for k in THRESHOLDS
        },
    }


def _no_times() -> Metrics:
    return dict.fromkeys(_family("t", "t", ()))


def _plain_metrics(values: Sequence[float], *, must_exceed: bool) -> Metrics:
    recalls = {
        f"r@{k}": metrics.recall_percent(values, k, must_exceed=must_exceed)
        for k in THRESHOLDS
    }
    return {"miou": metrics.mean(values), **recalls}


# --- one row --------------------------------------------------------------------


def _score_row(row: ResultRow, task: Task, protocol: Protocol) -> RowScore:
    if row.missing:
        return RowScore(None if task == "svg" else 0.0, 0.0, 0.0, False, True)
    answer = _READERS[protocol](row.outputs, row.converted, task)
    if task == "tvg":
        return _score_span(row, answer)
    if task == "rec":
        return _score_box(row, answer)
    return _score_tube(row, answer, task, protocol)


def _score_span(row: ResultRow, answer: Answer) -> RowScore:
    tiou = _span_iou(answer.span, row.true_unit)
    return RowScore(tiou, 0.0, 0.0, answer.span is not None, False)


def _score_box(row: ResultRow, answer: Answer) -> RowScore:
    if answer.box is None:
        return RowScore(None, 0.0, 0.0, False, False)
    siou = float(metrics.box_iou(answer.box, row.true_unit))
    return RowScore(None, siou, 0.0, True, False)


def _score_tube(
    row: ResultRow, answer: Answer, task: Task, protocol: Protocol
) -> RowScore:
    true_span = _true_span(row)
    span = answer.span
    if task == "elc" and protocol == "strict" and span and true_span:
        span = true_span[0], span[1]
    overlap = metrics.tube_overlap(row.true_boxes, _boxes_in_pixels(row, answer.boxes))
    # Released ELC never reads a span, so there is none to miss.
    asks_span = task == "stvg" or (task == "elc" and protocol == "strict")
    return RowScore(
        tiou=None if true_span is None else _span_iou(span, true_span),
        siou=overlap.siou,
        stiou=overlap.stiou,
        parsed=bool(answer.boxes) and (span is not None or not asks_span),
        missing=False,
    )


def _true_span(row: ResultRow) -> Span | None:
    if row.true_frames is None:
        return None
    start, end = (frame_to_unit(frame, row.split) for frame in row.true_frames)
    return start, end


def _span_iou(span: Span | None, truth: Sequence[float]) -> float:
    # The released code takes (0, 0) for an answer without a span, which is 0 as well.
    return 0.0 if span is None else float(metrics.span_iou(span, truth))


def _boxes_in_pixels(row: ResultRow, boxes: Mapping[float, Box]) -> dict[int, Box]:
    """Boxes by frame number; of several bins that show one frame the last counts."""
    return {
        frame_of_bin(time_bin, row.split): (
            round(x1 * row.width),
            round(y1 * row.height),
            round(x2 * row.width),
            round(y2 * row.height),
        )
        for time_bin, (x1, y1, x2, y2) in boxes.items()
    }
