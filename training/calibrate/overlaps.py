"""How well an answer agrees with the truth: its boxes, its span, all of it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from evaluation.metrics import box_iou, span_iou
from stablechat.confidence import Calibration, Evidence, gather_evidence
from stablechat.grounding import bins_to_seconds, boxes_to_xyxy, to_grounding
from stablechat.parser import parse_answer
from stablechat.refinement import MEAN_REACH, coordinate_scores, refined_positions
from stablechat.types import FloatArray, Grounding
from training.calibrate.rows import Row

# Frames whose times differ from a span's end by less are inside.
_TOLERANCE_SECONDS = 1e-4


# Compared by identity: arrays have no single truth.
@dataclass(frozen=True, eq=False)
class Overlaps:
    """An answer beside the truth.

    Attributes:
        boxes: float64 ``(K,)``, IoU of each box; NaN on frames without a true box.
        span: IoU of the spans, from first to last frame.
        tube: Mean IoU over all frames of the video that either has ("vIoU").
    """

    boxes: FloatArray
    span: float
    tube: float

    @property
    def mean_box(self) -> float:
        """Mean IoU over the sampled frames that both have ("sIoU")."""
        shared = self.boxes[~np.isnan(self.boxes)]
        return float(shared.mean()) if shared.size else 0.0


def place(
    row: Row, calibration: Calibration | None = None, *, exact: bool = True
) -> Grounding:
    """The answer as the product gives it; in whole bins if it need not be exact."""
    generation = row.generation if exact else row.plain_generation
    return to_grounding(
        parse_answer(generation.text, "stvg"),
        generation,
        row.pts_seconds,
        row.video,
        row.query,
        calibration=calibration,
    )


def evidence_of(row: Row) -> Evidence | None:
    """What the probabilities say; None where they can't be matched to the text."""
    parsed = parse_answer(row.generation.text, "stvg")
    scores = coordinate_scores(parsed.tokens, row.generation)
    if scores is None:
        return None
    return gather_evidence(parsed, refined_positions(parsed, scores), scores)


def overlaps(
    row: Row, reach: int = MEAN_REACH, span_reach: int | None = None
) -> Overlaps:
    """Compare an answer with the truth.

    Args:
        row: The answer.
        reach: Bins on either side over which positions are averaged; 0 for plain bins.
        span_reach: Likewise for the span; None as for the boxes.

    Returns:
        All 0 where the question had no answer, or where the model gave none.
    """
    parsed = parse_answer(row.generation.text, "stvg")
    scores = coordinate_scores(parsed.tokens, row.generation)
    times = bins_to_seconds(list(parsed.boxes_bins), row.pts_seconds)
    positions = refined_positions(parsed, scores, reach)
    if row.truth is None or positions.span is None:
        return Overlaps(np.zeros(len(times)), 0.0, 0.0)
    if span_reach is not None:
        of_span = refined_positions(parsed, scores, span_reach).span
    else:
        of_span = positions.span
    fps = float(row.video.fps)
    true_ends = np.array([row.truth.first_frame, row.truth.last_frame]) / fps
    ends = bins_to_seconds(of_span, row.pts_seconds)
    xyxy = boxes_to_xyxy(
        list(positions.boxes.values()), row.video.width, row.video.height
    )
    frames = np.round(times * fps).astype(np.int64) - row.truth.first_frame
    shared = (frames >= 0) & (frames < len(row.truth.xyxy))
    boxes = np.full(len(times), np.nan)
    boxes[shared] = box_iou(xyxy[shared], row.truth.xyxy[frames[shared]])
    tube = _tube_iou(row, times, xyxy, ends) if len(times) else 0.0
    return Overlaps(boxes, float(span_iou(ends, true_ends)), tube)


def _tube_iou(row: Row, times: FloatArray, xyxy: FloatArray, ends: FloatArray) -> float:
    assert row.truth is not None
    seconds = np.arange(row.video.num_frames) / float(row.video.fps)
    answered = (seconds >= ends[0] - _TOLERANCE_SECONDS) & (
        seconds <= ends[1] + _TOLERANCE_SECONDS
    )
    true = np.zeros(len(seconds), bool)
    true[row.truth.first_frame : row.truth.last_frame + 1] = True
    shared = np.flatnonzero(answered & true)
    between = np.column_stack(
        [np.interp(seconds[shared], times, xyxy[:, i]) for i in range(4)]
    )
    ious = box_iou(between, row.truth.xyxy[shared - row.truth.first_frame])
    return float(ious.sum() / max((answered | true).sum(), 1))
