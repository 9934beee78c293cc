"""The benchmark of training: whole steps of a small model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from launching import FSDP, launch

from benchmarks import training


@pytest.mark.parametrize("name", ["lora24gb", "lora80gb_plain"])
def test_steps_are_whole(name: str) -> None:
    found = training.measure(
        training.SETUPS[name], torch.device("cpu"), steps=1, answer_tokens=40
    )
    assert found["model"] == "small, random"
    assert found["tokens_per_step"] == 2611 + 40
    assert found["tokens_per_second"] > 0
    assert found["trained_parameters"] > 0


@pytest.mark.long
def test_a_model_is_spread_saved_loaded_and_asked(tmp_path: Path) -> None:
    out = tmp_path / "report.json"
    options = ("--setup", "full", "--steps", "1", "--out", str(out))
    done = launch("-m", "launched_benchmark", *options, how=FSDP)
    assert done.returncode == 0, done.stderr
    found = json.loads(out.read_text())
    assert found["spread_by_fsdp"] and found["num_processes"] == 2
    assert min(found["seconds_to_save"], found["seconds_to_load"]) > 0
