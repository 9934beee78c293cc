"""The vision tower on CUDA in half precision, with little between its products.

The same arithmetic as transformers' SigLIP. At full size a third of its time went into
steps that only move memory: here a sum and the norm after it are one, the first
product of an MLP ends with its activation, and queries, keys and values are one product
that attention reads where it lies.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from typing import cast
from weakref import WeakKeyDictionary

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import SiglipVisionModel
from transformers.models.siglip.modeling_siglip import SiglipEncoderLayer

from stablechat.model.joining import join_parameters
from stablechat.model.lending import lends_weights

# cuDNN's takes two thirds of the flash kernel's time at SigLIP's 72 numbers a head.
_KERNELS = [
    SDPBackend.CUDNN_ATTENTION,
    SDPBackend.FLASH_ATTENTION,
    SDPBackend.EFFICIENT_ATTENTION,
    SDPBackend.MATH,
]
# What these pick is slower; "eager" is for who wants exactly that.
_REPLACED = ("sdpa", "flash_attention_2")
#: The activation that CUDA's matrix product can end with.
_ACTIVATION = "gelu_pytorch_tanh"


@dataclass(frozen=True, eq=False)
class _Affine:
    """Weight and bias of a norm or of a projection."""

    weight: Tensor
    bias: Tensor


@dataclass(frozen=True, eq=False)
class _Layer:
    norm1: _Affine
    qkv: _Affine
    output: _Affine
    norm2: _Affine
    up: _Affine
    down: _Affine


_towers: WeakKeyDictionary[SiglipVisionModel, FastTower] = WeakKeyDictionary()


def fast_tower_for(
    tower: SiglipVisionModel,
) -> Callable[[Tensor], Tensor] | None:
    """A tower's fast way, made when it is first asked for; None where it has none.

    Only for inference: no gradient goes through it.
    """
    if not torch.is_inference_mode_enabled() or not fits_tower(tower):
        return None
    if tower not in _towers:
        _towers[tower] = FastTower(tower)
    return _towers[tower]


class FastTower:
    """A tower's layers without their modules.

    Args:
        tower: Its weights are shared: what is loaded into it later is not seen.
    """

    def __init__(self, tower: SiglipVisionModel) -> None:
        config = tower.config
        self._embeddings = tower.embeddings
        self._heads = int(config.num_attention_heads)
        self._eps = float(config.layer_norm_eps)
        layers = cast(list[SiglipEncoderLayer], tower.encoder.layers)
        self._layers = [_take(layer) for layer in layers]

    def __call__(self, pixel_values: Tensor) -> Tensor:
        """As ``LlavaST.tower_features``: ``(N, 3, S, S)`` to ``(N, g * g, hidden)``."""
        from stablechat.model.tower_kernels import add_layer_norm  # imports Triton

        count = len(pixel_values)
        x, delta = self._embed(pixel_values), None
        with sdpa_kernel(_KERNELS, set_priority=True):
            for layer in self._layers:
                norm = layer.norm1
                x, normed = add_layer_norm(x, delta, norm.weight, norm.bias, self._eps)
                delta = self._attend(layer, normed, count)
                norm = layer.norm2
                x, normed = add_layer_norm(x, delta, norm.weight, norm.bias, self._eps)
                delta = _feed_forward(layer, normed)
        return (x if delta is None else x + delta).view(count, -1, x.shape[1])

    def _embed(self, pixel_values: Tensor) -> Tensor:
        """Patches as rows ``(N * g * g, hidden)``, with their places.

        A convolution that steps as far as it reaches is one product.
        """
        patch = self._embeddings.patch_embedding
        weight, step = patch.weight.flatten(1), patch.weight.shape[-1]
        grid = pixel_values.shape[-1] // step
        kept = pixel_values[..., : grid * step, : grid * step]
        apart = kept.reshape(len(kept), -1, grid, step, grid, step)
        rows = apart.permute(0, 2, 4, 1, 3, 5).reshape(-1, weight.shape[1])
        embedded = F.linear(rows, weight, patch.bias).view(len(kept), grid**2, -1)
        embedded += self._embeddings.position_embedding.weight
        return embedded.flatten(0, 1)

    def _attend(self, layer: _Layer, normed: Tensor, count: int) -> Tensor:
        joined = F.linear(normed, layer.qkv.weight, layer.qkv.bias)
        apart = joined.view(count, -1, 3, self._heads, normed.shape[1] // self._heads)
        q, k, v = (x.transpose(1, 2) for x in apart.unbind(2))
        mixed = F.scaled_dot_product_attention(q, k, v)
        rows = mixed.transpose(1, 2).reshape(normed.shape)
        return F.linear(rows, layer.output.weight, layer.output.bias)


def fits_tower(tower: SiglipVisionModel) -> bool:
    """Whether a tower can run like this.

    It must be on CUDA in FP16 or BF16, whole and in one place.
    """
    first = next(tower.parameters())
    linears = [m for m in tower.modules() if isinstance(m, nn.Linear)]
    return (
        first.device.type == "cuda"
        and first.dtype in (torch.float16, torch.bfloat16)
        and tower.config.hidden_act == _ACTIVATION
        and tower.config._attn_implementation in _REPLACED
        and all(type(linear) is nn.Linear for linear in linears)
        and not lends_weights(tower)
        and importlib.util.find_spec("triton") is not None
    )


def _take(layer: SiglipEncoderLayer) -> _Layer:
    attention, mlp = layer.self_attn, layer.mlp
    parts = [attention.q_proj, attention.k_proj, attention.v_proj]
    return _Layer(
        norm1=_affine(layer.layer_norm1),
        qkv=_Affine(
            join_parameters([part.weight for part in parts]),
            join_parameters([part.bias for part in parts]),
        ),
        output=_affine(attention.out_proj),
        norm2=_affine(layer.layer_norm2),
        up=_affine(mlp.fc1),
        down=_affine(mlp.fc2),
    )


def _affine(module: nn.Module) -> _Affine:
    weight, bias = module.get_parameter("weight"), module.get_parameter("bias")
    return _Affine(weight.data, bias.data)


def _feed_forward(layer: _Layer, normed: Tensor) -> Tensor:
    up, down = layer.up, layer.down
    # The only name PyTorch has for a product that ends with GELU.
    wide = torch._addmm_activation(up.bias, normed, up.weight.t(), use_gelu=True)
    return F.linear(wide, down.weight, down.bias)
