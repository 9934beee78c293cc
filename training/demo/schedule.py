"""How the weights are changed: optimisers, learning rate, stages."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.distributed as dist
from torch import nn

# Shares of the whole training after which each stage ends.
_TOWER_UNTIL = 0.06
_IMAGES_UNTIL = 0.16
_WARMUP_STEPS = 100


def make_optimisers(modules: nn.Module, kind: str, rate: float) -> list[Any]:
    """AdamW, or Muon for the matrices inside and AdamW for the rest."""
    matrices, rest = [], []
    for name, value in modules.named_parameters():
        inside = ".layers." in name or "packer." in name or "projector" in name
        (matrices if inside and value.ndim == 2 else rest).append(value)
    fused = rest[0].device.type == "cuda"
    adam: dict[str, Any] = {"betas": (0.9, 0.98), "weight_decay": 0.02, "fused": fused}
    if kind == "adamw":
        return [torch.optim.AdamW(matrices + rest, lr=rate, **adam)]
    return [
        torch.optim.Muon(
            matrices, lr=rate, weight_decay=0.02, adjust_lr_fn="match_rms_adamw"
        ),
        torch.optim.AdamW(rest, lr=rate, **adam),
    ]


def learning_rate(progress: float, steps_in_stage: int, peak: float) -> float:
    """Warm up in every stage and every resumed run, then half a cosine to zero."""
    warm = min(1.0, (steps_in_stage + 1) / _WARMUP_STEPS)
    return peak * warm * 0.5 * (1 + math.cos(math.pi * min(progress, 1.0)))


def average_gradients(modules: nn.Module) -> None:
    """Mean of the gradients over all processes."""
    if not dist.is_initialized():
        return
    gradients = [p.grad for p in modules.parameters() if p.grad is not None]
    flat = torch.cat([g.flatten() for g in gradients])
    dist.all_reduce(flat, op=dist.ReduceOp.AVG)
    offset = 0
    for gradient in gradients:
        gradient.copy_(flat[offset : offset + gradient.numel()].view_as(gradient))
        offset += gradient.numel()


def stage_of(progress: float) -> str:
    """What is trained now."""
    if progress < _TOWER_UNTIL:
        return "tower"
    return "images" if progress < _IMAGES_UNTIL else "videos"
