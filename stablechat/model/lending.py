"""Modules whose weights are there only while they are called."""

from __future__ import annotations

from torch import nn


def lends_weights(module: nn.Module) -> bool:
    """Whether something moves a module's weights about.

    Accelerate's hooks and PyTorch's FSDP do: the weights must be used through the
    modules, and none may be kept.
    """
    return any(
        hasattr(each, "_hf_hook") or hasattr(each, "unshard")
        for each in module.modules()
    )
