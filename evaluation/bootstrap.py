"""How far a mean may be trusted: bootstrap confidence intervals.

Several questions about one video are not independent of each other, so videos are
drawn, with all their rows (the cluster bootstrap; Davison and Hinkley, Bootstrap
Methods and their Application, section 3.8). The interval is that of the percentiles.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence

import numpy as np

from stablechat.errors import InputError
from stablechat.types import FloatArray

DEFAULT_RESAMPLES = 1000
LEVEL_PERCENT = 95.0

#: Draws made at once; keeps the table of counts small.
_DRAWS_AT_ONCE = 200

Interval = tuple[float, float]


def mean_intervals(
    columns: Mapping[str, FloatArray | None],
    clusters: Sequence[Hashable],
    *,
    resamples: int = DEFAULT_RESAMPLES,
    seed: int = 0,
    level_percent: float = LEVEL_PERCENT,
) -> dict[str, Interval | None]:
    """Confidence intervals of the means of columns.

    Args:
        columns: ``(N,)`` each, NaN where a row has no value; None stays None.
        clusters: N keys; rows with equal keys are drawn together.
        resamples: How many times to draw.
        seed: For the draws.
        level_percent: How sure to be.

    Returns:
        Low and high end by column; None for a column with nothing in it, and where
        there is one video only, which says nothing about others.

    Raises:
        InputError: ``resamples`` is less than 1.
    """
    if resamples < 1:
        raise InputError(f"resamples must be at least 1, got {resamples}.")
    used = {name: c for name, c in columns.items() if c is not None and len(c)}
    found: dict[str, Interval | None] = dict.fromkeys(columns)
    if not used or len(set(clusters)) < 2:
        return found
    means = _drawn_means(
        np.stack(list(used.values()), axis=1), clusters, resamples, seed
    )
    tail = (100.0 - level_percent) / 2
    for name, drawn in zip(used, means.T, strict=True):
        some = drawn[~np.isnan(drawn)]  # a draw may hold no row of a small group
        if some.size:
            low, high = np.percentile(some, [tail, 100.0 - tail])
            found[name] = float(low), float(high)
    return found


def _drawn_means(
    values: FloatArray, clusters: Sequence[Hashable], resamples: int, seed: int
) -> FloatArray:
    """Means of each draw: ``(resamples, columns)``."""
    sums, counts = _cluster_sums(values, clusters)
    share = np.full(len(sums), 1 / len(sums))
    generator = np.random.default_rng(seed)
    means = []
    for start in range(0, resamples, _DRAWS_AT_ONCE):
        draws = min(_DRAWS_AT_ONCE, resamples - start)
        times = generator.multinomial(len(sums), share, size=draws)
        total, count = times @ sums, times @ counts
        means.append(
            np.divide(total, count, out=np.full_like(total, np.nan), where=count > 0)
        )
    return np.concatenate(means)


def _cluster_sums(
    values: FloatArray, clusters: Sequence[Hashable]
) -> tuple[FloatArray, FloatArray]:
    """Sum and number of values of each cluster and column."""
    places = {key: place for place, key in enumerate(dict.fromkeys(clusters))}
    rows = np.array([places[key] for key in clusters])
    known = ~np.isnan(values)
    sums = np.zeros((len(places), values.shape[1]))
    counts = np.zeros_like(sums)
    np.add.at(sums, rows, np.where(known, values, 0.0))
    np.add.at(counts, rows, known)
    return sums, counts
