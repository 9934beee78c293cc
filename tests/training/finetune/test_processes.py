"""Two processes train as one with the doubled batch does."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
import yaml
from launching import FSDP, launch
from safetensors.torch import load_file
from tiny_runs import ANSWERS, rows, settings, write_data, write_questions

from stablechat.errors import InputError
from stablechat.loader import load_model
from training.finetune.__main__ import train
from training.finetune.settings import read_settings
from training.finetune.sharding import set_up_fsdp
from training.finetune.trainer import COMPLETE_FILE, STATE_FILE

# Several starts of PyTorch each; evaluation's processes are tested in CI.
pytestmark = pytest.mark.long

COMMON: dict[str, Any] = {
    "learning_rates": {"language": 1e-3, "packer": 1e-3, "coordinates": 1e-3},
    "lora": {"r": 4, "alpha": 8, "dropout": 0.0},
    "max_steps": 4,
    "save_steps": 2,
    "eval_steps": 2,
    "precision": "float32",
    "batch_size": 1,
    "report_to": [],
    "seed": 3,
}


#: Biases of keys have no gradient but rounding, of which Adam makes whole steps.
ROUNDING = {"atol": 1e-4, "rtol": 1e-3}


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Settings of a run of two processes, but for where it goes."""
    folder = tmp_path_factory.mktemp("processes")
    # Answers of four lengths, which stand in another order where batches are smaller.
    lines = [{**rows()[0], "id": str(i), "video": f"{i % 3}.mp4"} for i in range(4)]
    for number, line in enumerate(lines):
        line["answer"] = ANSWERS[0] + number * " It moves."
    write_data(folder, lines)
    questions = write_questions(folder, 3)
    return {
        **COMMON,
        **{name: str(path) for name, path in questions.items()},
        "rows": str(folder / "train.jsonl"),
        "videos": str(folder / "videos"),
        "model": settings(folder).model,
    }


@pytest.fixture(scope="module")
def one(told: dict[str, Any], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What one process made of the doubled batch."""
    folder = tmp_path_factory.mktemp("one")
    config = write_config(folder, told)
    train(read_settings(config, {"batch_size": 2}), "cpu")
    return folder / "run"


def write_config(folder: Path, told: dict[str, Any]) -> Path:
    config = folder / "config.yaml"
    config.write_text(yaml.safe_dump({**told, "out": str(folder / "run")}))
    return config


def assert_same(run: Path, one: Path, **tolerance: float) -> None:
    found, expected = (
        load_file(folder / "checkpoint-4" / STATE_FILE) for folder in (run, one)
    )
    assert found.keys() == expected.keys()
    for name, value in found.items():
        torch.testing.assert_close(value, expected[name], **tolerance, msg=name)


def assert_same_model(
    folder: Path,
    other: Path,
    adapters: tuple[Path | None, Path | None] = (None, None),
    **tolerance: float,
) -> None:
    found, expected = (
        dict(load_model(base, "cpu", "float32", adapter=adapter).model.state_dict())
        for base, adapter in zip((folder, other), adapters, strict=True)
    )
    for name, value in found.items():
        torch.testing.assert_close(value, expected[name], **tolerance, msg=name)


def assert_asked_by_both(run: Path, one: Path) -> None:
    for step in (2, 4):
        found, expected = (
            (folder / "evaluation" / f"step-{step}.jsonl").read_text().splitlines()
            for folder in (run, one)
        )
        outputs = [
            [json.loads(line)["outputs"] for line in lines]
            for lines in (found, expected)
        ]
        assert outputs[0] == outputs[1]
    logs = sorted(run.glob("asked-*"))
    assert [len(log.read_text().splitlines()) for log in logs] == [2, 4]
    assert not list((run / "evaluation").glob("*.part*"))


def test_two_processes_are_one_with_the_doubled_batch(
    told: dict[str, Any], one: Path, tmp_path: Path
) -> None:
    config = write_config(tmp_path, told)
    done = launch("-m", "launched_training", str(config), "--device", "cpu")
    assert done.returncode == 0, done.stderr
    assert_asked_by_both(tmp_path / "run", one)
    assert_same(tmp_path / "run", one, **ROUNDING)
    assert (tmp_path / "run" / "model" / "config.json").exists()


@pytest.mark.long
def test_a_model_spread_over_processes_learns_the_same(
    told: dict[str, Any], one: Path, tmp_path: Path
) -> None:
    config = write_config(tmp_path, {**told, "gradient_checkpointing": True})
    command = ("-m", "launched_training", str(config), "--device", "cpu")
    done = launch(*command, how=FSDP)
    assert done.returncode == 0, done.stderr
    run = tmp_path / "run"
    checkpoint = run / "checkpoint-4"
    assert len(list((checkpoint / "optimizer_0").glob("*.distcp"))) == 2
    assert not list(checkpoint.glob("*model_fsdp*")), "the frozen model is not written"
    assert_same(run, one, **ROUNDING)
    assert_asked_by_both(run, one)
    assert_same_model(run / "model", one / "model", atol=2e-3, rtol=1e-3)
    assert_same_model(
        Path(told["model"]),
        Path(told["model"]),
        (run / "adapter", one / "adapter"),
        **ROUNDING,
    )
    # It goes on from its checkpoint as if it had never stopped.
    kept = shutil.copytree(run, tmp_path / "kept")
    for name in ("checkpoint-4", "model", "adapter"):
        shutil.rmtree(run / name)
    written = (run / "checkpoint-2" / STATE_FILE).stat().st_mtime_ns
    again = launch(*command, how=FSDP)
    assert again.returncode == 0, again.stderr
    assert (run / "checkpoint-2" / STATE_FILE).stat().st_mtime_ns == written
    assert_same(run, kept, atol=0, rtol=0)
    assert_same_model(run / "model", kept / "model", atol=0, rtol=0)


@pytest.mark.long
def test_a_process_with_a_bad_row_keeps_step(
    told: dict[str, Any], tmp_path: Path
) -> None:
    lines = [{**rows()[0], "id": "good"}, {**rows()[0], "id": "bad", "video": "no.mp4"}]
    (tmp_path / "rows.jsonl").write_text("\n".join(map(json.dumps, lines)))
    bad = {"rows": str(tmp_path / "rows.jsonl"), "skip_bad": True, "max_steps": 2}
    config = write_config(tmp_path, {**told, **bad})
    command = ("-m", "launched_training", str(config), "--device", "cpu")
    done = launch(*command, how=FSDP)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run" / "checkpoint-2" / COMPLETE_FILE).exists()
    assert list(json.loads((tmp_path / "run" / "left_out.json").read_text())) == ["bad"]
    assert (tmp_path / "run" / "model" / "config.json").exists()


def test_the_older_fsdp_is_refused() -> None:
    with pytest.raises(InputError, match=r"accelerate_fsdp\.yaml"):
        set_up_fsdp(SimpleNamespace(fsdp_version=1))
