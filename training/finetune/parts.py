"""Which weights a run changes, and how fast."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from peft import LoraConfig, inject_adapter_in_model
from torch import Tensor, nn

from stablechat.errors import InputError
from stablechat.model.modeling import LlavaST
from training.finetune.settings import Lora, Settings

#: Linear layers of a Qwen2 decoder layer.
LORA_TARGETS = (
    *("q_proj", "k_proj", "v_proj", "o_proj"),
    *("gate_proj", "up_proj", "down_proj"),
)
_PREFIXES = {
    "tower": ("vision_tower.",),
    "projector": ("projector.",),
    "packer": ("packer.token_packer.", "packer.token_packer_slow."),
    "language": ("language_model.model.layers.", "language_model.model.norm."),
    "coordinates": (
        "language_model.model.embed_tokens.",
        "language_model.lm_head.",
    ),
}


def add_lora(model: LlavaST, lora: Lora) -> None:
    """Put adapters on the language model's decoder, in place."""
    config = LoraConfig(
        r=lora.r,
        lora_alpha=lora.alpha,
        lora_dropout=lora.dropout,
        target_modules=list(LORA_TARGETS),
        bias="none",
        task_type="CAUSAL_LM",
    )
    inject_adapter_in_model(config, model.language_model)


def choose_parts(model: LlavaST, settings: Settings) -> None:
    """Let the named parts learn and freeze the others.

    Args:
        model: With its adapters, if it has any.
        settings: Names the parts.
    """
    named = set(settings.learning_rates)
    for name, parameter in model.named_parameters():
        part = part_of(name)
        learns = part in named
        if part == "language" and settings.lora is not None:
            learns = "lora_" in name
        parameter.requires_grad_(learns)
        if learns and parameter.dtype != torch.float32:
            parameter.data = parameter.data.float()


def part_of(name: str) -> str | None:
    """The part that a parameter belongs to; None for what is never trained."""
    for part, prefixes in _PREFIXES.items():
        if name.startswith(prefixes):
            return part
    return None


def parameter_groups(
    model: LlavaST, rates: Mapping[str, float], weight_decay: float
) -> list[dict[str, Any]]:
    """The optimizer's groups: one for each part, matrices apart from the rest.

    Raises:
        InputError: Nothing is trained.
    """
    groups: dict[tuple[str, bool], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        part = part_of(name)
        if parameter.requires_grad and part is not None:
            decays = parameter.ndim > 1 and part != "coordinates"
            groups.setdefault((part, decays), []).append(parameter)
    if not groups:
        raise InputError("Nothing of the model is trained.")
    return [
        {
            "params": parameters,
            "lr": rates[part],
            "weight_decay": weight_decay if decays else 0.0,
        }
        for (part, decays), parameters in groups.items()
    ]


def trained_tensors(model: LlavaST) -> dict[str, Tensor]:
    """What a run has changed, by name."""
    return {
        name: parameter.detach()
        for name, parameter in model.named_parameters()
        if parameter.requires_grad
    }
