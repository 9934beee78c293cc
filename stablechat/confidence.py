"""How sure the model is of a box, a span and an answer, and what that is worth.

The evidence is in the probabilities of the bins around each coordinate that was
written: how much of them lies near it (*mass*, a mean of logarithms), and how little
that is spread, measured against the size of the box or the length of the span
(*sharpness*). For a whole answer it is also the share of its span's frames that it has
a box for (*coverage*, a logarithm). A calibration turns evidence into the overlap with
the truth (IoU) that is to be expected::

    confidence = 1 / (1 + exp(-(intercept + sum(weight * evidence))))

No weight is negative, so a surer model never gets a lower confidence. The weights are
data, ``confidence.json`` beside a model's own files, made by ``training.calibrate``. A
model without it gets the mass itself, which keeps the order and means no more.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np

from stablechat.errors import CheckpointError
from stablechat.refinement import Positions
from stablechat.types import NEIGHBOUR_REACH, FloatArray, ParsedAnswer

Level = Literal["box", "span", "answer"]
_LEVELS: tuple[Level, ...] = get_args(Level)

#: Beside the weights of a model that was calibrated.
CALIBRATION_FILE = "confidence.json"
#: What each level looks at, in this order; a surer model has larger numbers.
EVIDENCE: Mapping[Level, tuple[str, ...]] = {
    "box": ("sharpness", "mass", "span_mass"),
    "span": ("sharpness", "mass"),
    "answer": ("box_sharpness", "box_mass", "span_sharpness", "span_mass", "coverage"),
}

_MAX_FILE_BYTES = 1 << 20
#: The task that asks when and where at once.
_TUBE_TASK = "stvg"
# Keep logarithms finite; what is surer than this is not told apart.
_LEAST_MASS = 1e-4
_LEAST_SPREAD = 0.01


@dataclass(frozen=True)
class Curve:
    """From evidence to the IoU that is to be expected.

    Attributes:
        intercept: Log-odds where all evidence is 0.
        weights: One for each kind of evidence, none negative.
    """

    intercept: float
    weights: tuple[float, ...]

    def __call__(self, evidence: FloatArray) -> FloatArray:
        """Expected IoU ``(...)`` by evidence ``(..., E)``."""
        odds = self.intercept + evidence @ np.array(self.weights, np.float64)
        return np.asarray(1 / (1 + np.exp(-np.clip(odds, -30, 30))), np.float64)


@dataclass(frozen=True)
class Calibration:
    """What a model's evidence is worth.

    Attributes:
        curves: For boxes, spans and whole answers.
    """

    curves: Mapping[Level, Curve]

    def judge(self, level: Level, evidence: FloatArray) -> FloatArray:
        """Expected IoU ``(...)`` by evidence ``(..., E)``."""
        return self.curves[level](evidence)


# Compared by identity: arrays have no single truth.
@dataclass(frozen=True, eq=False)
class Evidence:
    """What speaks for an answer, in the order of :data:`EVIDENCE`.

    Attributes:
        boxes: float64 ``(K, 3)``, a row for each of ``ParsedAnswer.tokens.boxes``.
        span: float64 ``(2,)``, or None where tokens gave no span.
        answer: float64 ``(5,)``, or None unless tokens gave a span and boxes in it.
    """

    boxes: FloatArray
    span: FloatArray | None
    answer: FloatArray | None


@dataclass(frozen=True)
class Confidence:
    """How sure an answer is, 0..1 each; nothing where it was not measured.

    Attributes:
        answer: Of the whole answer.
        span: Of its span.
        boxes: By frame bin; of all boxes or of none.
    """

    answer: float | None = None
    span: float | None = None
    boxes: Mapping[int, float] = field(default_factory=dict)


def measure_confidence(
    parsed: ParsedAnswer,
    positions: Positions,
    scores: FloatArray | None,
    calibration: Calibration | None = None,
) -> Confidence:
    """How sure the model is of its answer.

    Args:
        parsed: What the parser read.
        positions: The same in fractions of bins.
        scores: What :func:`stablechat.refinement.coordinate_scores` returned.
        calibration: Of the model; None for one that was not calibrated.

    Returns:
        Expected IoU by a calibration, else :func:`mass_confidence`. An answer of a span
        alone is as sure as the span, one of boxes alone as their mean; but where both
        were asked for, either without the other overlaps with nothing.
    """
    if scores is None:
        return Confidence()
    evidence = gather_evidence(parsed, positions, scores)
    judge = mass_confidence if calibration is None else calibration.judge
    span = None if evidence.span is None else float(judge("span", evidence.span))
    of_boxes = judge("box", evidence.boxes)
    if evidence.answer is not None:
        answer: float | None = float(judge("answer", evidence.answer))
    elif parsed.task == _TUBE_TASK and (span is not None or of_boxes.size):
        answer = 0.0  # half an answer: it has no span, or no box in it
    else:
        answer = float(of_boxes.mean()) if span is None and of_boxes.size else span
    boxes = dict(zip(parsed.tokens.boxes, of_boxes.tolist(), strict=True))
    known = boxes.keys() == parsed.boxes_bins.keys()
    return Confidence(answer, span, boxes if known else {})


def gather_evidence(
    parsed: ParsedAnswer, positions: Positions, scores: FloatArray
) -> Evidence:
    """What the probabilities say for an answer.

    Args:
        parsed: What the parser read.
        positions: The same in fractions of bins.
        scores: float64 ``(C, 2 * NEIGHBOUR_REACH + 1)``, as for
            :func:`measure_confidence`.
    """
    masses, spreads = _masses(scores), _spreads(scores)
    span = _span_evidence(parsed, positions, masses, spreads)
    if not parsed.tokens.boxes:
        return Evidence(np.zeros((0, 3)), span, None)
    places = np.array(list(parsed.tokens.boxes.values()))
    corners = np.array([positions.boxes[time] for time in parsed.tokens.boxes])
    # Boxes on the wrong thing are often sharp; what the model doubted was the span. A
    # span that the question named is in no doubt.
    span_mass = 0.0 if span is None else float(span[1])
    boxes = np.column_stack(
        [
            _sharpness(_relative(spreads[places], corners)),
            masses[places].mean(axis=1),
            np.full(len(places), span_mass),
        ]
    )
    return Evidence(boxes, span, _answer_evidence(parsed, boxes, span))


def _answer_evidence(
    parsed: ParsedAnswer, boxes: FloatArray, span: FloatArray | None
) -> FloatArray | None:
    if span is None or parsed.span_bins is None:
        return None
    start, end = parsed.span_bins
    inside = np.array([start <= time <= end for time in parsed.tokens.boxes])
    if not inside.any():
        return None
    # An answer that skips frames is no surer for being silent about them.
    coverage = math.log(inside.sum() / (end - start + 1))
    return np.array([*boxes[inside, :2].mean(axis=0), *span, coverage])


def _span_evidence(
    parsed: ParsedAnswer, positions: Positions, masses: FloatArray, spreads: FloatArray
) -> FloatArray | None:
    start, end = parsed.tokens.span
    if end is None or positions.span is None:
        return None
    # The start of an ELC answer's span is its first row's time, or the question's.
    places = [end] if start is None else [start, end]
    length = max(positions.span[1] - positions.span[0], 1.0)
    spread = spreads[places].sum() / length
    return np.array([_sharpness(spread), masses[places].mean()])


def _masses(scores: FloatArray) -> FloatArray:
    """Log-probability of being near each written bin, ``(C,)``."""
    return np.asarray(np.log(np.maximum(scores.sum(axis=1), _LEAST_MASS)), np.float64)


def _spreads(scores: FloatArray) -> FloatArray:
    """Deviation around each written bin, in bins, ``(C,)``.

    A position between two bins is taught as both, which spreads it by
    ``sqrt(f * (1 - f))``, f its fraction: that much is no doubt and does not count.
    """
    around = np.arange(-NEIGHBOUR_REACH, NEIGHBOUR_REACH + 1)
    weights = scores / scores.sum(axis=1, keepdims=True)
    means = weights @ around
    variances = weights @ around**2 - means**2
    fractions = means - np.floor(means)
    excess = np.maximum(variances - fractions * (1 - fractions), 0.0)
    return np.asarray(np.sqrt(excess), np.float64)


def _relative(spreads: FloatArray, corners: FloatArray) -> FloatArray:
    """Spreads ``(K, 4)`` of boxes' corners as a share of their sizes, ``(K,)``."""
    sizes = np.maximum(corners[:, 2:] - corners[:, :2], 1.0)
    return np.asarray(
        ((spreads[:, :2] + spreads[:, 2:]) / sizes).sum(axis=1), np.float64
    )


def _sharpness(spread: FloatArray) -> FloatArray:
    return np.asarray(-np.log(spread + _LEAST_SPREAD), np.float64)


def mass_confidence(level: Level, evidence: FloatArray) -> FloatArray:
    """Confidence without a calibration.

    The geometric mean of the masses; of a whole answer, times its coverage.
    """
    named = dict(zip(EVIDENCE[level], np.moveaxis(evidence, -1, 0), strict=True))
    if level != "answer":
        return np.asarray(np.exp(named["mass"]), np.float64)
    mass = (named["box_mass"] + named["span_mass"]) / 2
    return np.asarray(np.exp(mass + named["coverage"]), np.float64)


# --- the file -------------------------------------------------------------------


def load_calibration(folder: Path) -> Calibration | None:
    """The calibration beside a model's files; None where there is none.

    Raises:
        CheckpointError: It can't be read, or is not one.
    """
    path = folder / CALIBRATION_FILE
    try:
        with path.open("rb") as file:
            data = json.loads(file.read(_MAX_FILE_BYTES))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, RecursionError) as error:
        raise CheckpointError(
            "{path} can't be read: {reason}.", path=path, reason=error
        ) from error
    try:
        return Calibration({level: _curve(data, level) for level in _LEVELS})
    except (KeyError, TypeError, ValueError, OverflowError) as error:
        raise CheckpointError(
            "{path} is no calibration ({reason}); delete it, or make it again "
            "with python -m training.calibrate.",
            path=path,
            reason=error,
        ) from error


def _curve(data: Mapping[str, Any], level: Level) -> Curve:
    fields = data[level]
    named = fields["weights"]
    weights = tuple(float(named[name]) for name in EVIDENCE[level])
    intercept = float(fields["intercept"])
    if not all(map(math.isfinite, (intercept, *weights))) or min(weights) < 0:
        raise ValueError(f"{level} needs finite weights, none negative")
    return Curve(intercept, weights)
