"""Checkpoints of a training run, in parts small enough to carry around."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from safetensors.torch import load_file, save_file
from torch import Tensor, nn

_PART_BYTES = 14 * 2**20


def save_state(folder: Path, modules: nn.ModuleDict, facts: dict[str, Any]) -> None:
    """Write weights (float32, in parts) and the run's facts."""
    folder.mkdir(parents=True, exist_ok=True)
    part: dict[str, Tensor] = {}
    size = index = 0
    for name, value in modules.state_dict().items():
        part[name] = value.detach().cpu().contiguous()
        size += part[name].numel() * part[name].element_size()
        if size > _PART_BYTES - 2**21:
            save_file(part, folder / f"part{index}.safetensors")
            part, size, index = {}, 0, index + 1
    if part:
        save_file(part, folder / f"part{index}.safetensors")
    (folder / "facts.json").write_text(json.dumps(facts))


def load_state(folder: Path, modules: nn.ModuleDict) -> dict[str, Any]:
    """Read what :func:`save_state` wrote; returns the run's facts."""
    weights: dict[str, Tensor] = {}
    for path in sorted(folder.glob("part*.safetensors")):
        weights.update(load_file(path))
    modules.load_state_dict(weights)
    facts: dict[str, Any] = json.loads((folder / "facts.json").read_text())
    return facts


def resume_from(folder: Path) -> bool:
    """Whether there is anything to resume from."""
    return (folder / "facts.json").is_file()
