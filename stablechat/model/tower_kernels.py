"""The vision tower's CUDA kernel, in Triton."""

from __future__ import annotations

import torch
import triton
import triton.language as tl
from torch import Tensor


def add_layer_norm(
    x: Tensor, delta: Tensor | None, weight: Tensor, bias: Tensor, eps: float
) -> tuple[Tensor, Tensor]:
    """The sum of two vectors a row, and its layer norm, in one reading.

    Args:
        x: ``(N, width)``.
        delta: ``(N, width)``, or None for nothing.
        weight: ``(width,)``.
        bias: ``(width,)``.
        eps: Added to the variance.

    Returns:
        The sum (``x`` itself if there is no delta) and the norm, ``(N, width)``.
    """
    normed = torch.empty_like(x)
    total = x if delta is None else torch.empty_like(x)
    width = x.shape[1]
    _add_layer_norm_kernel[(len(x),)](
        x,
        delta if delta is not None else x,
        weight,
        bias,
        total,
        normed,
        width,
        eps,
        HAS_DELTA=delta is not None,
        BLOCK=triton.next_power_of_2(width),
        num_warps=4,
    )
    return total, normed


@triton.jit
def _add_layer_norm_kernel(
    x,
    delta,
    weight,
    bias,
    total,
    normed,
    width,
    eps,
    HAS_DELTA: tl.constexpr,
    BLOCK: tl.constexpr,
):
    columns = tl.arange(0, BLOCK)
    inside = columns < width
    places = tl.program_id(0).to(tl.int64) * width + columns
    value = tl.load(x + places, mask=inside, other=0.0).to(tl.float32)
    if HAS_DELTA:
        value += tl.load(delta + places, mask=inside, other=0.0).to(tl.float32)
        rounded = value.to(total.dtype.element_ty)
        tl.store(total + places, rounded, mask=inside)
        value = rounded.to(tl.float32)
    mean = tl.sum(value) / width
    centred = tl.where(inside, value - mean, 0.0)
    scale = 1.0 / tl.sqrt(tl.sum(centred * centred) / width + eps)
    w = tl.load(weight + columns, mask=inside, other=0.0).to(tl.float32)
    b = tl.load(bias + columns, mask=inside, other=0.0).to(tl.float32)
    tl.store(
        normed + places,
        (centred * scale * w + b).to(normed.dtype.element_ty),
        mask=inside,
    )
