"""Where the model goes: device, number type, attention, and whether it fits."""

from __future__ import annotations

import importlib.util
import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import torch
from torch import nn
from transformers.models.qwen2.modeling_qwen2 import Qwen2RotaryEmbedding

from stablechat.errors import InputError, ModelError, OutOfMemoryError
from stablechat.memory import free_bytes, weight_bytes, working_bytes
from stablechat.model.modeling import LlavaST
from stablechat.quantization import PendingWeight, is_pending
from stablechat.sentences import Sentence

# accelerate ships no types, and imports slowly: import_module where used.

logger = logging.getLogger(__name__)

DeviceMap = dict[str, int | str | torch.device]

DTYPES: Mapping[str, torch.dtype] = {
    "float32": torch.float32,
    "float16": torch.float16,
    "bfloat16": torch.bfloat16,
    "fp32": torch.float32,
    "fp16": torch.float16,
    "bf16": torch.bfloat16,
}
ATTENTIONS = ("auto", "sdpa", "flash_attention_2", "eager")

#: Never split between devices by accelerate.
WHOLE_LAYERS = ["Qwen2DecoderLayer", "SiglipEncoderLayer"]
_LAYERS = "language_model.model.layers"
#: Everything but the decoder layers stays together on the first device: these parts
#: look straight into the embedding and the head for the coordinate tables.
FIRST_DEVICE_PARTS = (
    "vision_tower",
    "projector",
    "packer",
    "language_model.model.embed_tokens",
    "language_model.model.norm",
    "language_model.model.rotary_emb",
    "language_model.lm_head",
)
# FlashAttention 2 needs Ampere or newer.
_FLASH_CAPABILITY = (8, 0)
_GIB = 2**30
# Of a card's free memory; the rest is for the memory of what was read and for slack.
_USABLE_SHARE = 0.9


@dataclass(frozen=True)
class Placement:
    """What was chosen.

    Attributes:
        device: Where the vision side is, and everything unless ``device_map`` says so.
        dtype: Type of the weights.
        attn: Attention kernel.
        device_map: Device of each part when there are several, else None.
    """

    device: torch.device
    dtype: torch.dtype
    attn: str
    device_map: DeviceMap | None = None


def choose_device(device: str | torch.device | None) -> torch.device:
    """The device asked for, or the best there is: CUDA, MPS, CPU.

    Raises:
        InputError: It has no such name, or this machine does not have it.
    """
    if device is None or str(device) == "auto":
        return torch.device(_best_device())
    try:
        chosen = torch.device(device)
    except RuntimeError as error:
        raise InputError(
            "There is no device {device!r}; use cpu, cuda, cuda:1 or mps.",
            device=str(device),
        ) from error
    if chosen.type not in ("cpu", "cuda", "mps"):
        raise InputError(
            "Device {device} is not supported; use cpu, cuda or mps.", device=device
        )
    if not _is_present(chosen):
        raise InputError(
            "This machine has no device {device}; use --device cpu.", device=device
        )
    return chosen


def _best_device() -> str:
    if torch.cuda.is_available():
        return "cuda"
    return "mps" if torch.backends.mps.is_available() else "cpu"


def _is_present(device: torch.device) -> bool:
    if device.type == "cuda":
        return (device.index or 0) < torch.cuda.device_count()
    return device.type == "cpu" or torch.backends.mps.is_available()


def choose_dtype(dtype: str | torch.dtype | None, device: torch.device) -> torch.dtype:
    """The type asked for, or FP16 on an accelerator and float32 on the CPU.

    Raises:
        InputError: It has no such name.
    """
    if isinstance(dtype, torch.dtype):
        dtype = str(dtype).removeprefix("torch.")
    if dtype is None or dtype == "auto":
        return torch.float32 if device.type == "cpu" else torch.float16
    if dtype not in DTYPES:
        raise InputError(
            "There is no number type {dtype!r}; use float32, float16 or bfloat16.",
            dtype=dtype,
        )
    return DTYPES[dtype]


def choose_attention(attn: str | None, device: torch.device, dtype: torch.dtype) -> str:
    """FlashAttention 2 where it runs, else PyTorch's own, unless one is asked for.

    Raises:
        InputError: It has no such name, or can't run here.
    """
    attn = attn or "auto"
    if attn not in ATTENTIONS:
        raise InputError(
            "There is no attention {attn!r}; use {choices}.",
            attn=attn,
            choices=", ".join(ATTENTIONS),
        )
    flash = _has_flash(device, dtype)
    if attn == "auto":
        return "flash_attention_2" if flash else "sdpa"
    if attn == "flash_attention_2" and not flash:
        raise InputError(
            "flash_attention_2 needs the flash-attn package, a CUDA device of the "
            "Ampere generation or newer, and float16 or bfloat16; use sdpa."
        )
    return attn


def _has_flash(device: torch.device, dtype: torch.dtype) -> bool:
    if device.type != "cuda" or dtype is torch.float32:
        return False
    if torch.cuda.get_device_capability(device) < _FLASH_CAPABILITY:
        return False
    if importlib.util.find_spec("flash_attn") is None:
        return False
    try:
        # A wheel built for another torch is found, but fails here.
        import_module("flash_attn")
    except (ImportError, OSError) as error:
        logger.warning("flash-attn is installed but can't be imported: %s", error)
        return False
    return True


# --- choosing -------------------------------------------------------------------


def place(
    model: LlavaST,
    device: torch.device,
    dtype: torch.dtype,
    attn: str,
    device_map: str | Mapping[str, Any] | None = None,
) -> Placement:
    """Decide where each part goes, before any memory is taken.

    Args:
        model: On the meta device.
        device: First device.
        dtype: Type of the weights.
        attn: Attention kernel, passed through.
        device_map: None (split only when one device is too small), ``"auto"``
            (spread), or a device for each part.

    Raises:
        OutOfMemoryError: It fits nowhere; says how much is needed.
    """
    if isinstance(device_map, Mapping):
        return Placement(device, dtype, attn, dict(device_map))
    if device_map not in (None, "auto"):
        raise InputError(
            "device_map must be auto or a mapping, got {device_map!r}.",
            device_map=device_map,
        )
    needed = weight_bytes(model, dtype) + working_bytes(model, dtype)
    free = free_bytes(device)
    if needed <= free and device_map is None:
        return Placement(device, dtype, attn)
    may_spread = device.index is None and not is_pending(model)
    if device.type == "cuda" and (may_spread or device_map):
        budget = memory_budget()
        if needed <= sum(budget.values()):
            first = torch.device("cuda", 0)
            return Placement(first, dtype, attn, spread(model, dtype, budget))
        free = sum(budget.values())
    if needed <= free:
        return Placement(device, dtype, attn)
    raise OutOfMemoryError(
        "The model needs about {needed_gib:.1f} GiB in {dtype}, and {device} has "
        "{free_gib:.1f} GiB free; use {advice}.",
        needed_gib=needed / _GIB,
        dtype=str(dtype).removeprefix("torch."),
        device=device,
        free_gib=free / _GIB,
        advice=_either(_ways_out(model, device, dtype)),
    )


def _ways_out(
    model: LlavaST, device: torch.device, dtype: torch.dtype
) -> list[Sentence]:
    """What may help where memory is short."""
    advice = ["the demo model (no --model)"]
    if device.type != "mps" and not is_pending(model):
        advice.insert(0, "--quantization 4bit")
    if device.type != "cpu":
        advice = ["--device cpu", "more or larger cards", *advice]
    if dtype is torch.float32:
        half = weight_bytes(model, torch.float16) + working_bytes(model, torch.float16)
        advice.insert(0, f"--dtype bfloat16 ({half / _GIB:.1f} GiB)")
    return [Sentence(way) for way in advice]


def _either(choices: Sequence[Sentence]) -> Sentence:
    """For example ``"a, b or c"``."""
    if len(choices) == 1:
        return choices[0]
    first, rest = choices[0], _either(choices[1:])
    words = "{first} or {rest}" if len(choices) == 2 else "{first}, {rest}"
    return Sentence(words, first=first, rest=rest)


def memory_budget() -> dict[int | str, int]:
    """Free bytes of every card and of the CPU, for :func:`spread`."""
    cards = range(torch.cuda.device_count())
    budget: dict[int | str, int] = {
        card: int(_USABLE_SHARE * free_bytes(torch.device("cuda", card)))
        for card in cards
    }
    budget["cpu"] = free_bytes(torch.device("cpu"))
    return budget


def spread(
    model: LlavaST, dtype: torch.dtype, budget: Mapping[int | str, int]
) -> DeviceMap:
    """Spread the decoder layers over several devices, the rest on the first.

    Args:
        model: On the meta device.
        dtype: Type of the weights.
        budget: Free bytes by device, the first device first; layers that no card has
            room for go to ``"cpu"`` and visit the first card for each token.

    Returns:
        Device of every part.

    Raises:
        OutOfMemoryError: The first device has no room for the parts bound to it.
    """
    first = next(iter(budget))
    layers = model.get_submodule(_LAYERS)
    bound = weight_bytes(model, dtype) - weight_bytes(layers, dtype)
    bound += working_bytes(model, dtype)
    # One layer's room stays free on the first card for layers that visit it.
    visitor = weight_bytes(next(layers.children()), dtype)
    if budget[first] < bound + visitor:
        raise OutOfMemoryError(
            "The model needs at least {needed_gib:.1f} GiB on the first card, which "
            "has {free_gib:.1f} GiB free; use --device cpu or the demo model "
            "(no --model).",
            needed_gib=(bound + visitor) / _GIB,
            free_gib=budget[first] / _GIB,
        )
    inferred = import_module("accelerate").infer_auto_device_map(
        layers,
        max_memory={**budget, first: budget[first] - bound},
        no_split_module_classes=WHOLE_LAYERS,
        dtype=dtype,
    )
    device_map: DeviceMap = dict.fromkeys(FIRST_DEVICE_PARTS, first)
    for name, where in inferred.items():
        device_map[f"{_LAYERS}.{name}" if name else _LAYERS] = where
    return device_map


# --- allocation -----------------------------------------------------------------


def allocate(model: LlavaST, placement: Placement) -> None:
    """Give every parameter and buffer of a meta model its final memory, unfilled.

    Weights that will be quantised get theirs when they are.

    Raises:
        OutOfMemoryError: The device refused after all.
    """
    try:
        for name, parameter in list(model.named_parameters()):
            if isinstance(parameter, PendingWeight):
                continue
            empty = torch.empty(
                parameter.shape,
                dtype=placement.dtype,
                device=_device_of(name, placement),
            )
            _set_parameter(model, name, empty)
        _compute_buffers(model, placement.device)
    except torch.OutOfMemoryError as error:
        raise OutOfMemoryError(
            "{device} ran out of memory while the model was loaded; close "
            "other programs, or use --device cpu or the demo model (no "
            "--model).",
            device=placement.device,
        ) from error


def _set_parameter(model: nn.Module, name: str, value: torch.Tensor) -> None:
    owner, _, leaf = name.rpartition(".")
    module = model.get_submodule(owner)
    setattr(module, leaf, nn.Parameter(value, requires_grad=False))


def _device_of(name: str, placement: Placement) -> torch.device:
    best, found = -1, placement.device
    for part, device in (placement.device_map or {}).items():
        inside = part == "" or name == part or name.startswith(part + ".")
        if inside and len(part) > best:
            best, found = len(part), torch.device(device)
    return found


def _compute_buffers(model: LlavaST, device: torch.device) -> None:
    """Buffers that no checkpoint holds, in the precision they are made in."""
    decoder = model.language_model.model
    # On the CPU, whatever the caller's default device, for the same digits everywhere.
    with torch.device("cpu"):
        rotary = Qwen2RotaryEmbedding(model.config.language)
    decoder.rotary_emb = rotary.to(device)
    embeddings = model.vision_tower.embeddings
    count = embeddings.position_embedding.num_embeddings
    embeddings.register_buffer(
        "position_ids",
        torch.arange(count, device=device).expand(1, -1),
        persistent=False,
    )
    left = [name for name, buffer in model.named_buffers() if buffer.is_meta]
    if left:
        raise ModelError(
            "This version of transformers has a buffer we do not know: {name}.",
            name=left[0],
        )


def dispatch(model: LlavaST, placement: Placement) -> None:
    """Let accelerate move data between the parts' devices while the model runs."""
    if placement.device_map is None:
        return
    import_module("accelerate").dispatch_model(
        model,
        device_map=placement.device_map,
        main_device=placement.device,
        skip_keys=["cache", "past_key_values"],  # its names in transformers 5
    )
