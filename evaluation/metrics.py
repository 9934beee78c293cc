"""Overlaps of spans, boxes and tubes, and what is made of them. Pure numpy.

The definitions are those of LLaVA-ST (arXiv 2501.08282) as released. What VidSTG and
HC-STVG call vIoU differs in the frames it counts: see ``benchmark_viou.py``.
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
    """Overlap of two tubes, boxes by frame number; see :func:`tube_overlaps`."""
    siou, stiou = tube_overlaps([truth], [answer])
    return TubeOverlap(float(siou[0]), float(stiou[0]))


def tube_overlaps(
    truths: Sequence[Mapping[int, Box]], answers: Sequence[Mapping[int, Box]]
) -> tuple[FloatArray, FloatArray]:
    """Overlap of tubes, pair by pair, all boxes at once.

    Args:
        truths: N times ``{frame: (x1, y1, x2, y2)}``.
        answers: The same, N.

    Returns:
        sIoU and stIoU, float64 ``(N,)`` each; 0 where no frame has two boxes.
    """
    pairs = list(zip(truths, answers, strict=True))
    shared = [truth.keys() & answer.keys() for truth, answer in pairs]
    boxes = [
        (truth[frame], answer[frame])
        for (truth, answer), frames in zip(pairs, shared, strict=True)
        for frame in sorted(frames)
    ]
    num_shared = np.array([len(frames) for frames in shared], np.float64)
    num_either = np.array([len(t.keys() | a.keys()) for t, a in pairs], np.float64)
    rows = np.repeat(np.arange(len(pairs)), num_shared.astype(np.int64))
    flat = np.array(boxes, np.float64).reshape(-1, 2, 4)
    ious = box_iou(flat[:, 0], flat[:, 1])
    # Of nothing, bincount makes whole numbers.
    totals = np.bincount(rows, ious, len(pairs)).astype(np.float64)
    return (
        _ratio(totals, num_shared, num_shared > 0),
        _ratio(totals, num_either, num_either > 0),
    )


def mean(values: npt.ArrayLike) -> float:
    """Average as a fraction; 0 where there is nothing."""
    numbers = np.asarray(values, np.float64)
    return float(numbers.mean()) if numbers.size else 0.0


def hits_percent(
    values: npt.ArrayLike, threshold: float, *, must_exceed: bool = False
) -> FloatArray:
    """100 where a value reaches a threshold, 0 elsewhere: its mean is the recall.

    Args:
        values: Overlaps, ``(N,)``.
        threshold: What to reach.
        must_exceed: Whether a value equal to the threshold fails.

    Returns:
        float64 ``(N,)``.
    """
    overlaps = np.asarray(values, np.float64)
    hits = overlaps > threshold if must_exceed else overlaps >= threshold
    return np.where(hits, 100.0, 0.0)


def _areas(boxes: FloatArray) -> FloatArray:
    return np.asarray(np.prod(boxes[..., 2:] - boxes[..., :2], axis=-1), np.float64)


def _ratio(
    part: FloatArray, whole: FloatArray, usable: npt.NDArray[np.bool_]
) -> FloatArray:
    return np.divide(part, whole, out=np.zeros_like(part), where=usable)
