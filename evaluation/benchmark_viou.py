"""m_vIoU as HC-STVG and VidSTG define it, on the benchmarks' own frames.

Both sum the IoU over the frames that truth and answer share and divide by the frames
that either has, and count a row whose vIoU is more than the threshold. They differ in
the frames:

* HC-STVG (its published evaluation script): every frame, both ends of a span included;
  "either" goes from the first start to the last end, a gap between them included. Its
  tIoU is the number of shared frames over the same number.
* VidSTG (Zhang et al. 2020, section 5, at the rate at which results are published since
  TubeDETR): at most 5 frames a second and 200 a clip; "either" is the true union; the
  end of a span is not part of it; declarative and interrogative sentences are reported
  apart as well.

The model answers on at most 100 frames of a clip, so its boxes are linear between them.
Rows with boxes on those frames only (ST-Align) are read in the same way.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from evaluation.answers import Span
from evaluation.frames import Split
from evaluation.metrics import Box, box_iou, hits_percent
from evaluation.predictions import Prediction
from evaluation.rows import ResultRow
from stablechat.types import FloatArray, IntArray

THRESHOLDS = (0.3, 0.5)

_VIDSTG_FPS = 5.0
_VIDSTG_MOST_FRAMES = 200

#: First and last frame, both included.
Interval = tuple[int, int]


@dataclass(frozen=True)
class RowOverlap:
    """tIoU and vIoU of one row."""

    tiou: float
    viou: float


_NO_OVERLAP = RowOverlap(0.0, 0.0)


def hcstvg_columns(
    rows: Sequence[ResultRow], predictions: Sequence[Prediction]
) -> dict[str, FloatArray | None]:
    """The metrics' values for each row, as HC-STVG defines them."""
    return dict(_columns(_overlaps(rows, predictions, hcstvg_overlap)))


def vidstg_columns(
    rows: Sequence[ResultRow], predictions: Sequence[Prediction]
) -> dict[str, FloatArray | None]:
    """The metrics' values for each row, as VidSTG defines them.

    Columns of one kind of sentence hold NaN for rows of the other.
    """
    overlaps = _overlaps(rows, predictions, vidstg_overlap)
    together = _columns(overlaps)
    kinds = np.array([row.kind for row in rows], np.str_)
    apart = {
        f"{kind}_{name}": np.where(kinds == kind, column, np.nan)
        for kind in sorted(set(kinds.tolist()) - {""})
        for name, column in together.items()
    }
    return {**together, **apart}


def hcstvg_overlap(row: ResultRow, prediction: Prediction) -> RowOverlap:
    """One row as HC-STVG scores it."""
    truth, answer = row.true_frames, _interval(prediction.span, row.split)
    if truth is None or answer is None or not prediction.boxes:
        return _NO_OVERLAP
    hull = max(truth[1], answer[1]) - min(truth[0], answer[0]) + 1
    shared = np.arange(max(truth[0], answer[0]), min(truth[1], answer[1]) + 1)
    return RowOverlap(
        tiou=len(shared) / hull, viou=_iou_sum(row, prediction, shared) / hull
    )


def vidstg_overlap(row: ResultRow, prediction: Prediction) -> RowOverlap:
    """One row as VidSTG scores it."""
    truth, answer = row.true_frames, _interval(prediction.span, row.split)
    if truth is None or answer is None:
        return _NO_OVERLAP
    frames = vidstg_frames(row.split, row.fps)
    in_truth = (frames >= truth[0]) & (frames <= truth[1])
    in_answer = (frames >= answer[0]) & (frames <= answer[1])
    shared, either = frames[in_truth & in_answer], np.sum(in_truth | in_answer)
    total = _iou_sum(row, prediction, shared)
    return RowOverlap(_interval_iou(truth, answer), total / max(int(either), 1))


def vidstg_frames(split: Split, fps: float | None) -> IntArray:
    """The frames of a clip that VidSTG's metric looks at.

    Args:
        split: First and last frame number of the clip.
        fps: Frames a second; None, or fewer than 5, takes every frame.

    Returns:
        int64, increasing: the first frame of each fifth of a second, at most 200.
    """
    frames = np.arange(split[0], max(split[1], split[0] + 1), dtype=np.int64)
    if fps is not None and fps > _VIDSTG_FPS:
        ticks = np.floor(frames * (_VIDSTG_FPS / fps))
        frames = frames[np.diff(ticks, prepend=ticks[0] - 1) > 0]
    count = len(frames)
    if count > _VIDSTG_MOST_FRAMES:
        places = np.arange(_VIDSTG_MOST_FRAMES) * count // _VIDSTG_MOST_FRAMES
        frames = frames[places]
    return frames


def _overlaps(
    rows: Sequence[ResultRow],
    predictions: Sequence[Prediction],
    overlap: Callable[[ResultRow, Prediction], RowOverlap],
) -> list[RowOverlap]:
    return [overlap(r, p) for r, p in zip(rows, predictions, strict=True)]


def _columns(overlaps: Sequence[RowOverlap]) -> dict[str, FloatArray]:
    viou = np.array([o.viou for o in overlaps], np.float64)
    return {
        "m_tiou": np.array([o.tiou for o in overlaps], np.float64),
        "m_viou": viou,
        **{f"viou@{k}": hits_percent(viou, k, must_exceed=True) for k in THRESHOLDS},
    }


def _interval(span: Span | None, split: Split) -> Interval | None:
    """A span of the clip as frame numbers."""
    if span is None:
        return None
    first, last = split
    start, end = sorted(first + round(unit * (last - first)) for unit in span)
    return start, end


def _interval_iou(a: Interval, b: Interval) -> float:
    shared = max(0, min(a[1], b[1]) + 1 - max(a[0], b[0]))
    return shared / ((a[1] + 1 - a[0]) + (b[1] + 1 - b[0]) - shared)


def _iou_sum(row: ResultRow, prediction: Prediction, frames: IntArray) -> float:
    truth = row.true_track or row.true_boxes
    if not (len(frames) and truth and prediction.boxes):
        return 0.0
    pairs = boxes_at(truth, frames), boxes_at(prediction.boxes, frames)
    return float(box_iou(*pairs).sum())


def boxes_at(boxes: Mapping[int, Box], frames: IntArray) -> FloatArray:
    """Boxes on any frames, linear between the known ones and held outside them.

    Args:
        boxes: ``{frame: (x1, y1, x2, y2)}``, at least one.
        frames: int64 ``(N,)``, frame numbers.

    Returns:
        float64 ``(N, 4)``.
    """
    known = sorted(boxes)
    corners = np.array([boxes[frame] for frame in known], np.float64)
    return np.stack(
        [np.interp(frames, known, corners[:, axis]) for axis in range(4)], axis=-1
    )
