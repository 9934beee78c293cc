"""What finer positions bring, and how well confidence is calibrated."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evaluation.metrics import mean
from stablechat.confidence import EVIDENCE, Calibration, Level, mass_confidence
from stablechat.refinement import MEAN_REACH
from stablechat.types import NEIGHBOUR_REACH, FloatArray
from training.calibrate.absence import report_absence
from training.calibrate.fit import Pairs, collect_pairs
from training.calibrate.overlaps import Overlaps, overlaps, place
from training.calibrate.rows import Row

#: Points of a reliability curve, with the same number of examples each.
NUM_BUCKETS = 10
_METRICS = ("mtiou", "msiou", "mviou")


@dataclass(frozen=True)
class Bucket:
    """Examples of about the same confidence.

    Attributes:
        confidence: Their mean.
        iou: What was true: the mean overlap.
        count: How many.
    """

    confidence: float
    iou: float
    count: int


def make_report(rows: Sequence[Row], calibration: Calibration) -> dict[str, Any]:
    """All numbers of a held-out set, as plain values."""
    there = [row for row in rows if row.truth is not None]
    return {
        "num_rows": dict(Counter(_kind(row) for row in rows)),
        "positions": report_positions(there),
        "confidence": {
            level: _report_level(level, pairs, calibration)
            for level, pairs in collect_pairs(there).items()
        },
        "not_there": report_absence(rows, calibration),
    }


def _kind(row: Row) -> str:
    return "not_there" if row.truth is None else row.world


# --- positions ------------------------------------------------------------------


def report_positions(rows: Sequence[Row]) -> dict[str, Any]:
    """Mean overlaps by how far positions are averaged, and the gain by world."""
    plain = [overlaps(row, 0) for row in rows]
    chosen = [overlaps(row) for row in rows]
    worlds = {"all": list(range(len(rows)))}
    for number, row in enumerate(rows):
        worlds.setdefault(row.world, []).append(number)
    return {
        "chosen_reach": MEAN_REACH,
        "by_reach": {
            str(reach): _means([overlaps(row, reach) for row in rows])
            for reach in range(NEIGHBOUR_REACH + 1)
        },
        "boxes_only": _means([overlaps(row, MEAN_REACH, 0) for row in rows]),
        "by_world": {
            name: {
                "num_rows": len(rows_of),
                "bins": _means([plain[i] for i in rows_of]),
                "sub_bin": _means([chosen[i] for i in rows_of]),
                "gain": _gains(
                    [plain[i] for i in rows_of], [chosen[i] for i in rows_of]
                ),
            }
            for name, rows_of in worlds.items()
        },
    }


def _table(found: Sequence[Overlaps]) -> FloatArray:
    return np.array([[o.span, o.mean_box, o.tube] for o in found])


def _means(found: Sequence[Overlaps]) -> dict[str, float]:
    return dict(
        zip(_METRICS, _table(found).mean(axis=0).round(4).tolist(), strict=True)
    )


def _gains(before: Sequence[Overlaps], after: Sequence[Overlaps]) -> dict[str, Any]:
    """Mean of the differences row by row, with its standard error."""
    change = _table(after) - _table(before)
    errors = change.std(axis=0) / max(len(change) - 1, 1) ** 0.5
    return {
        name: {"mean": round(float(m), 4), "standard_error": round(float(e), 4)}
        for name, m, e in zip(_METRICS, change.mean(axis=0), errors, strict=True)
    }


# --- confidence -----------------------------------------------------------------


def _report_level(
    level: Level, pairs: Pairs, calibration: Calibration
) -> dict[str, Any]:
    calibrated = calibration.judge(level, pairs.evidence)
    by_mass = mass_confidence(level, pairs.evidence)
    curve = reliability_curve(calibrated, pairs.iou)
    return {
        "evidence": list(EVIDENCE[level]),
        "num_examples": len(pairs.iou),
        "mean_iou": round(mean(pairs.iou.tolist()), 4),
        "mean_confidence": round(mean(calibrated.tolist()), 4),
        "ece": round(calibration_error(curve), 4),
        "ece_uncalibrated": round(
            calibration_error(reliability_curve(by_mass, pairs.iou)), 4
        ),
        "rank_correlation": round(rank_correlation(calibrated, pairs.iou), 4),
        "mean_absolute_error": round(float(np.abs(calibrated - pairs.iou).mean()), 4),
        "curve": [[round(b.confidence, 4), round(b.iou, 4), b.count] for b in curve],
        "curve_uncalibrated": [
            [round(b.confidence, 4), round(b.iou, 4), b.count]
            for b in reliability_curve(by_mass, pairs.iou)
        ],
    }


def reliability_curve(confidence: FloatArray, iou: FloatArray) -> list[Bucket]:
    """Mean overlap by confidence, in buckets of equal size."""
    order = np.argsort(confidence, kind="stable")
    return [
        Bucket(float(confidence[part].mean()), float(iou[part].mean()), len(part))
        for part in np.array_split(order, min(NUM_BUCKETS, len(order)))
    ]


def calibration_error(curve: Sequence[Bucket]) -> float:
    """Expected calibration error (Guo et al., 2017), of overlaps in place of hits."""
    total = sum(bucket.count for bucket in curve)
    return sum(b.count * abs(b.confidence - b.iou) for b in curve) / max(total, 1)


def rank_correlation(a: FloatArray, b: FloatArray) -> float:
    """Spearman's, where hardly any values are equal."""
    ranks = [np.argsort(np.argsort(values, kind="stable")) for values in (a, b)]
    return float(np.corrcoef(*ranks)[0, 1])


# --- candidates -----------------------------------------------------------------


def report_candidates(rows: Sequence[Row], calibration: Calibration) -> dict[str, Any]:
    """What choosing among answers brings, and what the best choice would.

    Args:
        rows: The candidates of each question stand together, the plain one first.
        calibration: Says which is the surest.
    """
    questions: list[list[Row]] = []
    for row in rows:
        if row.truth is None:
            continue
        if row.candidate == 0:
            questions.append([])
        questions[-1].append(row)
    chosen = [_chosen(question, calibration) for question in questions]
    table = {name: np.array([each[name] for each in chosen]) for name in chosen[0]}
    return {
        "num_questions": len(questions),
        "num_candidates": max(map(len, questions)),
        "mviou": {name: round(float(each.mean()), 4) for name, each in table.items()},
        **{
            name: _against(table[name], table["plain"])
            for name in ("surest", "likeliest")
            if name in table
        },
    }


def _chosen(question: Sequence[Row], calibration: Calibration) -> dict[str, float]:
    tubes = [overlaps(row).tube for row in question]
    sure = [place(row, calibration).confidence or 0.0 for row in question]
    likely = [row.log_likelihood for row in question if row.log_likelihood is not None]
    found = {"plain": tubes[0], "surest": tubes[int(np.argmax(sure))]}
    if len(likely) == len(tubes):
        found["likeliest"] = tubes[int(np.argmax(likely))]
    return {**found, "best": max(tubes), "mean": mean(tubes)}


def _against(chosen: FloatArray, plain: FloatArray) -> dict[str, int]:
    """How often a choice differs from the plain answer by more than 0.01."""
    return {
        "is_better": int((chosen > plain + 0.01).sum()),
        "is_worse": int((chosen < plain - 0.01).sum()),
    }
