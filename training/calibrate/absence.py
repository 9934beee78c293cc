"""How well it is told whether what was asked for is in the video at all."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from evaluation.metrics import mean
from stablechat.confidence import Calibration
from stablechat.doubts import DIFFERENT_ABOVE, UNSURE_BELOW
from training.calibrate.overlaps import evidence_of, overlaps
from training.calibrate.rows import Row


@dataclass(frozen=True)
class _Judged:
    """One answer.

    Attributes:
        viou: Its mean overlap with the truth; None where nothing in the video fits.
        confidence: 0 where the model gave no whole answer.
        difference: Of the second look; None where there was none.
    """

    viou: float | None
    confidence: float
    difference: float | None

    @property
    def is_there(self) -> bool:
        return self.viou is not None

    @property
    def is_doubted(self) -> bool:
        return self.confidence < UNSURE_BELOW

    @property
    def is_different(self) -> bool:
        return self.difference is not None and self.difference > DIFFERENT_ABOVE


_RULES: dict[str, Callable[[_Judged], bool]] = {
    "by_confidence": lambda each: each.is_doubted,
    "by_second_look": lambda each: each.is_different,
    "by_either": lambda each: each.is_doubted or each.is_different,
}


def report_absence(rows: Sequence[Row], calibration: Calibration) -> dict[str, Any]:
    """How confidence and second looks tell questions about nothing from others."""
    judged = [_judge(row, calibration) for row in rows]
    there = [each for each in judged if each.is_there]
    absent = [each for each in judged if not each.is_there]
    looked = [
        [each.difference for each in group if each.difference is not None]
        for group in (absent, there)
    ]
    return {
        "num_rows": len(absent),
        "num_rows_there": len(there),
        "mean_confidence": round(mean([each.confidence for each in absent]), 4),
        "mean_confidence_there": round(mean([each.confidence for each in there]), 4),
        "auroc": _auroc(
            [-each.confidence for each in absent], [-each.confidence for each in there]
        ),
        "second_look": {
            "num_rows": len(looked[0]),
            "num_rows_there": len(looked[1]),
            "auroc": _auroc(*looked),
        },
        "unsure_below": UNSURE_BELOW,
        "different_above": DIFFERENT_ABOVE,
        "told_as_guesses": {
            name: _told(rule, absent, there) for name, rule in _RULES.items()
        },
    }


def _judge(row: Row, calibration: Calibration) -> _Judged:
    evidence = evidence_of(row)
    whole = None if evidence is None else evidence.answer
    look = row.second_look
    return _Judged(
        None if row.truth is None else overlaps(row).tube,
        0.0 if whole is None else float(calibration.judge("answer", whole)),
        None if look is None else look.difference,
    )


def _told(
    rule: Callable[[_Judged], bool],
    absent: Sequence[_Judged],
    there: Sequence[_Judged],
) -> dict[str, Any]:
    """What a rule calls a guess, and how right the answers are that it does."""
    groups: dict[bool, list[float]] = {True: [], False: []}
    for each in there:
        groups[rule(each)].append(each.viou or 0.0)
    return {
        "num": sum(rule(each) for each in absent),
        "num_there": len(groups[True]),
        "mviou_there": _rounded_mean(groups[True]),
        "mviou_of_the_others": _rounded_mean(groups[False]),
    }


def _rounded_mean(values: Sequence[float]) -> float | None:
    return round(mean(values), 4) if values else None


def _auroc(higher: Sequence[float], lower: Sequence[float]) -> float | None:
    """How often one of the first is above one of the second; equals count half."""
    above = np.greater.outer(higher, lower) + 0.5 * np.equal.outer(higher, lower)
    return round(float(above.mean()), 4) if above.size else None
