"""The experiment of one target from many: its stages, and going on with them."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from benchmarks import single_target
from evaluation.protocols import ScoreTable
from training.finetune.settings import read_settings

ROWS = (
    *(SimpleNamespace(video=f"{number}.mp4") for number in range(2)),
    SimpleNamespace(video="1.mp4"),
)
SCORES = {
    **{"mtiou": 0.5, "msiou": 0.25, "mstiou": 0.125},
    **{f"{part}@{at}": 50.0 for part in ("tiou", "siou") for at in (0.3, 0.5, 0.7)},
    **{"viou@0.3": 12.5, "viou@0.5": 6.0, "viou@0.7": 0.0},
}


def table_of(scores: dict[str, float], more: float = 0.0) -> ScoreTable:
    """Of three rows of two videos, whose values are alike."""
    columns = {name: np.full(3, value + more) for name, value in scores.items()}
    return ScoreTable(columns, ROWS, 3, 0, 0)  # type: ignore[arg-type]


@pytest.fixture
def done(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What is done, in order; nothing slow is."""
    events: list[str] = []

    def draw(folder: Path, world: str, seed: int, count: int, workers: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        events.append(f"draw {folder.name}: {count} of {seed} in {world}")

    def run(module: str, *arguments: object) -> None:
        words = [str(argument) for argument in arguments]
        if module == "training.vidor":
            out = Path(words[words.index("--out") + 1])
            out.write_text("")
            out.with_suffix(".report.json").write_text('{"num_right": 3, "bad": []}')
            events.append(
                f"rows {out.stem}: {' '.join(words[words.index('--out') + 2 :])}"
            )
        else:
            settings = [word for word in words if word.startswith("--set=")]
            changes = dict(word.removeprefix("--set=").split("=") for word in settings)
            (Path(changes["out"]) / "model").mkdir(parents=True)
            events.append(f"train on {Path(changes['rows']).name}")

    class Asked:
        def __init__(self, args: Any) -> None: ...

        def ask(self, name: str) -> ScoreTable:
            events.append(f"ask {name}")
            return table_of(SCORES)

    monkeypatch.setattr(single_target, "draw_world", draw)
    monkeypatch.setattr(single_target, "_run", run)
    monkeypatch.setattr(single_target, "Questions", Asked)
    return events


def arguments(work: Path, *more: str) -> list[str]:
    return ["--model", "v1", "--work", str(work), "--device", "cpu", *more]


def test_all_is_made_once(
    tmp_path: Path, done: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "result.json"
    only = ("--only", "random", "--run-seed", "3")
    assert single_target.main(arguments(tmp_path, *only)) == 0
    assert done == [
        "draw train: 120 of 20261130 in crowded",
        "draw test: 100 of 20261131 in crowded",
        "rows random: --candidates category --target random --device cpu",
        "train on random.jsonl",
        "ask random-3",
    ]
    capsys.readouterr()
    done.clear()
    seeds = ("--run-seed", "3", "--run-seed", "4", "--out", str(out))
    assert single_target.main(arguments(tmp_path, *seeds)) == 0
    assert [line for line in done if line.startswith(("rows", "train"))] == [
        "train on random.jsonl",
        "rows selected: --candidates category --device cpu",
        *["train on selected.jsonl"] * 2,
        "rows named: --candidates named --device cpu",
        *["train on named.jsonl"] * 2,
    ]
    found = json.loads(out.read_text())
    assert list(found["results"]) == ["before", "random", "selected", "named"]
    assert found["choices"]["random"]["num_right"] == 3
    assert found["config"] == {"file": "crowded_demo.yaml", "set": [], "tasks": []}
    nothing = {"mean": 0.0, "interval": [0.0, 0.0]}
    assert found["differences"]["selected - random"]["msiou"] == nothing
    row = capsys.readouterr().out.splitlines()[2]
    assert row == (
        "| before | 0.500 | 50.0 | 50.0 | 50.0 | 0.250 | 50.0 | 50.0 | 50.0 | "
        "0.125 | 12.5 | 6.0 | 0.0 |"
    )


def test_a_failed_stage_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(single_target, "draw", lambda args: None)
    shutil.rmtree(tmp_path / "train", ignore_errors=True)
    assert single_target.main(arguments(tmp_path, "--only", "named")) == 2
    assert "python -m training.vidor failed" in capsys.readouterr().err


def test_tasks_reach_their_command(tmp_path: Path, done: list[str]) -> None:
    asked = ("--only", "named", "--task", "stvg", "--task", "svg")
    single_target.main(arguments(tmp_path, *asked))
    assert done[2:4] == [
        "rows named: --candidates named --task stvg --task svg --device cpu",
        "train on named.jsonl",
    ]


def test_differences_are_of_the_same_videos() -> None:
    tables = {name: [table_of(SCORES)] for name in ("before", "random")}
    tables |= {name: [table_of(SCORES, more=0.25)] for name in ("selected", "named")}
    # Better on one of the two videos only: the interval must show it.
    tables["named"][0].columns["msiou"][1:] -= 0.25  # type: ignore[index]
    found = single_target.differences(tables)
    better = found["selected - random"]["msiou"]
    assert better["mean"] == 0.25 and better["interval"] == (0.25, 0.25)
    unsure = found["named - random"]["msiou"]
    assert unsure["mean"] == pytest.approx(0.25 / 3)
    assert unsure["interval"] == (0.0, 0.25)


def test_the_runs_of_an_arm_are_averaged() -> None:
    runs = [table_of(SCORES), table_of(SCORES, more=0.5)]
    assert single_target.mean_metrics(runs)["msiou"] == 0.5
    found = single_target.differences({"before": runs[:1], "named": runs})
    assert list(found) == ["named - before"]
    assert found["named - before"]["mtiou"]["mean"] == 0.25


@pytest.mark.parametrize("name", ["crowded_demo.yaml", "crowded_demo_cpu.yaml"])
def test_the_configurations_can_be_read(name: str) -> None:
    settings = read_settings(single_target.CONFIG.with_name(name))
    assert "language" in settings.learning_rates
