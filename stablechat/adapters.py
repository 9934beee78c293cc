"""Trained changes beside a model: low-rank updates, and parts in full.

The folder is what ``training.finetune`` writes: PEFT's ``adapter_config.json`` and
``adapter_model.safetensors``, and ``trained_parts.safetensors`` with weights in full by
their published names.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor

from stablechat.errors import CheckpointError
from stablechat.model.checkpoint import target_of
from stablechat.model.modeling import LlavaST
from stablechat.sentences import Sentence
from stablechat.weights import read_json

CONFIG_FILE = "adapter_config.json"
LORA_FILE = "adapter_model.safetensors"
PARTS_FILE = "trained_parts.safetensors"
#: What PEFT puts before the names of the language model's modules.
LORA_PREFIX = "base_model.model."
#: Options of PEFT by which an adapter is more, or other, than ``lora_B @ lora_A``.
_OTHER_WAYS = (
    *("rank_pattern", "alpha_pattern", "bias", "lora_bias", "fan_in_fan_out"),
    *("modules_to_save", "layer_replication", "trainable_token_indices"),
)
_DOWN, _UP = ".lora_A.weight", ".lora_B.weight"


@torch.no_grad()
def apply_adapter(model: LlavaST, folder: Path) -> None:
    """Change a model's weights by what was trained.

    Args:
        model: The one that it was trained on, its linear layers not quantised.
        folder: The adapter's.

    Raises:
        CheckpointError: It is no adapter, is damaged, or belongs to another model.
    """
    weights = dict(model.named_parameters())
    if model.is_quantized:
        raise CheckpointError(
            "An adapter can't be added to quantised weights; load the merged model."
        )
    config = read_json(folder / CONFIG_FILE)
    for name, update in _updates(folder, config):
        _add(weights, name, update, folder)
    if os.path.exists(folder / PARTS_FILE):
        for key, value in _tensors(folder / PARTS_FILE).items():
            _put(model, weights, key, value, folder)


def _updates(
    folder: Path, config: Mapping[str, object]
) -> Iterator[tuple[str, Tensor]]:
    """Each weight of the language model that changes, and by what."""
    rank, alpha = config.get("r"), config.get("lora_alpha")
    if config.get("peft_type") != "LORA" or config.get("use_dora"):
        raise CheckpointError("{folder} is no plain LoRA adapter.", folder=folder)
    if not isinstance(rank, int) or not isinstance(alpha, int | float) or rank < 1:
        raise CheckpointError(
            "{path} lacks r or lora_alpha.", path=folder / CONFIG_FILE
        )
    _check_options(folder, config)
    if not os.path.exists(folder / LORA_FILE):
        return
    tensors = _tensors(folder / LORA_FILE)
    _check_keys(folder, tensors)
    for key, down in tensors.items():
        if not key.endswith(_DOWN):
            continue
        stem = key.removesuffix(_DOWN)
        up = tensors[stem + _UP]
        scale = alpha / (rank**0.5 if config.get("use_rslora") else rank)
        name = f"language_model.{stem.removeprefix(LORA_PREFIX)}.weight"
        yield name, scale * (up.float() @ down.float())


def _check_options(folder: Path, config: Mapping[str, object]) -> None:
    """Refuse what would change the weights in another way than is done here."""
    for name in _OTHER_WAYS:
        if config.get(name) not in (None, False, "none", {}, []):
            raise CheckpointError(
                "{path} has {name}, which can't be applied; merge the adapter into "
                "its model first.",
                path=folder / CONFIG_FILE,
                name=name,
            )


def _check_keys(folder: Path, tensors: Mapping[str, Tensor]) -> None:
    """Refuse what would be left out."""
    for key in tensors:
        for ending, other in ((_DOWN, _UP), (_UP, _DOWN)):
            if key.endswith(ending):
                needed = key.removesuffix(ending) + other
                break
        else:
            raise CheckpointError(
                "{path} holds {key}, which can't be applied; merge the adapter into "
                "its model first.",
                path=folder / LORA_FILE,
                key=key,
            )
        if needed not in tensors:
            raise CheckpointError(
                "{path} lacks {key}.", path=folder / LORA_FILE, key=needed
            )


def _tensors(path: Path) -> dict[str, Tensor]:
    try:
        return dict(load_file(path))
    except Exception as error:  # safetensors raises nearly anything
        raise CheckpointError(
            "{path} can't be read: {reason}.", path=path, reason=error
        ) from error


def _add(
    weights: Mapping[str, Tensor], name: str, update: Tensor, folder: Path
) -> None:
    place = _place(weights, name, update.shape, folder)
    place.copy_(place.float() + update.to(place.device))


def _put(
    model: LlavaST, weights: Mapping[str, Tensor], key: str, value: Tensor, folder: Path
) -> None:
    target = target_of(key, model.config.base_vocab_size)
    if target is None:
        raise CheckpointError(
            "{folder} changes {key}, which the model has not.", folder=folder, key=key
        )
    whole = weights.get(target.name)
    if whole is not None and target.first_row is not None:
        whole = whole[target.first_row : target.first_row + len(value)]
    places = {} if whole is None else {target.name: whole}
    _place(places, target.name, value.shape, folder).copy_(value)


def _place(
    weights: Mapping[str, Tensor], name: str, shape: torch.Size, folder: Path
) -> Tensor:
    place = weights.get(name)
    if place is None or place.shape != shape:
        has = Sentence("none")
        if place is not None:
            has = Sentence("one of {shape}", shape=tuple(place.shape))
        raise CheckpointError(
            "{folder} belongs to another model: it changes {name} {shape}, and "
            "there is {has}.",
            folder=folder,
            name=name,
            shape=tuple(shape),
            has=has,
        )
    return place
