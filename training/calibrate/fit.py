"""From evidence and overlaps to a calibration."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from stablechat.confidence import EVIDENCE, Calibration, Curve, Level
from stablechat.types import FloatArray
from training.calibrate.overlaps import evidence_of, overlaps
from training.calibrate.rows import Row

# Keeps weights finite where the evidence tells right from wrong without an error.
_PULL = 1e-3
_STEPS = 60


# Compared by identity: arrays have no single truth.
@dataclass(frozen=True, eq=False)
class Pairs:
    """Evidence ``(N, E)`` and the IoU ``(N,)`` that it came with."""

    evidence: FloatArray
    iou: FloatArray


def collect_pairs(rows: Sequence[Row]) -> dict[Level, Pairs]:
    """Pairs of boxes, spans and answers to questions about what is there.

    Answers whose text can't be matched to its tokens have none.
    """
    found: dict[Level, list[tuple[FloatArray, float]]] = {
        level: [] for level in EVIDENCE
    }
    for row in rows:
        evidence = evidence_of(row)
        if evidence is None or row.truth is None:
            continue
        overlap = overlaps(row)
        for of_box, iou in zip(evidence.boxes, overlap.boxes, strict=True):
            if not np.isnan(iou):
                found["box"].append((of_box, float(iou)))
        if evidence.span is not None:
            found["span"].append((evidence.span, overlap.span))
        if evidence.answer is not None:
            found["answer"].append((evidence.answer, overlap.tube))
    return {
        level: Pairs(
            np.array([e for e, _ in pairs]), np.array([iou for _, iou in pairs])
        )
        for level, pairs in found.items()
    }


def fit_calibration(pairs: dict[Level, Pairs]) -> Calibration:
    """Fit all curves."""
    return Calibration({level: fit_curve(p) for level, p in pairs.items()})


def fit_curve(pairs: Pairs) -> Curve:
    """The logistic curve with the least cross-entropy and no negative weight.

    Newton's method on the weights that are positive or would become so (Bertsekas,
    "Projected Newton methods", 1982), with a small pull to 0.
    """
    mean = pairs.evidence.mean(axis=0)
    scale = np.maximum(pairs.evidence.std(axis=0), 1e-9)
    inputs = np.column_stack([np.ones(len(pairs.iou)), (pairs.evidence - mean) / scale])
    weights = np.zeros(inputs.shape[1])
    for _ in range(_STEPS):
        weights = _step(inputs, pairs.iou, weights)
    slopes = weights[1:] / scale
    return Curve(float(weights[0] - slopes @ mean), tuple(slopes.tolist()))


def _step(inputs: FloatArray, iou: FloatArray, weights: FloatArray) -> FloatArray:
    expected = 1 / (1 + np.exp(-inputs @ weights))
    pull = np.full(len(weights), _PULL)
    pull[0] = 0.0
    slope = inputs.T @ (expected - iou) / len(iou) + pull * weights
    curvature = (inputs.T * (expected * (1 - expected))) @ inputs / len(iou)
    free = (weights > 0) | (slope < 0)
    free[0] = True
    change = np.zeros(len(weights))
    block = curvature[np.ix_(free, free)] + np.diag(pull[free] + 1e-9)
    change[free] = np.linalg.solve(block, slope[free])
    # Half a step: slower, and it does not jump over the minimum.
    moved = weights - 0.5 * change
    moved[1:] = np.maximum(moved[1:], 0.0)
    return moved


def calibration_to_dict(
    calibration: Calibration, pairs: dict[Level, Pairs], made_by: dict[str, Any]
) -> dict[str, Any]:
    """A calibration as the content of ``confidence.json``."""
    return {
        "meaning": MEANING,
        "made_by": made_by,
        **{
            level: {
                "intercept": round(curve.intercept, 4),
                "weights": {
                    name: round(weight, 4)
                    for name, weight in zip(EVIDENCE[level], curve.weights, strict=True)
                },
                "num_examples": len(pairs[level].iou),
            }
            for level, curve in calibration.curves.items()
        },
    }


#: What a calibrated confidence says, in one sentence.
MEANING = (
    "The overlap (IoU) with the truth that is to be expected if what was asked for is "
    "in the video: of a box, of the span, and of the whole answer, over all frames "
    "that either has."
)
