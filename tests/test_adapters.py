"""Adapters of others: applied whole, or refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import golden_files
import pytest
import torch
from safetensors.torch import save_file

from stablechat.adapters import CONFIG_FILE, LORA_FILE, LORA_PREFIX, apply_adapter
from stablechat.errors import CheckpointError
from stablechat.loader import load_model
from stablechat.model.modeling import LlavaST

LAYER = "model.layers.0.self_attn.q_proj"


@pytest.fixture(scope="module")
def model() -> LlavaST:
    return load_model(golden_files.CHECKPOINT, "cpu", "float32").model


def adapter(
    folder: Path, model: LlavaST, more: tuple[str, ...] = (), **options: Any
) -> Path:
    """Adds 2 to every weight of a layer; with other keys, or options of PEFT."""
    weight = model.get_parameter(f"language_model.{LAYER}.weight")
    rows, columns = weight.shape
    stem = f"{LORA_PREFIX}{LAYER}"
    tensors = {
        f"{stem}.lora_A.weight": torch.ones(1, columns),
        f"{stem}.lora_B.weight": torch.ones(rows, 1),
        **{f"{stem}.{key}": torch.ones(1) for key in more},
    }
    save_file(tensors, folder / LORA_FILE)
    config = {"peft_type": "LORA", "r": 1, "lora_alpha": 2, **options}
    (folder / CONFIG_FILE).write_text(json.dumps(config))
    return folder


def test_what_changes_nothing_else_is_applied(tmp_path: Path, model: LlavaST) -> None:
    usual = {"bias": "none", "rank_pattern": {}, "alpha_pattern": {}}
    usual |= {"modules_to_save": None, "fan_in_fan_out": False, "lora_bias": False}
    weight = model.get_parameter(f"language_model.{LAYER}.weight")
    before = weight.clone()
    apply_adapter(model, adapter(tmp_path, model, **usual))
    torch.testing.assert_close(weight - before, torch.full_like(weight, 2.0))


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("bias", "all"),
        ("rank_pattern", {"q_proj": 8}),
        ("alpha_pattern", {"q_proj": 8}),
        ("modules_to_save", ["lm_head"]),
        ("fan_in_fan_out", True),
    ],
)
def test_options_that_are_not_applied_are_refused(
    tmp_path: Path, model: LlavaST, name: str, value: object
) -> None:
    folder = adapter(tmp_path, model, **{name: value})
    before = model.get_parameter(f"language_model.{LAYER}.weight").clone()
    with pytest.raises(CheckpointError, match=f"has {name}, which can't be applied"):
        apply_adapter(model, folder)
    assert model.get_parameter(f"language_model.{LAYER}.weight").equal(before)


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("lora_embedding_A", "holds .*lora_embedding_A, which can't be applied"),
        ("bias", "holds .*bias, which can't be applied"),
        ("lora_magnitude_vector", "holds .*, which can't be applied"),
        ("more.lora_A.weight", "lacks .*lora_B.weight"),
        ("more.lora_B.weight", "lacks .*lora_A.weight"),
    ],
)
def test_keys_that_are_not_applied_are_refused(
    tmp_path: Path, model: LlavaST, key: str, said: str
) -> None:
    with pytest.raises(CheckpointError, match=said):
        apply_adapter(model, adapter(tmp_path, model, more=(key,)))
