"""Write a trained demo model in the published checkpoint layout.

    python -m training.demo.export --run RUN --out assets/demo

FP16 safetensors in shards, the coordinate tables as tensors of their own, the tower
inside. The auxiliary heads stay behind.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from stablechat.model.checkpoint import TOWER_PREFIX
from stablechat.model.config import AXES, LlavaSTConfig
from stablechat.types import NUM_BINS
from training.demo.skeleton import read_config

_SHARD_BYTES = 12 * 2**20
_MODEL = "model."


def published_tensors(
    weights: dict[str, Tensor], config: LlavaSTConfig
) -> dict[str, Tensor]:
    """Rename our parameters to the published names, and split off the tables."""
    found: dict[str, Tensor] = {}
    for name, value in weights.items():
        if name == "language_model.model.embed_tokens.weight":
            found |= _tables(value, config, "model.embed_tokens", "input")
        elif name == "language_model.lm_head.weight":
            found |= _tables(value, config, "lm_head", "output")
        else:
            found[_published_name(name)] = value
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


def _published_name(name: str) -> str:
    part, rest = name.split(".", 1)
    if part == "packer":
        module, rest = rest.split(".", 1)
        return f"model.vision_resampler.{module}.devide_attention.{rest}"
    prefix = {
        "vision_tower": TOWER_PREFIX,
        "projector": "model.mm_projector.",
        "language_model": "",
    }[part]
    return prefix + rest


def write_shards(tensors: dict[str, Tensor], folder: Path) -> None:
    """Save FP16 shards and their index."""
    shards: list[dict[str, Tensor]] = [{}]
    size = 0
    for name in sorted(tensors):
        value = tensors[name].to(torch.float16).contiguous().clone()
        size += value.numel() * value.element_size()
        if size > _SHARD_BYTES:
            shards.append({})
            size = value.numel() * value.element_size()
        shards[-1][name] = value
    index: dict[str, str] = {}
    for i, shard in enumerate(shards):
        file = f"model-{i + 1:05d}-of-{len(shards):05d}.safetensors"
        save_file(shard, folder / file, metadata={"format": "pt"})
        index |= dict.fromkeys(shard, file)
    total = sum(v.numel() * v.element_size() for s in shards for v in s.values())
    text = json.dumps(
        {"metadata": {"total_size": total}, "weight_map": index}, indent=1
    )
    (folder / "model.safetensors.index.json").write_text(text + "\n")


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--run", type=Path, required=True, help="folder of the run")
    parser.add_argument(
        "--out", type=Path, default=Path("assets/demo"), help="has the skeleton"
    )
    args = parser.parse_args()
    weights: dict[str, Tensor] = {}
    for part in sorted(args.run.glob("part*.safetensors")):
        weights |= load_file(part)
    ours = {
        name[len(_MODEL) :]: value
        for name, value in weights.items()
        if name.startswith(_MODEL)
    }
    write_shards(published_tensors(ours, read_config(args.out)), args.out)
    shutil.copy(args.run / "log.jsonl", args.out / "training_log.jsonl")


if __name__ == "__main__":
    main()
