"""A checkpoint of random weights in the published layout, as large as one likes.

It is written shard by shard, so that it need not fit into memory, and only the numbers
in it are not those of a real one: names, shapes, types and files are. Needs no video
library.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
from torch import Tensor

from benchmarks._full_size import CHECKPOINT, PACKER_WIDTH, is_norm
from stablechat.loader import KNOWN_TOWERS, SO400M, build_empty
from stablechat.model.config import AXES, build_config
from stablechat.types import NUM_BINS
from stablechat.weights import published_name

_SHARD_BYTES = 4 * 2**30
_DEVIATION = 0.02
_SPECIAL_TOKENS = (
    *("<|endoftext|>", "<|im_start|>", "<|im_end|>"),
    *("<im_start>", "<im_end>", "<im_patch>"),
    *("<vid_start>", "<vid_end>", "<vid_patch>", "<slow_vid_start>", "<slow_vid_end>"),
    *("<TEMP-INPUT>", "<TEMP-OUTPUT>", "<HEIGHT-INPUT>"),
    *("<HEIGHT-OUTPUT>", "<WIDTH-INPUT>", "<WIDTH-OUTPUT>"),
)

#: Seconds instead of minutes on the CPU; everything is there.
SMALL: Mapping[str, Any] = {
    **CHECKPOINT,
    "hidden_size": 256,
    "intermediate_size": 1024,
    "num_hidden_layers": 4,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "vocab_size": 1024,
    "mm_vision_tower": "tower",
}
_SMALL_TOWER = {
    **KNOWN_TOWERS[SO400M],
    "hidden_size": 96,
    "intermediate_size": 384,
    "num_hidden_layers": 3,
    "num_attention_heads": 4,
    "image_size": 54,
    "patch_size": 2,
}


def write_checkpoint(
    folder: Path, device: torch.device, *, small: bool = False, seed: int = 0
) -> int:
    """Write config, tokenizer and FP16 shards, the tower's weights among them.

    Args:
        folder: Exists and is empty.
        device: Where the numbers are drawn; 8 billion take minutes on a CPU.
        small: A small geometry instead of the published one.
        seed: Of the numbers.

    Returns:
        Bytes of weights.
    """
    checkpoint = SMALL if small else CHECKPOINT
    tower = _SMALL_TOWER if small else KNOWN_TOWERS[SO400M]
    _write_json(folder / "config.json", checkpoint)
    if small:
        (folder / "tower").mkdir()
        _write_json(folder / "tower" / "config.json", tower)
    _tokenizer(int(checkpoint["vocab_size"])).save(str(folder / "tokenizer.json"))
    config = build_config(checkpoint, tower, 64 if small else PACKER_WIDTH)
    shapes = {
        name: tuple(parameter.shape)
        for name, parameter in build_empty(config, "sdpa").named_parameters()
    }
    generator = torch.Generator(device).manual_seed(seed)
    return _write_shards(folder, _tensors(shapes, config.base_vocab_size, generator))


def _write_json(path: Path, value: Mapping[str, Any]) -> None:
    path.write_text(json.dumps(dict(value)), encoding="utf-8")


def _tokenizer(first: int) -> Tokenizer:
    """Bytes and special tokens, the first coordinate at its place."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    places = {token: i for i, token in enumerate([*alphabet, *_SPECIAL_TOKENS])}
    coordinates = [
        f"<{axis}-{value:03d}>"
        for axis in ("TEMP", "HEIGHT", "WIDTH")
        for value in range(NUM_BINS)
    ]
    places |= {token: first + i for i, token in enumerate(coordinates)}
    tokenizer = Tokenizer(models.BPE(places, []))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.add_special_tokens(
        [
            AddedToken(token, normalized=False)
            for token in (*_SPECIAL_TOKENS, *coordinates)
        ]
    )
    return tokenizer


def _tensors(
    shapes: Mapping[str, tuple[int, ...]], base: int, generator: torch.Generator
) -> Iterator[tuple[str, Tensor]]:
    """Published names and drawn values, on the CPU."""
    for name, shape in shapes.items():
        values = torch.empty(shape, dtype=torch.float16, device=generator.device)
        if is_norm(name):
            values.fill_(1.0 if name.endswith("weight") else 0.0)
        else:
            values.normal_(0.0, _DEVIATION, generator=generator)
        yield from _published(name, values.cpu(), base)


def _published(name: str, values: Tensor, base: int) -> Iterator[tuple[str, Tensor]]:
    """Under its published name; embedding and head apart from their tables."""
    sides = {"embed_tokens": "input", "lm_head": "output"}
    side = sides.get(name.split(".")[-2])
    if side is None:
        yield published_name(name), values
        return
    yield published_name(name), values[:base].clone()
    for axis, table in zip(AXES, values[base:].split(NUM_BINS), strict=True):
        yield f"model.{axis}_{side}_embeddings.weight", table.clone()


def _write_shards(folder: Path, tensors: Iterator[tuple[str, Tensor]]) -> int:
    places: dict[str, str] = {}
    shard: dict[str, Tensor] = {}
    total = 0

    def write() -> None:
        name = f"model-{len(set(places.values())) + 1:05d}.safetensors"
        save_file(shard, folder / name)
        places.update(dict.fromkeys(shard, name))
        shard.clear()

    for key, values in tensors:
        shard[key] = values
        total += values.nbytes
        if sum(tensor.nbytes for tensor in shard.values()) >= _SHARD_BYTES:
            write()
    write()
    index = {"metadata": {"total_size": total}, "weight_map": places}
    _write_json(folder / "model.safetensors.index.json", index)
    return total
