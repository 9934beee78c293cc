"""Two processes train as one with the doubled batch does."""

from __future__ import annotations

from pathlib import Path

import torch
import yaml
from launching import launch
from safetensors.torch import load_file
from tiny_runs import ANSWERS, rows, settings, write_data

from training.finetune.__main__ import train
from training.finetune.settings import read_settings
from training.finetune.trainer import STATE_FILE


def test_two_processes_are_one_with_the_doubled_batch(tmp_path: Path) -> None:
    # Answers of one length, so that both runs see them in the same order.
    lines = [{**rows()[0], "id": str(i), "video": f"{i % 3}.mp4"} for i in range(4)]
    for number, line in enumerate(lines):
        line["answer"] = ANSWERS[0].replace("<t0.5>", f"<t0.{5 + number}>")
    write_data(tmp_path, lines)
    common = {
        "learning_rates": {"language": 1e-3, "packer": 1e-3},
        "lora": {"r": 4, "alpha": 8, "dropout": 0.0},
        "max_steps": 3,
        "save_steps": 3,
    }
    config = tmp_path / "two.yaml"
    told = {
        **common,
        "rows": str(tmp_path / "train.jsonl"),
        "videos": str(tmp_path / "videos"),
        "out": str(tmp_path / "two"),
        "model": settings(tmp_path).model,
        "precision": "float32",
        "batch_size": 1,
        "report_to": [],
        "seed": 3,
    }
    config.write_text(yaml.safe_dump(told))
    done = launch("-m", "training.finetune", str(config), "--device", "cpu")
    assert done.returncode == 0, done.stderr
    config.write_text(yaml.safe_dump({**told, "out": str(tmp_path / "one")}))
    train(read_settings(config, {"batch_size": 2}), "cpu")
    two, one = (
        load_file(tmp_path / name / "checkpoint-3" / STATE_FILE)
        for name in ("two", "one")
    )
    assert two.keys() == one.keys()
    for name, value in two.items():
        torch.testing.assert_close(value, one[name], atol=2e-5, rtol=1e-3)
    assert (tmp_path / "two" / "model" / "config.json").exists()
