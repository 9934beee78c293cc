"""Our metrics while a model is trained, and where they go."""

from __future__ import annotations

import importlib.util
import json
import sqlite3
from pathlib import Path
from typing import Any

import golden_files
import pytest
import torch
from safetensors.torch import load_file
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
from tiny_runs import settings, write_data, write_questions

from stablechat.errors import InputError
from stablechat.loader import load_model
from training.finetune.__main__ import prepare_model, train
from training.finetune.evaluating import Evaluation
from training.finetune.settings import Lora
from training.finetune.trainer import STATE_FILE


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    write_data(folder)
    return folder


@pytest.fixture(scope="module")
def asked(data: Path) -> dict[str, Any]:
    return write_questions(data, 2)


def test_metrics_and_losses_are_logged_while_it_trains(
    data: Path, asked: dict[str, Any], tmp_path: Path
) -> None:
    chosen = settings(
        data,
        out=tmp_path / "run",
        max_steps=3,
        eval_steps=2,
        eval_limit=1,
        report_to=("tensorboard",),
        **asked,
    )
    trainer = train(chosen, "cpu")
    names = sorted(path.name for path in (chosen.out / "evaluation").glob("*.json"))
    assert names == ["step-2.json", "step-3.json"]
    metrics = json.loads((chosen.out / "evaluation" / "step-3.json").read_text())
    assert metrics["num_rows"] == 1 and 0 <= metrics["mtiou"] <= 1
    logged = [entry for entry in trainer.state.log_history if "eval_mtiou" in entry]
    assert [entry["step"] for entry in logged] == [2, 3]
    (folder,) = (chosen.out / "runs").iterdir()
    curves = EventAccumulator(str(folder)).Reload()
    measured = curves.Scalars("eval/mtiou")
    assert [event.step for event in measured] == [2, 3]
    assert measured[1].value == pytest.approx(metrics["mtiou"])
    losses = curves.Scalars("train/loss")
    assert [event.step for event in losses] == [1, 2, 3]
    in_history = [e["loss"] for e in trainer.state.log_history if "loss" in e]
    assert [event.value for event in losses] == pytest.approx(in_history)
    assert [e.step for e in curves.Scalars("train/learning_rate")] == [1, 2, 3]
    # It learns on as it would have without.
    plain = settings(data, out=tmp_path / "plain", max_steps=3, save_steps=3)
    train(plain, "cpu")
    again = load_file(plain.out / "checkpoint-3" / STATE_FILE)
    for name, parameter in trainer.model.llava.named_parameters():  # type: ignore[union-attr]
        if parameter.requires_grad:
            assert torch.equal(parameter, again[name]), name


def test_a_run_is_followed_by_trackio(
    data: Path, asked: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TRACKIO_DIR", str(tmp_path / "trackio"))
    pytest.importorskip("trackio")
    chosen = settings(
        data,
        out=tmp_path / "run",
        max_steps=2,
        eval_limit=1,
        report_to=("trackio",),
        **asked,
    )
    train(chosen, "cpu")
    (database,) = (tmp_path / "trackio").glob("*.db")
    with sqlite3.connect(database) as store:
        lines = store.execute("SELECT step, metrics FROM metrics").fetchall()
    written = [json.loads(metrics) for _, metrics in lines]
    assert len([line for line in written if "train/loss" in line]) == 2
    assert len([line for line in written if "eval/mtiou" in line]) == 1


def test_what_is_not_installed_is_told(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    find = importlib.util.find_spec

    def without(name: str, *given: Any) -> Any:
        return None if name == "wandb" else find(name, *given)

    monkeypatch.setattr(importlib.util, "find_spec", without)
    with pytest.raises(InputError, match="pip install wandb"):
        train(settings(data, out=tmp_path / "run", report_to=("wandb",)), "cpu")


@pytest.mark.parametrize("lora", [Lora(r=4, alpha=8), None])
def test_parts_in_float32_among_others_can_be_asked(
    data: Path, asked: dict[str, Any], tmp_path: Path, lora: Lora | None
) -> None:
    chosen = settings(
        data, out=tmp_path / "run", precision="bfloat16", lora=lora, **asked
    )
    loaded = load_model(golden_files.CHECKPOINT, "cpu", "bfloat16")
    prepare_model(loaded, chosen)
    assert Evaluation(loaded, chosen).measure(1)["num_rows"] == 2
