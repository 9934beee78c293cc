"""Load a model: which weights, from where, on which device, in which type.

The model is built on the meta device, every parameter is allocated once where it will
live, and the files are copied into them piece by piece, so that two copies of the
weights never exist. No code from a checkpoint is ever run.
"""

from __future__ import annotations

import json
import logging
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

import torch
from tokenizers import Tokenizer

from stablechat import hub
from stablechat.adapters import apply_adapter
from stablechat.downloads import UNWATCHED, Watch
from stablechat.errors import CheckpointError
from stablechat.model.checkpoint import PACKER_WIDTH_KEY, TOWER_PREFIX
from stablechat.model.config import LlavaSTConfig, build_config
from stablechat.model.modeling import LlavaST
from stablechat.model.tokens import PromptTokenizer
from stablechat.placement import (
    Placement,
    allocate,
    choose_attention,
    choose_device,
    choose_dtype,
    dispatch,
    place,
)
from stablechat.quantization import (
    Quantization,
    choose_quantization,
    make_pending,
)
from stablechat.weights import (
    StoredTensor,
    fill,
    list_tensors,
    match_tensors,
    read_json,
)

logger = logging.getLogger(__name__)

#: The published tower.
SO400M = "google/siglip-so400m-patch14-384"
#: Its geometry, so that a checkpoint that holds the tower's weights needs nothing else
#: from anywhere. Checkpoints may name it by a path on the machine that trained them.
KNOWN_TOWERS: Mapping[str, Mapping[str, Any]] = {
    SO400M: {
        "hidden_size": 1152,
        "intermediate_size": 4304,
        "num_hidden_layers": 27,
        "num_attention_heads": 16,
        "num_channels": 3,
        "image_size": 384,
        "patch_size": 14,
        "hidden_act": "gelu_pytorch_tanh",
        "layer_norm_eps": 1e-6,
        "attention_dropout": 0.0,
    }
}
_TOWER_CONFIG = ("config.json",)
_TOWER_FILES = ("config.json", "*.safetensors", "*.safetensors.index.json")


@dataclass(frozen=True)
class LoadedModel:
    """A model ready to be asked.

    Attributes:
        model: In evaluation mode, its weights in place.
        tokenizer: In the model's chat format.
        name: What to call it: ``"demo"``, a folder's name or a hub id.
        folder: Where its files are.
        device: Where the vision side is; everything, unless it was spread.
        dtype: Type of the weights.
        attn: Attention kernel.
        is_demo: Whether it is the demo model.
        revision: Commit, for a model from the hub.
        end_token_ids: Tokens that end an answer.
        quantization: How the language model's linear layers are stored, None as the
            rest.
    """

    model: LlavaST
    tokenizer: PromptTokenizer
    name: str
    folder: Path
    device: torch.device
    dtype: torch.dtype
    attn: str
    is_demo: bool
    revision: str | None
    end_token_ids: tuple[int, ...]
    quantization: Quantization | None = None


def load_model(
    model: str | Path | None = None,
    device: str | torch.device | None = None,
    dtype: str | torch.dtype | None = None,
    *,
    revision: str | None = None,
    attn: str | None = None,
    offline: bool | None = None,
    device_map: str | Mapping[str, Any] | None = None,
    quantization: str | None = None,
    adapter: str | Path | None = None,
    watch: Watch = UNWATCHED,
) -> LoadedModel:
    """Load a checkpoint in the published layout.

    Args:
        model: A folder, a hub id (``org/name`` or ``org/name@revision``), or None for
            the demo model.
        device: ``"cpu"``, ``"cuda"``, ``"cuda:1"``, ``"mps"``; None picks the best.
        dtype: ``"float32"``, ``"float16"``, ``"bfloat16"``; None is FP16 on an
            accelerator and float32 on the CPU.
        revision: Branch, tag or commit of a hub model.
        attn: ``"sdpa"``, ``"flash_attention_2"``, ``"eager"``; None picks.
        offline: Use cached files only; None follows ``HF_HUB_OFFLINE``.
        device_map: ``"auto"`` or a mapping spreads the model over several devices;
            None does so only where one card is too small.
        quantization: ``"8bit"`` or ``"4bit"`` stores the language model's linear
            layers so (on CUDA or the CPU, all on one device); None does not.
        adapter: Folder of what was trained on top of the model
            (:mod:`stablechat.adapters`).
        watch: Looks on, and may stop it.

    Raises:
        CancelledError: ``watch`` said so.
        InputError: An argument has no such value, or this machine lacks the device
            or the package for it.
        CheckpointError: Files are missing, damaged, or do not belong together.
        HubError: The hub can't be reached or refuses.
        OutOfMemoryError: It does not fit.
    """
    target = choose_device(device)
    number_type = choose_dtype(dtype, target)
    attention = choose_attention(attn, target, number_type)
    scheme = choose_quantization(quantization, target, device_map)
    source = hub.locate(model, revision, offline, watch)
    watch.report("load", 0.0)
    stored = _checkpoint_tensors(source.folder)
    config, tower = _describe(source, stored, offline, watch)
    tokenizer = _load_tokenizer(source.folder, config)
    llava = build_empty(config, attention)
    fillings = match_tensors(llava, stored, tower)
    if scheme is not None:
        make_pending(llava.language_model.model.layers, scheme, number_type)
    placement = place(llava, target, number_type, attention, device_map)
    allocate(llava, placement)
    fill(llava, fillings, watch)
    if adapter is not None:
        apply_adapter(llava, Path(adapter))
    dispatch(llava, placement)
    _log_choice(source, placement, scheme)
    return LoadedModel(
        model=llava.eval(),
        tokenizer=tokenizer,
        name=source.name,
        folder=source.folder,
        device=placement.device,
        dtype=placement.dtype,
        attn=placement.attn,
        is_demo=source.is_demo,
        revision=source.revision,
        end_token_ids=_end_token_ids(source.folder, tokenizer),
        quantization=scheme,
    )


def read_config(model: str | Path | None, revision: str | None = None) -> LlavaSTConfig:
    """A model's geometry, without its weights; arguments as :func:`load_model`.

    Raises:
        CheckpointError, HubError: As for :func:`load_model`.
    """
    source = hub.locate(model, revision)
    stored = _checkpoint_tensors(source.folder)
    return _describe(source, stored, None, UNWATCHED)[0]


def _checkpoint_tensors(folder: Path) -> dict[str, StoredTensor]:
    # Unlike Path's own methods, those of os.path raise for no name.
    if any(
        os.path.exists(folder / name)
        for name in ("adapter_config.json", "non_lora_trainables.bin")
    ):
        raise CheckpointError(
            "{folder} is a LoRA adapter, not a whole model; name its base "
            "model, and this folder as the adapter.",
            folder=folder,
        )
    if not os.path.exists(folder / "config.json"):
        raise CheckpointError(
            "{folder} holds no model: config.json is missing.", folder=folder
        )
    return list_tensors(folder)


def _describe(
    source: hub.Source,
    stored: Mapping[str, StoredTensor],
    offline: bool | None,
    watch: Watch,
) -> tuple[LlavaSTConfig, dict[str, StoredTensor]]:
    """The geometry, and the tower's tensors where they come from beside."""
    checkpoint = read_json(source.folder / "config.json")
    if PACKER_WIDTH_KEY not in stored:
        raise CheckpointError(
            "The checkpoint lacks {packer_width_key}.",
            packer_width_key=PACKER_WIDTH_KEY,
        )
    packer_width = stored[PACKER_WIDTH_KEY].shape[0]
    has_tower = any(key.startswith(TOWER_PREFIX) for key in stored)
    geometry, folder = _find_tower(checkpoint, source.folder, has_tower, offline, watch)
    config = build_config(checkpoint, geometry, packer_width)
    return config, {} if folder is None else _tower_tensors(folder)


def _find_tower(
    checkpoint: Mapping[str, Any],
    folder: Path,
    has_tower: bool,
    offline: bool | None,
    watch: Watch,
) -> tuple[Mapping[str, Any], Path | None]:
    """The tower's configuration, and its folder when weights must come from it."""
    named = checkpoint.get("mm_vision_tower") or checkpoint.get("vision_tower")
    if not isinstance(named, str) or not named:
        raise CheckpointError("config.json does not name its mm_vision_tower.")
    beside = _tower_folder(named, folder)
    if beside is not None:
        return read_json(beside / "config.json"), None if has_tower else beside
    same = (known for known in KNOWN_TOWERS if _same_tower(named, known))
    hub_id = next(same, named)
    if has_tower and hub_id in KNOWN_TOWERS:
        return KNOWN_TOWERS[hub_id], None
    fetched = _fetch_tower(hub_id, has_tower, offline, watch)
    return read_json(fetched / "config.json"), None if has_tower else fetched


def _tower_folder(named: str, folder: Path) -> Path | None:
    """The folder that a checkpoint names its tower by, if it is on this machine.

    It may lie anywhere: only JSON and plain tensors are read from it.
    """
    path = PurePosixPath(named)
    places = [folder / path]
    if len(path.parts) == 1:
        places.append(folder.absolute().parent / path)
    for tower in places:
        if os.path.isfile(tower / "config.json"):
            logger.info("The vision tower is in %s", os.path.realpath(tower))
            return tower
    return None


def _same_tower(named: str, known: str) -> bool:
    return named == known or PurePosixPath(named).name == known.partition("/")[2]


def _fetch_tower(
    named: str, has_tower: bool, offline: bool | None, watch: Watch
) -> Path:
    if hub.is_hub_id(named):
        files = _TOWER_CONFIG if has_tower else _TOWER_FILES
        return hub.fetch(named, offline=offline, files=files, watch=watch).folder
    raise CheckpointError(
        "config.json names the vision tower {named!r}, which is neither a "
        "folder with a config.json nor a hub id.",
        named=named,
    )


def _tower_tensors(folder: Path) -> dict[str, StoredTensor]:
    # A whole SigLIP has a text side too.
    tensors = list_tensors(folder)
    return {k: t for k, t in tensors.items() if k.startswith("vision_model.")}


def _load_tokenizer(folder: Path, config: LlavaSTConfig) -> PromptTokenizer:
    if os.path.exists(folder / "tokenizer.json"):
        return PromptTokenizer.from_folder(folder, config)
    missing = [
        n for n in ("vocab.json", "merges.txt") if not os.path.exists(folder / n)
    ]
    if missing:
        raise CheckpointError(
            "{folder} has no tokenizer: tokenizer.json is missing, and so is "
            "{missing}.",
            folder=folder,
            missing=missing[0],
        )
    return PromptTokenizer(_convert_tokenizer(folder), config)


def _convert_tokenizer(folder: Path) -> Tokenizer:
    """The fast tokenizer from the files of a slow one, as upstream saves them."""
    from transformers import Qwen2Tokenizer

    try:
        slow = Qwen2Tokenizer.from_pretrained(str(folder), local_files_only=True)
    except Exception as error:  # transformers raises nearly anything here
        raise CheckpointError(
            "The tokenizer in {folder} can't be read: {reason}.",
            folder=folder,
            reason=error,
        ) from error
    backend: Tokenizer = slow.backend_tokenizer
    return backend


def build_empty(config: LlavaSTConfig, attn: str) -> LlavaST:
    """The model on the meta device: shapes and no weights.

    Args:
        config: Its geometry.
        attn: Attention kernel.

    Raises:
        CheckpointError: No model has this geometry.
    """
    config.language._attn_implementation = attn
    config.vision._attn_implementation = attn
    try:
        with torch.device("meta"):
            return LlavaST(config)
    except Exception as error:  # torch and transformers raise nearly anything here
        reason = " ".join(repr(error).split())[:200]
        raise CheckpointError(
            "config.json does not describe a model that can be built: {reason}.",
            reason=reason,
        ) from error


def _end_token_ids(folder: Path, tokenizer: PromptTokenizer) -> tuple[int, ...]:
    path = folder / "generation_config.json"
    named = read_json(path).get("eos_token_id") if os.path.exists(path) else None
    extra = named if isinstance(named, list) else [named]
    valid = [token for token in extra if isinstance(token, int)]
    return tuple(dict.fromkeys([*tokenizer.end_token_ids, *valid]))


def _log_choice(
    source: hub.Source, placement: Placement, scheme: Quantization | None
) -> None:
    logger.info(
        "Loaded %s: folder %s, revision %s, endpoint %s, device %s, dtype %s, "
        "quantization %s, attention %s, device map %s",
        source.name,
        source.folder,
        source.revision or "none",
        source.endpoint or "local files",
        placement.device,
        placement.dtype,
        scheme or "none",
        placement.attn,
        json.dumps(placement.device_map, default=str),
    )
