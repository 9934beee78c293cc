"""Overlaps of spans, boxes and tubes, and what is made of them. Pure numpy.

The definitions are those of LLaVA-ST (arXiv 2501.08282) as released; VidSTG and HC-STVG
average over frames in the same way and call stIoU "vIoU".
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stablechat.types import FloatArray

Box = tuple[float, float, float, float]

THRESHOLDS = (0.3, 0.5, 0.7)


@dataclass(frozen=True)
class TubeOverlap:
    """How well two tubes agree.

    Attributes:
        siou: Mean IoU over the frames that both have; 0 if there are none.
        stiou: The same sum over the number of frames that either has.
    """

    siou: float
    stiou: float


def span_iou(a: npt.ArrayLike, b: npt.ArrayLike) -> FloatArray:
    """Overlap of time spans, pair by pair.

    ``max(0, min(ends) - max(starts)) / (max(ends) - min(starts))``; where the spans do
    not meet, the hull below stands for the union, and the result is 0 either way.

    Args:
        a: ``(..., 2)``, start and end.
        b: The same.

    Returns:
        float64 ``(...)``. A pair without any length overlaps by 0.
    """
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    shared = np.minimum(first[..., 1], second[..., 1]) - np.maximum(
        first[..., 0], second[..., 0]
    )
    hull = np.maximum(first[..., 1], second[..., 1]) - np.minimum(
        first[..., 0], second[..., 0]
    )
    return _ratio(np.maximum(shared, 0.0), hull, hull > 0)


def box_iou(a: npt.ArrayLike, b: npt.ArrayLike) -> FloatArray:
    """Overlap of boxes, pair by pair.

    Corners are taken as they come. Areas of boxes with one pair exchanged are negative,
    as in the released code; put them in order first where that is not wanted.

    Args:
        a: ``(..., 4)``, x1, y1, x2, y2.
        b: The same.

    Returns:
        float64 ``(...)``. Two boxes without area overlap by 0.
    """
    first, second = np.asarray(a, np.float64), np.asarray(b, np.float64)
    low = np.maximum(first[..., :2], second[..., :2])
    high = np.minimum(first[..., 2:], second[..., 2:])
    shared = np.prod(np.maximum(high - low, 0.0), axis=-1)
    union = _areas(first) + _areas(second) - shared
    return _ratio(shared, union, union != 0)


def tube_overlap(truth: Mapping[int, Box], answer: Mapping[int, Box]) -> TubeOverlap:
    """Overlap of tubes, boxes by frame number.

    Args:
        truth: ``{frame: (x1, y1, x2, y2)}``.
        answer: The same.

    Returns:
        sIoU and stIoU; both 0 where no frame has two boxes.
    """
    shared = sorted(truth.keys() & answer.keys())
    if not shared:
        return TubeOverlap(0.0, 0.0)
    total = float(
        box_iou([truth[frame] for frame in shared], [answer[frame] for frame in shared])
        .sum()
        .item()
    )
    return TubeOverlap(total / len(shared), total / len(truth.keys() | answer.keys()))


def mean(values: Sequence[float]) -> float:
    """Average as a fraction; 0 where there is nothing."""
    return float(np.mean(values)) if len(values) else 0.0


def recall_percent(
    values: Sequence[float], threshold: float, *, must_exceed: bool = False
) -> float:
    """Share of values that reach a threshold, in percent; 0 where there is nothing.

    Args:
        values: Overlaps.
        threshold: What to reach.
        must_exceed: Whether a value equal to the threshold fails.
    """
    overlaps = np.asarray(values, np.float64)
    hits = overlaps > threshold if must_exceed else overlaps >= threshold
    return 100.0 * float(np.mean(hits)) if hits.size else 0.0


def _areas(boxes: FloatArray) -> FloatArray:
    return np.asarray(np.prod(boxes[..., 2:] - boxes[..., :2], axis=-1), np.float64)


def _ratio(
    part: FloatArray, whole: FloatArray, usable: npt.NDArray[np.bool_]
) -> FloatArray:
    return np.divide(part, whole, out=np.zeros_like(part), where=usable)
