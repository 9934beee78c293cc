"""The language model's layers as plain functions over a cache of fixed place.

The same arithmetic as transformers' Qwen2, with fewer and larger steps: projections of
one input are one matrix, keys and values are written where they stay.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from transformers.models.qwen2.modeling_qwen2 import Qwen2DecoderLayer

from stablechat.model.joining import join_parameters

Projection = Callable[[Tensor], Tensor]


@dataclass(frozen=True, eq=False)
class Linear:
    """A projection by one matrix.

    Attributes:
        weight: ``(out, in)``.
        bias: ``(out,)``, or None.
    """

    weight: Tensor
    bias: Tensor | None = None

    def __call__(self, x: Tensor) -> Tensor:
        """``(..., in)`` to ``(..., out)``."""
        return F.linear(x, self.weight, self.bias)


@dataclass(frozen=True)
class Layer:
    """One layer's weights.

    Attributes:
        input_norm: Weight of the norm before attention.
        qkv: ``(..., hidden)`` to queries, keys and values side by side.
        output: Attention's output projection.
        mlp_norm: Weight of the norm before the MLP.
        gate_up: ``(..., hidden)`` to the gate and what it gates, side by side.
        down: The MLP's output projection.
    """

    input_norm: Tensor
    qkv: Projection
    output: Projection
    mlp_norm: Tensor
    gate_up: Projection
    down: Projection


def take_layer(layer: Qwen2DecoderLayer) -> Layer:
    """A layer's weights, those of one input joined.

    The layer goes on working: its weights become views of the joined ones, so that
    nothing is held twice.
    """
    attention, mlp = layer.self_attn, layer.mlp
    return Layer(
        input_norm=layer.input_layernorm.weight,
        qkv=_joined([attention.q_proj, attention.k_proj, attention.v_proj]),
        output=_joined([attention.o_proj]),
        mlp_norm=layer.post_attention_layernorm.weight,
        gate_up=_joined([mlp.gate_proj, mlp.up_proj]),
        down=_joined([mlp.down_proj]),
    )


def _joined(modules: Sequence[nn.Module]) -> Projection:
    if any(type(module) is not nn.Linear for module in modules):
        # Quantised, or wrapped by an adapter: left as they are.
        return lambda x: torch.cat([module(x) for module in modules], dim=-1)
    linear = cast(Sequence[nn.Linear], modules)
    weight = join_parameters([module.weight for module in linear])
    biases: list[Tensor] = [m.bias for m in linear if m.bias is not None]
    bias = join_parameters(biases) if len(biases) == len(linear) else None
    return Linear(weight, bias)


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Rotary positions, as Qwen2 has them.

    Args:
        x: ``(N, heads, d)``.
        cos: ``(N, 1, d)``.
        sin: ``(N, 1, d)``, its first half negative.

    Returns:
        ``(N, heads, d)``.
    """
    half = x.shape[-1] // 2
    swapped = torch.cat([x[..., half:], x[..., :half]], dim=-1)
    return x * cos + swapped * sin


def attend_to_prompt(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Causal attention inside a prompt.

    Args:
        q: ``(L, heads, d)``.
        k: ``(L, kv heads, d)``.
        v: As ``k``.

    Returns:
        ``(L, heads * d)``.
    """
    groups = q.shape[1] // k.shape[1]
    q, k, v = (x.transpose(0, 1).unsqueeze(0) for x in (q, k, v))
    k, v = (x.repeat_interleave(groups, dim=1) for x in (k, v))
    mixed = F.scaled_dot_product_attention(q, k, v, is_causal=True)
    return mixed[0].transpose(0, 1).flatten(1)


def attend_to_cache(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """Attention of a few tokens to all that was read.

    The query heads that share keys are treated as more queries: nothing is repeated.

    Args:
        q: ``(N, heads, d)``.
        k: ``(kv heads, S, d)``, their own keys at the end.
        v: As ``k``.
        mask: bool ``(N * groups, S)``, queries of one token side by side; None where
            all may be seen.

    Returns:
        ``(N, heads * d)``.
    """
    count, heads, width = q.shape
    shared = len(k)
    q = q.view(count, shared, -1, width).transpose(0, 1).reshape(shared, -1, width)
    mixed = F.scaled_dot_product_attention(q[None], k[None], v[None], attn_mask=mask)
    mixed = mixed[0].view(shared, count, heads // shared, width)
    return mixed.transpose(0, 1).reshape(count, -1)
