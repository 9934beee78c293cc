"""Confidence intervals: against theory, and of rows that belong together."""

from __future__ import annotations

import numpy as np
import pytest

from evaluation.bootstrap import mean_intervals
from stablechat.errors import InputError


def interval(values: list[float], clusters: list[int] | None = None, **more: int):
    columns = {"x": np.array(values, np.float64)}
    return mean_intervals(columns, clusters or list(range(len(values))), **more)["x"]


def test_it_agrees_with_the_normal_law() -> None:
    values = np.random.default_rng(3).normal(0.4, 0.2, 2000).tolist()
    low, high = interval(values, resamples=2000)
    half = 1.96 * np.std(values) / np.sqrt(2000)
    assert low == pytest.approx(np.mean(values) - half, abs=0.002)
    assert high == pytest.approx(np.mean(values) + half, abs=0.002)


def test_it_covers_the_truth_as_often_as_it_says() -> None:
    generator = np.random.default_rng(5)
    hits = 0
    for trial in range(200):
        rows = (generator.random(60) < 0.3).astype(float).tolist()
        low, high = interval(rows, resamples=300, seed=trial)
        hits += low <= 0.3 <= high
    assert 176 <= hits <= 199  # 95% of 200, give or take three deviations


def test_rows_of_one_video_are_no_new_evidence() -> None:
    few = [0.0, 1.0, 1.0, 0.0, 1.0, 0.0, 1.0, 1.0]
    often = [value for value in few for _ in range(50)]
    videos = [video for video in range(8) for _ in range(50)]
    alone, together = interval(few), interval(often, videos)
    assert together == pytest.approx(alone)
    naive = interval(often)
    assert naive[1] - naive[0] < (alone[1] - alone[0]) / 4


def test_the_same_seed_gives_the_same() -> None:
    values = [0.1, 0.5, 0.9, 0.3]
    assert interval(values, seed=1) == interval(values, seed=1)
    assert interval(values, seed=1) != interval(values, seed=2)


def test_columns_without_a_value_for_each_row() -> None:
    columns = {
        "some": np.array([1.0, np.nan, 1.0, np.nan]),
        "none": np.full(4, np.nan),
        "no column": None,
    }
    found = mean_intervals(columns, [0, 1, 2, 3], resamples=50)
    assert found == {"some": (1.0, 1.0), "none": None, "no column": None}
    assert mean_intervals({"x": np.zeros(0)}, []) == {"x": None}


def test_no_resamples() -> None:
    with pytest.raises(InputError, match="at least 1"):
        interval([1.0], resamples=0)
