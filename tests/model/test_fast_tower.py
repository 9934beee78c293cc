"""The fast tower sees what transformers' does."""

from __future__ import annotations

import sys
from types import SimpleNamespace

import golden_files
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor

from stablechat.loader import load_model
from stablechat.model.fast_tower import FastTower, fast_tower_for


def add_layer_norm(
    x: Tensor, delta: Tensor | None, weight: Tensor, bias: Tensor, eps: float
) -> tuple[Tensor, Tensor]:
    total = x if delta is None else x + delta
    return total, F.layer_norm(total, weight.shape, weight, bias, eps)


@torch.inference_mode()
def test_layers_without_modules_are_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "stablechat.model.tower_kernels"
    kernels = SimpleNamespace(add_layer_norm=add_layer_norm)
    monkeypatch.setitem(sys.modules, name, kernels)  # the real one needs Triton
    model = load_model(golden_files.CHECKPOINT, "cpu", "float32").model
    size = model.config.image_size
    pixels = torch.rand(3, 3, size, size, generator=torch.Generator().manual_seed(0))
    for layer in model.vision_tower.encoder.layers:
        # What the product ends with on the CPU; on CUDA it is the approximation.
        layer.mlp.activation_fn = torch.nn.GELU()
    expected = model.tower_features(pixels)
    fast = FastTower(model.vision_tower)
    torch.testing.assert_close(fast(pixels), expected, atol=1e-4, rtol=1e-4)
    # Queries, keys and values are joined now, and the modules see them as before.
    torch.testing.assert_close(model.tower_features(pixels), expected)


@torch.inference_mode()
def test_on_the_cpu_there_is_none() -> None:
    model = load_model(golden_files.CHECKPOINT, "cpu", "float32").model
    assert fast_tower_for(model.vision_tower) is None
