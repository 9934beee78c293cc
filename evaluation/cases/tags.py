"""What went wrong with an answer, in a few words that can be counted.

The kinds are those of section 7 of the report that this project follows, made exact:

* ``no video``: the video could not be read;
* ``no answer``: neither a time nor a box could be read;
* ``truncated``: the length limit cut the answer;
* ``wrong time``: tIoU below 0.5;
* ``wrong object``: boxes are there, and on no frame do they touch the truth by 0.1;
* ``identity switch``: the box was right (0.5), is elsewhere (below 0.1) at most two
  seen frames later, and stays away for three;
* ``drift``: right in the first third (mean 0.5), wrong in the last (below 0.3), and no
  switch.
"""

from __future__ import annotations

import numpy as np

from evaluation.metrics import box_iou
from evaluation.predictions import Prediction
from evaluation.protocols import RowScore
from evaluation.rows import ResultRow
from stablechat.types import FloatArray

RIGHT_IOU = 0.5
LOST_IOU = 0.1
_DRIFTED_IOU = 0.3

_SWITCH_FRAMES = 2
_AWAY_FRAMES = 3
_FEWEST_FOR_DRIFT = 3

TAGS = (
    "no video",
    "no answer",
    "truncated",
    "wrong time",
    "wrong object",
    "identity switch",
    "drift",
)


def failure_tags(
    row: ResultRow, prediction: Prediction, score: RowScore
) -> tuple[str, ...]:
    """What went wrong; nothing for an answer that is right.

    Args:
        row: The question and its truth.
        prediction: What was read from the answer.
        score: What it is worth.
    """
    if row.missing:
        return ("no video",)
    tags = ["truncated"] if row.finish_reason == "length" else []
    if prediction.span is None and not prediction.boxes:
        return ("no answer", *tags)
    if score.tiou is not None and score.tiou < RIGHT_IOU:
        tags.append("wrong time")
    return (*tags, *_tags_of_boxes(frame_ious(row, prediction)))


def frame_ious(row: ResultRow, prediction: Prediction) -> FloatArray:
    """IoU on each frame that has both boxes, in the order of time: ``(K,)``."""
    shared = sorted(row.true_boxes.keys() & prediction.boxes.keys())
    pairs = np.array(
        [(row.true_boxes[frame], prediction.boxes[frame]) for frame in shared]
    ).reshape(-1, 2, 4)
    return box_iou(pairs[:, 0], pairs[:, 1])


def _tags_of_boxes(ious: FloatArray) -> list[str]:
    if not ious.size:
        return []
    if ious.max() < LOST_IOU:
        return ["wrong object"]
    if _switches(ious):
        return ["identity switch"]
    third = len(ious) // 3
    if len(ious) < _FEWEST_FOR_DRIFT:
        return []
    drifted = ious[:third].mean() >= RIGHT_IOU and ious[-third:].mean() < _DRIFTED_IOU
    return ["drift"] if drifted else []


def _switches(ious: FloatArray) -> bool:
    lost = ious < LOST_IOU
    for start in np.flatnonzero(lost[1:] & ~lost[:-1]) + 1:
        before = ious[max(0, start - _SWITCH_FRAMES) : start]
        away = lost[start : start + _AWAY_FRAMES]
        if len(away) == _AWAY_FRAMES and away.all() and before.max() >= RIGHT_IOU:
            return True
    return False
