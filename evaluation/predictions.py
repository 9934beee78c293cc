"""What a row's answer says, on the row's own frames and pixels."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from evaluation.answers import Answer, Span, read_released, read_strict
from evaluation.frames import frame_of_bin, frame_to_unit
from evaluation.metrics import Box
from evaluation.rows import ResultRow
from stablechat.types import Task

Reading = Literal["released", "strict"]

TUBE_TASKS: tuple[Task, ...] = ("stvg", "svg", "elc")

_READERS: Mapping[Reading, Callable[[str | None, str, Task], Answer]] = {
    "released": read_released,
    "strict": read_strict,
}


@dataclass(frozen=True)
class Prediction:
    """An answer, placed.

    Attributes:
        span: Start and end, 0..1 of the clip; None where none was read.
        boxes: ``{frame: box}`` in pixels, on frames that the model saw.
        box: REC's box, unit values.
        parsed: Whether every part that the task asks for could be read.
    """

    span: Span | None = None
    boxes: Mapping[int, Box] = field(default_factory=dict)
    box: Box | None = None
    parsed: bool = False


NO_PREDICTION = Prediction()


def read_predictions(
    rows: Sequence[ResultRow], task: Task, reading: Reading
) -> list[Prediction]:
    """Read each row's answer; a row without one gives an empty prediction."""
    return [
        NO_PREDICTION if row.missing else read_prediction(row, task, reading)
        for row in rows
    ]


def read_prediction(row: ResultRow, task: Task, reading: Reading) -> Prediction:
    """Read an answer, and place it on frames and pixels."""
    answer = _READERS[reading](row.outputs, row.converted, task)
    if task == "tvg":
        return Prediction(answer.span, parsed=answer.span is not None)
    if task == "rec":
        return Prediction(box=answer.box, parsed=answer.box is not None)
    span, truth = answer.span, true_span(row)
    if task == "elc" and reading == "strict" and span and truth:
        span = truth[0], span[1]  # its start stands in the question
    # Released ELC never reads a span, so there is none to miss.
    asks_span = task == "stvg" or (task == "elc" and reading == "strict")
    return Prediction(
        span=span,
        boxes=_boxes_in_pixels(row, answer.boxes),
        parsed=bool(answer.boxes) and (span is not None or not asks_span),
    )


def true_span(row: ResultRow) -> Span | None:
    """When the event happens, 0..1 of the clip; None where the row does not say."""
    if row.true_frames is None:
        return None
    start, end = (frame_to_unit(frame, row.split) for frame in row.true_frames)
    return start, end


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
