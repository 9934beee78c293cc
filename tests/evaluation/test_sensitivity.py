"""Temperatures and seeds: what varies, and by how much."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from eval_samples import square_row, without_answer

from evaluation.figures import accuracy_curve, sensitivity_png
from evaluation.rows import ResultRow, check_row
from evaluation.sensitivity import Setting, measure, rows_path
from stablechat.errors import InputError


def rows(shifts: Sequence[float]) -> list[ResultRow]:
    """Answers whose boxes are that many pixels too low, half of 16 being a third."""
    raws = [square_row(n, shift=lambda _, s=s: s) for n, s in enumerate(shifts)]
    return [check_row(raw, "stvg") for raw in raws]


def settings() -> dict[Setting, list[ResultRow]]:
    return {
        (0.1, 1): rows([8, 8, 8]),
        (0.01, 0): rows([0, 0, 0]),
        (0.1, 0): rows([0, 8, 8]),
        (0.01, 1): rows([0, 0, 0]),
    }


def test_what_varies() -> None:
    found = measure(settings(), "stvg")
    assert found.temperatures == (0.01, 0.1) and found.seeds == (0, 1)
    assert found.mean_names == ["mtiou", "msiou", "mstiou"]
    means, spread = found.over_seeds("msiou")
    table = found.values("msiou")
    assert means.tolist() == pytest.approx(table.mean(axis=1).tolist())
    assert means[0] > 0.9 and 0.3 < means[1] < 0.6
    assert spread[0] == 0.0
    assert spread[1] == pytest.approx(np.std(table[1], ddof=1))
    over = np.std(means, ddof=1) / np.mean(means)
    assert found.variation_over_temperatures["msiou"] == pytest.approx(over)
    seeds = found.variation_over_seeds["msiou"]
    assert seeds == pytest.approx(spread[1] / means[1] / 2)
    assert found.variation_over_temperatures["mtiou"] == pytest.approx(0.0)
    assert found.siou[0.1].shape == (6,)
    assert json.loads(json.dumps(found.as_dict()))["settings"][3]["seed"] == 1


def test_one_seed_has_no_spread() -> None:
    found = measure({(0.0, 0): rows([0]), (1.0, 0): rows([4])}, "stvg")
    assert found.over_seeds("msiou")[1].tolist() == [0.0, 0.0]
    assert found.variation_over_seeds["msiou"] == 0.0


def test_answers_that_say_nothing_vary_by_nothing() -> None:
    nothing = [check_row(without_answer(0), "stvg")]
    found = measure({(0.1, 0): nothing, (0.2, 0): nothing}, "stvg")
    assert found.variation_over_temperatures["mtiou"] == 0.0
    picture = sensitivity_png(found)
    assert picture.startswith(b"\x89PNG")
    assert picture == sensitivity_png(found)  # can be made again


def test_any_list_of_temperatures_is_drawn() -> None:
    many = {(t / 10, s): rows([t]) for t in range(9) for s in range(2)}
    assert sensitivity_png(measure(many, "stvg")).startswith(b"\x89PNG")


def test_accuracy_curves() -> None:
    curve = accuracy_curve(np.array([0.0, 0.5, 1.0, 1.0]))
    assert (curve[0], curve[25], curve[26], curve[50]) == (100.0, 75.0, 50.0, 50.0)


def test_settings_must_be_complete_and_about_the_same() -> None:
    some = settings()
    del some[0.1, 1]
    with pytest.raises(InputError, match="every seed"):
        measure(some, "stvg")
    some[0.1, 1] = rows([1, 2])
    with pytest.raises(InputError, match="about different rows"):
        measure(some, "stvg")
    with pytest.raises(InputError, match="not tvg"):
        measure(some, "tvg")


def test_names_of_files() -> None:
    path = rows_path(Path("x"), (0.001, 2))
    assert path == Path("x/temperature_0.001_seed_2.jsonl")
