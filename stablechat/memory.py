"""How much memory a model takes, and how much there is."""

from __future__ import annotations

import gc
import os
import sys
from pathlib import Path

import torch
from torch import nn

from stablechat.model.modeling import LlavaST
from stablechat.quantization import PendingWeight

# Values of a frame's patch features that are alive at once, in widths: in the tower
# (states, queries, keys, values, a layer's inner ones), and in projector and packer.
_TOWER_STATES, _TOWER_INNER, _PACKER_STATES = 8, 3, 6
# Frames of a step and tokens of a prompt and its answer that there must be room for.
_STEP_FRAMES = 10
_CONTEXT_TOKENS = 4096
# Of the language model, alive at once while it reads a prompt.
_PROMPT_STATES, _PROMPT_INNER = 8, 3
_CGROUP = Path("/sys/fs/cgroup")
_MEMORY = Path("/proc/meminfo")


def weight_bytes(module: nn.Module, dtype: torch.dtype) -> int:
    """Bytes of a module's parameters in a type, or quantised where they will be."""
    return sum(
        p.stored_bytes if isinstance(p, PendingWeight) else p.numel() * dtype.itemsize
        for p in module.parameters()
    )


def held_bytes(module: nn.Module) -> int:
    """Bytes of a module's parameters and buffers as they are stored now."""
    tensors = (*module.parameters(), *module.buffers())
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


def encoding_bytes(model: LlavaST, dtype: torch.dtype) -> int:
    """About what one frame needs on its way through tower and packer."""
    config = model.config
    vision = config.vision
    widths = _TOWER_STATES * int(vision.hidden_size)
    widths += _TOWER_INNER * int(vision.intermediate_size)
    if vision._attn_implementation == "eager":  # scores, in float32 for the softmax
        widths += 3 * int(vision.num_attention_heads) * config.grid**2
    widths = max(widths, _PACKER_STATES * int(config.language.hidden_size))
    return config.grid**2 * widths * dtype.itemsize


def prompt_bytes(model: LlavaST, dtype: torch.dtype) -> int:
    """About what reading a prompt needs, the memory of it included."""
    language = model.config.language
    hidden, heads = int(language.hidden_size), int(language.num_attention_heads)
    groups = int(language.num_key_value_heads or heads)
    memory = 2 * int(language.num_hidden_layers) * groups * (hidden // heads)
    states = _PROMPT_STATES * hidden + _PROMPT_INNER * int(language.intermediate_size)
    return _CONTEXT_TOKENS * (memory + states) * dtype.itemsize


def working_bytes(model: LlavaST, dtype: torch.dtype) -> int:
    """About what an answer needs beside the weights."""
    encoding = _STEP_FRAMES * encoding_bytes(model, dtype)
    return max(encoding, prompt_bytes(model, dtype))


def give_back_memory() -> None:
    """Give what a model that is gone had back to the cards, for others to see."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def unused_bytes(device: torch.device) -> int:
    """Memory for new tensors: what is free, and what PyTorch keeps for them."""
    if device.type != "cuda":
        return free_bytes(device)
    kept = torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return free_bytes(device) + kept


def free_bytes(device: torch.device) -> int:
    """Memory that can be had on a device now (shared with the CPU on MPS)."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return min(_machine_free_bytes(), _container_free_bytes())


def _machine_free_bytes() -> int:
    try:
        lines = _MEMORY.read_text(encoding="ascii").splitlines()
        available = dict(line.split(":", 1) for line in lines)["MemAvailable"]
        return int(available.split()[0]) * 1024
    except (OSError, ValueError, LookupError):  # not Linux
        pass
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, OSError, ValueError):  # Windows: let it try
        return sys.maxsize


def _container_free_bytes() -> int:
    """What a container's limit leaves (Linux, cgroup 2); the rest is the host's."""
    try:
        limit = int((_CGROUP / "memory.max").read_text())
        lines = (_CGROUP / "memory.stat").read_text().splitlines()
        # Pages of files can be given up; anonymous ones can't.
        used = int(dict(line.split() for line in lines)["anon"])
    except (OSError, ValueError, KeyError):  # "max" is no number: no limit
        return sys.maxsize
    return max(0, limit - used)
