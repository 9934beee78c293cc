"""A trained model in the published layout, and as an adapter beside its base."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from peft.tuners.lora import LoraLayer
from safetensors.torch import save_file
from torch import Tensor

from stablechat.adapters import CONFIG_FILE, LORA_FILE, LORA_PREFIX, PARTS_FILE
from stablechat.loader import LoadedModel
from stablechat.model.modeling import LlavaST
from training.finetune.parts import LORA_TARGETS, trained_tensors
from training.finetune.settings import Lora
from training.published import published_tensors, write_model

_SHARD_BYTES = 4 * 2**30
_ADAPTER = "default"
_LOW_RANK = (f"lora_A.{_ADAPTER}", f"lora_B.{_ADAPTER}")


def save_merged(
    loaded: LoadedModel,
    weights: Mapping[str, Tensor],
    folder: Path,
    dtype: torch.dtype = torch.float16,
) -> None:
    """Write the whole model, adapters merged, as the published one is.

    Args:
        loaded: The trained model; it stays as it is.
        weights: All of its parameters by name, each in one piece.
        folder: Where; must not be there.
        dtype: Of the weights that are written.
    """
    merged = merged_weights(loaded.model, weights)
    tensors = published_tensors(merged, loaded.model.config)
    write_model(tensors, loaded.folder, folder, shard_bytes=_SHARD_BYTES, dtype=dtype)


@torch.no_grad()
def merged_weights(model: LlavaST, weights: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """All weights by our names, as if there had never been adapters."""
    scaling = {
        name: module.scaling[_ADAPTER]
        for name, module in model.named_modules()
        if isinstance(module, LoraLayer)
    }
    found: dict[str, Tensor] = {}
    for name, value in weights.items():
        if "lora_" in name:
            continue
        owner, dot, rest = name.partition(".base_layer.")
        if dot and rest == "weight":
            down, up = (weights[f"{owner}.{part}.weight"] for part in _LOW_RANK)
            update = scaling[owner] * (up.float() @ down.float())
            found[f"{owner}.weight"] = value.float() + update
        else:
            found[name.replace(".base_layer.", ".")] = value
    return found


def save_adapter(
    loaded: LoadedModel,
    weights: Mapping[str, Tensor],
    folder: Path,
    lora: Lora | None,
) -> None:
    """Write what was trained, and nothing else.

    Args:
        loaded: The trained model.
        weights: As for :func:`save_merged`.
        folder: Where; it is replaced.
        lora: Of the adapters, None if there are none.
    """
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    part.mkdir(parents=True)
    trained = {name: weights[name] for name in trained_tensors(loaded.model)}
    try:
        _write_adapter(loaded, trained, part, lora or Lora())
        shutil.rmtree(folder, ignore_errors=True)
        os.replace(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _write_adapter(
    loaded: LoadedModel, trained: Mapping[str, Tensor], folder: Path, lora: Lora
) -> None:
    low_rank = {
        LORA_PREFIX
        + name.removeprefix("language_model.").replace(f".{_ADAPTER}.", "."): value
        for name, value in trained.items()
        if "lora_" in name
    }
    whole = {name: value for name, value in trained.items() if "lora_" not in name}
    if low_rank:
        _save(low_rank, folder / LORA_FILE)
    if whole:
        _save(_changed(whole, loaded), folder / PARTS_FILE)
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": loaded.name,
        "r": lora.r,
        "lora_alpha": lora.alpha,
        "lora_dropout": lora.dropout,
        "bias": "none",
        "target_modules": list(LORA_TARGETS),
    }
    (folder / CONFIG_FILE).write_text(json.dumps(config, indent=1) + "\n")


def _changed(whole: dict[str, Tensor], loaded: LoadedModel) -> dict[str, Tensor]:
    """By published name; of the two large matrices only the coordinates' rows."""
    named = published_tensors(whole, loaded.model.config)
    large = ("model.embed_tokens.weight", "lm_head.weight")
    return {name: value for name, value in named.items() if name not in large}


def _save(tensors: dict[str, Tensor], path: Path) -> None:
    plain = {k: v.detach().to("cpu").contiguous().clone() for k, v in tensors.items()}
    save_file(plain, path, metadata={"format": "pt"})
