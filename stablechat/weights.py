"""A checkpoint's tensors: found, checked, and copied into the model once.

Nothing is unpickled except a ``.bin`` of tensors, which ``torch.load`` reads with
``weights_only=True``. Sizes and shapes come from the headers, so that a checkpoint
that does not fit is refused before its first byte of weights is read.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from stablechat.downloads import Watch
from stablechat.errors import CheckpointError
from stablechat.model.checkpoint import TOWER_PREFIX, target_of
from stablechat.model.modeling import LlavaST
from stablechat.quantization import PendingWeight, fill_pending
from stablechat.sentences import Sentence

logger = logging.getLogger(__name__)

# A mapped file's pages count as ours until it is closed; so it is opened again after
# this much, and loading never holds two copies of the weights.
_BYTES_PER_OPENING = 64 * 2**20
# What is copied to a device at once: it is there twice while its type is converted.
_BYTES_PER_COPY = 64 * 2**20
# A shard that the index names must lie in the checkpoint's own folder.
_SHARD_NAME = re.compile(r"[\w][\w.-]{0,199}")
# Buffers that older versions of transformers saved; they are computed, not loaded.
_COMPUTED = re.compile(r"\.(rotary_emb\.inv_freq|embeddings\.position_ids)$")
_TOWER_LAYER = re.compile(r"^vision_tower\.encoder\.layers\.(\d+)\.")

_PUBLISHED_NAMES = (
    ("language_model.model.", "model."),
    ("language_model.", ""),
    ("vision_tower.", TOWER_PREFIX),
    ("projector.", "model.mm_projector."),
)


@dataclass(frozen=True)
class StoredTensor:
    """Where a tensor is, and its shape.

    Attributes:
        key: Its name in the file.
        path: The file.
        shape: Its shape.
    """

    key: str
    path: Path
    shape: tuple[int, ...]


@dataclass(frozen=True)
class Filling:
    """A stored tensor and the rows of our parameter that it fills."""

    source: StoredTensor
    parameter: str
    first_row: int | None


def list_tensors(folder: Path) -> dict[str, StoredTensor]:
    """List a folder's tensors by key: safetensors first, ``.bin`` only without them.

    Args:
        folder: Holds ``model.safetensors``, or shards and their index.

    Raises:
        CheckpointError: No weights, a shard is missing, or a file is damaged.
    """
    for stem, suffix, shapes_of in (
        ("model", ".safetensors", _safetensors_shapes),
        ("pytorch_model", ".bin", _bin_shapes),
    ):
        names = _weight_files(folder, stem, suffix)
        if names:
            return _merge(folder, names, shapes_of)
    raise CheckpointError(
        "{folder} has no weights: neither model.safetensors nor "
        "model.safetensors.index.json.",
        folder=folder,
    )


def read_json(path: Path) -> dict[str, Any]:
    """Parse a JSON object.

    Raises:
        CheckpointError: It is missing, unreadable, or not an object.
    """
    try:
        parsed = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise CheckpointError(
            "{name} is missing from {parent}.", name=path.name, parent=path.parent
        ) from error
    except (OSError, ValueError) as error:
        raise CheckpointError(
            "{path} can't be read: {reason}.", path=path, reason=_line(error)
        ) from error
    if not isinstance(parsed, dict):
        raise CheckpointError("{path} does not hold a JSON object.", path=path)
    return parsed


def _weight_files(folder: Path, stem: str, suffix: str) -> list[str]:
    index = folder / f"{stem}{suffix}.index.json"
    if not os.path.exists(index):
        name = f"{stem}{suffix}"
        return [name] if os.path.exists(folder / name) else []
    weight_map = read_json(index).get("weight_map")
    if not isinstance(weight_map, dict) or not weight_map:
        raise CheckpointError("{index} has no weight_map.", index=index)
    names = sorted({str(name) for name in weight_map.values()})
    for name in names:
        if not (_SHARD_NAME.fullmatch(name) and name.endswith(suffix)):
            raise CheckpointError(
                "{index} names a file that is no shard: {name!r}.",
                index=index,
                name=name,
            )
        if not os.path.isfile(folder / name):
            raise CheckpointError(
                "{name} is missing from {folder}.", name=name, folder=folder
            )
    return names


def _merge(
    folder: Path,
    names: Sequence[str],
    shapes_of: Callable[[Path], Mapping[str, tuple[int, ...]]],
) -> dict[str, StoredTensor]:
    return {
        key: StoredTensor(key, folder / name, shape)
        for name in names
        for key, shape in shapes_of(folder / name).items()
    }


def _safetensors_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    with _opened(path) as file:
        return {key: tuple(file.get_slice(key).get_shape()) for key in file.keys()}


def _bin_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    return {key: tuple(tensor.shape) for key, tensor in _load_bin(path).items()}


def _opened(path: Path) -> Any:
    try:
        return safe_open(str(path), framework="pt", device="cpu")
    except (SafetensorError, OSError) as error:
        raise CheckpointError(
            "{path} is damaged or cut short ({reason}); fetch it again.",
            path=path,
            reason=_line(error),
        ) from error


def _load_bin(path: Path) -> dict[str, Tensor]:
    try:
        loaded = torch.load(path, map_location="cpu", weights_only=True, mmap=True)
    except Exception as error:  # torch.load raises nearly anything on a damaged file
        raise CheckpointError(
            "{path} can't be read as plain tensors ({reason}).",
            path=path,
            reason=_line(error),
        ) from error
    return {key: value for key, value in loaded.items() if isinstance(value, Tensor)}


def _line(error: BaseException) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:200].rstrip(".")


# --- matching -------------------------------------------------------------------


def match_tensors(
    model: LlavaST,
    stored: Mapping[str, StoredTensor],
    tower: Mapping[str, StoredTensor],
) -> list[Filling]:
    """Find the place of every tensor, and make sure that nothing is left over.

    Args:
        model: The model, on the meta device.
        stored: The checkpoint's tensors.
        tower: The vision tower's, from beside; empty when the checkpoint has them.

    Returns:
        What to copy where; together they fill every parameter.

    Raises:
        CheckpointError: A key is unknown or missing, or a shape differs.
    """
    shapes = {name: tuple(p.shape) for name, p in model.named_parameters()}
    beside = {_checkpoint_key(key): tensor for key, tensor in tower.items()}
    base = model.config.base_vocab_size
    layers = int(model.config.vision.num_hidden_layers)
    fillings: list[Filling] = []
    for key, tensor in [*stored.items(), *beside.items()]:
        target = target_of(key, base)
        name = target.name if target else ""
        if _is_superfluous(key, name, layers):
            continue
        if target is None or name not in shapes:
            raise CheckpointError(
                "The checkpoint has a tensor this model has no place for: {key} "
                "{shape}.",
                key=key,
                shape=list(tensor.shape),
            )
        filling = Filling(tensor, name, target.first_row)
        _check_shape(key, filling, shapes[name])
        fillings.append(filling)
    _check_complete(fillings, shapes, base)
    return fillings


def _checkpoint_key(tower_key: str) -> str:
    """Name inside a checkpoint of a tensor of a tower's own file."""
    return TOWER_PREFIX + tower_key.removeprefix("vision_model.")


def _is_superfluous(key: str, name: str, layers: int) -> bool:
    """Whether a tensor is computed, or belongs to a part of SigLIP that is not used."""
    layer = _TOWER_LAYER.match(name)
    return (
        _COMPUTED.search(key) is not None
        or name.startswith("vision_tower.head.")
        or (layer is not None and int(layer[1]) >= layers)
    )


def _check_shape(key: str, filling: Filling, whole: tuple[int, ...]) -> None:
    found = filling.source.shape
    if filling.first_row is None:
        wanted, fits = list(whole), found == whole
    else:
        # How many rows is checked with all the tensors that fill this parameter.
        wanted = [whole[0] - filling.first_row, *whole[1:]]
        fits = found[1:] == whole[1:] and 0 < found[0] <= wanted[0]
    if not fits:
        raise CheckpointError(
            "{key} has the shape {shape}, but config.json asks for {wanted}.",
            key=key,
            shape=list(found),
            wanted=wanted,
        )


def _check_complete(
    fillings: Sequence[Filling], shapes: Mapping[str, tuple[int, ...]], base: int
) -> None:
    filled: dict[str, int] = {}
    for item in sorted(fillings, key=lambda item: item.first_row or 0):
        whole = item.first_row is None
        rows = shapes[item.parameter][0] if whole else item.source.shape[0]
        expected = filled.get(item.parameter, 0)
        if (item.first_row or 0) != expected:
            raise CheckpointError(
                "{key} does not fit: it starts at row {first_row} of {parameter}, "
                "and {expected} rows are filled before it (config.json has "
                "vocab_size {base}).",
                key=item.source.key,
                first_row=item.first_row,
                parameter=item.parameter,
                expected=expected,
                base=base,
            )
        filled[item.parameter] = expected + rows
    missing = [n for n, shape in shapes.items() if filled.get(n, 0) != shape[0]]
    if missing:
        others = ""
        if len(missing) > 1:
            others = Sentence(" and {count} more", count=len(missing) - 1)
        raise CheckpointError(
            "The checkpoint lacks {name}{others}.",
            name=published_name(missing[0]),
            others=others,
        )


def published_name(parameter: str) -> str:
    """A parameter's name in the published layout (its main part, for a table)."""
    packer = re.fullmatch(r"packer\.(\w+)\.(.+)", parameter)
    if packer:
        return f"model.vision_resampler.{packer[1]}.devide_attention.{packer[2]}"
    for ours, theirs in _PUBLISHED_NAMES:
        if parameter.startswith(ours):
            return theirs + parameter.removeprefix(ours)
    return parameter


# --- copying --------------------------------------------------------------------


@torch.no_grad()
def fill(
    model: LlavaST, fillings: Sequence[Filling], watch: Watch | None = None
) -> None:
    """Copy every tensor to its place, converting it on the way.

    Args:
        model: With its parameters allocated in their final type and place; those to
            be quantised are when their tensor is read.
        fillings: From :func:`match_tensors`.
        watch: Looks on.

    Raises:
        CancelledError: ``watch`` said so.
        CheckpointError: A file turned out to be damaged.
    """
    parameters = dict(model.named_parameters())
    by_file: dict[Path, list[Filling]] = {}
    for item in fillings:
        by_file.setdefault(item.source.path, []).append(item)
    read = (pair for path, items in by_file.items() for pair in _read(path, items))
    for number, (item, tensor) in enumerate(read):
        if watch is not None:
            watch.report("load", number / len(fillings))
        place = parameters[item.parameter]
        if isinstance(place, PendingWeight):
            layer = model.get_submodule(item.parameter.rpartition(".")[0])
            fill_pending(layer, tensor, model.device)
        else:
            _copy(tensor, place, item.first_row or 0)


def _copy(tensor: Tensor, place: Tensor, first_row: int) -> None:
    if not tensor.dim():
        place.copy_(tensor)
        return
    rows = place[first_row : first_row + len(tensor)]
    count = max(1, _BYTES_PER_COPY * len(tensor) // max(1, tensor.nbytes))
    for start in range(0, len(tensor), count):
        rows[start : start + count].copy_(tensor[start : start + count])


def _read(path: Path, items: Sequence[Filling]) -> Iterator[tuple[Filling, Tensor]]:
    if path.suffix == ".bin":
        tensors = _load_bin(path)
        for item in items:
            yield item, tensors[item.source.key]
        return
    for group in _groups(items):
        with _opened(path) as file:
            for item in group:
                yield item, file.get_tensor(item.source.key)


def _groups(items: Sequence[Filling]) -> Iterator[list[Filling]]:
    """Split so that one opening of a file reads a bounded number of bytes."""
    group: list[Filling] = []
    size = 0
    for item in items:
        group.append(item)
        size += 4 * torch.Size(item.source.shape).numel()
        if size >= _BYTES_PER_OPENING:
            yield group
            group, size = [], 0
    if group:
        yield group
