"""How much answers depend on the temperature they are sampled at.

As section 4.4 of the report that this project follows, with several seeds a
temperature: without them nobody can tell a temperature's effect from chance.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from evaluation.predictions import TUBE_TASKS
from evaluation.protocols import Metrics, Protocol, score, score_rows
from evaluation.rows import ResultRow
from stablechat.errors import InputError
from stablechat.types import FloatArray, Task

DEFAULT_TEMPERATURES = (0.001, 0.01, 0.1)
DEFAULT_SEEDS = (0, 1, 2)

CURVE_THRESHOLDS = np.linspace(0.0, 1.0, 51)

_COUNTS = ("num_rows", "num_unparsed", "num_missing")

#: A temperature and a seed.
Setting = tuple[float, int]


def rows_path(folder: Path, setting: Setting) -> Path:
    """Where the answers of a setting are."""
    temperature, seed = setting
    return folder / f"temperature_{temperature:g}_seed_{seed}.jsonl"


@dataclass(frozen=True)
class Sensitivity:
    """The metrics of all settings.

    Attributes:
        temperatures: Ascending.
        seeds: At each temperature the same.
        metrics: By setting.
        tiou: By temperature, of each row and seed: ``(rows * seeds,)``; NaN for SVG.
        siou: The same.
    """

    temperatures: tuple[float, ...]
    seeds: tuple[int, ...]
    metrics: Mapping[Setting, Metrics]
    tiou: Mapping[float, FloatArray]
    siou: Mapping[float, FloatArray]

    @property
    def num_seeds(self) -> int:
        """How often each temperature was tried."""
        return len(self.seeds)

    @property
    def all_names(self) -> list[str]:
        """Metrics that have a value, in their order."""
        first = self.metrics[self.temperatures[0], self.seeds[0]]
        return [n for n, v in first.items() if n not in _COUNTS and v is not None]

    @property
    def mean_names(self) -> list[str]:
        """The mean overlaps."""
        return [name for name in self.all_names if name.startswith("m")]

    def values(self, name: str) -> FloatArray:
        """A metric by temperature and seed: ``(temperatures, seeds)``."""
        return np.array(
            [
                [self.metrics[temperature, seed][name] for seed in self.seeds]
                for temperature in self.temperatures
            ],
            np.float64,
        )

    def over_seeds(self, name: str) -> tuple[FloatArray, FloatArray]:
        """Mean and standard deviation of a metric over the seeds, by temperature."""
        values = self.values(name)
        return values.mean(axis=1), _deviation(values, axis=1)

    @property
    def variation_over_temperatures(self) -> dict[str, float]:
        """Coefficient of variation of the means of the temperatures, by metric."""
        return {
            name: _variation(self.over_seeds(name)[0][np.newaxis])
            for name in self.mean_names
        }

    @property
    def variation_over_seeds(self) -> dict[str, float]:
        """Coefficient of variation over seeds, mean of the temperatures, by metric."""
        return {name: _variation(self.values(name)) for name in self.mean_names}

    def as_dict(self) -> dict[str, Any]:
        """Plain values for JSON."""
        return {
            "temperatures": list(self.temperatures),
            "seeds": list(self.seeds),
            "settings": [
                {"temperature": temperature, "seed": seed, **self.metrics[key]}
                for key in self.metrics
                for temperature, seed in (key,)
            ],
            "coefficient_of_variation_over_temperatures": (
                self.variation_over_temperatures
            ),
            "coefficient_of_variation_over_seeds": self.variation_over_seeds,
        }


def measure(
    rows: Mapping[Setting, Sequence[ResultRow]],
    task: Task,
    protocol: Protocol = "strict",
) -> Sensitivity:
    """Score the answers of all settings.

    Args:
        rows: Every temperature with every seed, about the same questions.
        task: STVG, SVG or ELC.
        protocol: How to score.

    Raises:
        InputError: A setting is missing, or they are about different questions.
    """
    if task not in TUBE_TASKS:
        raise InputError(f"Sensitivity is measured for stvg, svg and elc, not {task}.")
    temperatures = tuple(sorted({temperature for temperature, _ in rows}))
    seeds = tuple(sorted({seed for _, seed in rows}))
    settings = [(t, s) for t in temperatures for s in seeds]
    if not rows or set(settings) != set(rows):
        raise InputError("Every temperature needs answers with every seed.")
    if len({tuple(sorted(row.index for row in some)) for some in rows.values()}) > 1:
        raise InputError(
            "The result files are about different rows; finish all of them first."
        )
    scores = {key: score_rows(some, task, protocol) for key, some in rows.items()}
    return Sensitivity(
        temperatures=temperatures,
        seeds=seeds,
        metrics={key: score(rows[key], task, protocol) for key in settings},
        tiou={
            t: _joined([s.tiou for seed in seeds for s in scores[t, seed]])
            for t in temperatures
        },
        siou={
            t: _joined([s.siou for seed in seeds for s in scores[t, seed]])
            for t in temperatures
        },
    )


def _joined(values: Sequence[float | None]) -> FloatArray:
    return np.array([np.nan if v is None else v for v in values], np.float64)


def _deviation(values: FloatArray, axis: int) -> FloatArray:
    """Of the sample; 0 for a single value."""
    if values.shape[axis] < 2:
        return np.zeros(np.delete(values.shape, axis))
    return np.asarray(values.std(axis=axis, ddof=1), np.float64)


def _variation(values: FloatArray) -> float:
    """Deviation over mean of each row, averaged; 0 where the mean is 0."""
    means = values.mean(axis=1)
    shares = np.divide(
        _deviation(values, axis=1), means, out=np.zeros_like(means), where=means > 0
    )
    return float(shares.mean())
