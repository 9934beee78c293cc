"""Writing a model in the published checkpoint layout."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import torch
from safetensors.torch import save_file
from torch import Tensor

from stablechat.model.config import AXES, LlavaSTConfig
from stablechat.types import NUM_BINS
from stablechat.weights import published_name

_INDEX = "model.safetensors.index.json"
# Of the model that the weights come from; they say nothing of other weights.
_NOT_COPIED = ("confidence.json", "training_log.jsonl")


def published_tensors(
    weights: Mapping[str, Tensor], config: LlavaSTConfig
) -> dict[str, Tensor]:
    """Rename our parameters to the published names, and split off the tables."""
    found: dict[str, Tensor] = {}
    for name, value in weights.items():
        if name == "language_model.model.embed_tokens.weight":
            found |= _tables(value, config, "model.embed_tokens", "input")
        elif name == "language_model.lm_head.weight":
            found |= _tables(value, config, "lm_head", "output")
        else:
            found[published_name(name)] = value
    return found


def _tables(
    rows: Tensor, config: LlavaSTConfig, name: str, side: str
) -> dict[str, Tensor]:
    first = config.base_vocab_size
    tables = rows[first:].split(NUM_BINS)
    named = {
        f"model.{axis}_{side}_embeddings.weight": table
        for axis, table in zip(AXES, tables, strict=True)
    }
    return {f"{name}.weight": rows[:first], **named}


def write_shards(
    tensors: Mapping[str, Tensor],
    folder: Path,
    *,
    shard_bytes: int,
    dtype: torch.dtype = torch.float16,
) -> None:
    """Save shards and their index.

    Args:
        tensors: By published name.
        folder: Must be there.
        shard_bytes: Size of a shard, or of a larger tensor by itself.
        dtype: Of what is written.
    """
    index: dict[str, str] = {}
    shards = _shards(tensors, shard_bytes, dtype.itemsize)
    for number, names in enumerate(shards, 1):
        file = f"model-{number:05d}-of-{len(shards):05d}.safetensors"
        shard = {
            name: tensors[name].detach().to("cpu", dtype).contiguous().clone()
            for name in names
        }
        save_file(shard, folder / file, metadata={"format": "pt"})
        index |= dict.fromkeys(names, file)
    total = sum(tensor.numel() for tensor in tensors.values()) * dtype.itemsize
    text = json.dumps(
        {"metadata": {"total_size": total}, "weight_map": index}, indent=1
    )
    (folder / _INDEX).write_text(text + "\n")


def _shards(
    tensors: Mapping[str, Tensor], shard_bytes: int, item_bytes: int
) -> list[list[str]]:
    """Names of the tensors of each shard."""
    shards: list[list[str]] = [[]]
    size = 0
    for name in sorted(tensors):
        here = tensors[name].numel() * item_bytes
        if shards[-1] and size + here > shard_bytes:
            shards.append([])
            size = 0
        shards[-1].append(name)
        size += here
    return shards


def write_model(
    tensors: Mapping[str, Tensor],
    base: Path,
    folder: Path,
    *,
    shard_bytes: int,
    dtype: torch.dtype = torch.float16,
) -> None:
    """Write a whole model: it appears under its name when it is complete.

    Args:
        tensors: By published name.
        base: The model that they were trained from; all its other files are copied.
        folder: Where; must not be there.
        shard_bytes: As for :func:`write_shards`.
        dtype: Likewise.
    """
    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    try:
        shutil.copytree(base, part, ignore=_weights)
        write_shards(tensors, part, shard_bytes=shard_bytes, dtype=dtype)
        os.replace(part, folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)


def _weights(folder: str, names: list[str]) -> list[str]:
    """Files that a copy is made without."""
    endings = (".safetensors", ".bin", _INDEX)
    return [name for name in names if name.endswith(endings) or name in _NOT_COPIED]
