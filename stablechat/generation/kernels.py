"""CUDA kernels for a pass over a few tokens, in Triton.

At one token a pass every matrix is read once and little is computed, so what counts is
the number of steps and that attention keeps all of the card busy. Everything between
the matrix products is fused; attention splits the cache over the card and sees a
tree's own tokens through a mask. A pass may read trees of several answers, each with a
cache of its own; :class:`stablechat.generation.packing.Packed` says how they are given.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
import triton
from torch import Tensor

from stablechat.generation import triton_kernels as compiled
from stablechat.generation.packing import HEAD_COLUMNS, Packed

# Keys that a program reads at once, and parts of the cache that are read side by side.
_BLOCK_KEYS = 128
_MOST_SPLITS, _LEAST_SPLITS = 32, 2
_BLOCK_ROWS = 64
_SMALLEST_BLOCK = 16  # of a matrix product
# Found by trying on an H100, with the five matrices of Qwen2-7B.
_PROJECT_ROWS = 2
_PROJECT_COLUMNS = 2048


def project(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """A matrix product; that of a single row at the speed of the memory.

    cuBLAS reaches 85% of an H100's bandwidth on one row, this 97%.

    Args:
        x: ``(N, in)``.
        weight: ``(out, in)``.
        bias: ``(out,)``, or None.

    Returns:
        ``(N, out)``.
    """
    if len(x) > 1:
        return F.linear(x, weight, bias)
    num_out, num_in = weight.shape
    out = x.new_empty((1, num_out))
    compiled.project_kernel[(triton.cdiv(num_out, _PROJECT_ROWS),)](
        x,
        weight,
        bias if bias is not None else weight,
        out,
        num_out,
        num_in,
        HAS_BIAS=bias is not None,
        ROWS=_PROJECT_ROWS,
        COLUMNS=_PROJECT_COLUMNS,
        num_warps=8,
    )
    return out


def add_norm(
    x: Tensor, delta: Tensor | None, weight: Tensor, eps: float
) -> tuple[Tensor, Tensor]:
    """The sum of two vectors a row, and its root mean square norm.

    Args:
        x: ``(N, width)``.
        delta: ``(N, width)``, or None for nothing.
        weight: ``(width,)``.
        eps: Added to the mean square.

    Returns:
        The sum (``x`` itself if there is no delta) and the norm, ``(N, width)``.
    """
    normed = torch.empty_like(x)
    total = x if delta is None else torch.empty_like(x)
    width = x.shape[1]
    block = triton.next_power_of_2(width)
    compiled.add_norm_kernel[(len(x),)](
        x,
        delta if delta is not None else x,
        weight,
        total,
        normed,
        width,
        eps,
        HAS_DELTA=delta is not None,
        BLOCK=block,
        num_warps=8 if block >= 2048 else 4,
    )
    return total, normed


def rotate_and_store(
    joined: Tensor,
    cos: Tensor,
    sin: Tensor,
    trees: Packed,
    keys: Tensor,
    values: Tensor,
    num_heads: int,
) -> Tensor:
    """Rotary positions; keys and values go into the cache, behind what is there.

    Args:
        joined: ``(N, (heads + 2 * kv heads) * d)``: queries, keys, values.
        cos: ``(capacity, d)``.
        sin: As ``cos``, its first half negative.
        trees: Whose tokens they are.
        keys: ``(seats, kv heads, capacity, d)``, one layer's; written.
        values: As ``keys``.
        num_heads: Query heads.

    Returns:
        Queries ``(N, heads, d)``.
    """
    count = len(joined)
    shared, capacity, width = keys.shape[1:]
    q = joined.new_empty((count, num_heads, width))
    compiled.rotate_store_kernel[(count, num_heads + 2 * shared)](
        joined,
        cos,
        sin,
        trees.seats,
        trees.tokens,
        trees.tokens.stride(0),
        q,
        keys,
        values,
        capacity,
        HEADS=num_heads,
        SHARED=shared,
        WIDTH=width,
        num_warps=1,
    )
    return q


def attend(q: Tensor, keys: Tensor, values: Tensor, trees: Packed) -> Tensor:
    """Attention of each tree's tokens to their cache and to their own ancestors.

    Args:
        q: ``(N, heads, d)``.
        keys: ``(seats, kv heads, capacity, d)``, the trees' own included.
        values: As ``keys``.
        trees: Whose tokens they are.

    Returns:
        ``(N, heads * d)``; what fills the pass up is left undefined.
    """
    count, heads, width = q.shape
    num_seats, shared, capacity, _ = keys.shape
    groups, tallest = heads // shared, trees.tokens.shape[1] - HEAD_COLUMNS
    needed = max(_SMALLEST_BLOCK, triton.next_power_of_2(tallest * groups))
    rows = min(needed, _BLOCK_ROWS)
    blocks = triton.cdiv(tallest * groups, rows)
    side_by_side = triton.next_power_of_2(num_seats * blocks)
    splits = max(_LEAST_SPLITS, _MOST_SPLITS // side_by_side)
    caches = num_seats * shared
    partial = q.new_empty((caches, splits, blocks * rows, width), dtype=torch.float32)
    stats = q.new_empty((caches, splits, blocks * rows, 2), dtype=torch.float32)
    sizes = {"GROUPS": groups, "SHARED": shared, "WIDTH": width, "SPLITS": splits}
    compiled.attend_kernel[(caches, splits, blocks)](
        q,
        keys,
        values,
        trees.seats,
        trees.tokens,
        trees.tokens.stride(0),
        partial,
        stats,
        capacity,
        width**-0.5,
        **sizes,
        ROWS=rows,
        KEYS=_BLOCK_KEYS,
        num_warps=4,
        num_stages=2,
    )
    out = q.new_empty((count, heads * width))
    compiled.combine_kernel[(tallest * groups, caches)](
        partial, stats, trees.seats, out, blocks * rows, **sizes, num_warps=4
    )
    return out


def gate(gate_up: Tensor) -> Tensor:
    """``silu(gate) * up``: ``(N, 2 * width)`` to ``(N, width)``."""
    width = gate_up.shape[1] // 2
    out = gate_up.new_empty((len(gate_up), width))
    block = 1024
    compiled.gate_kernel[(len(gate_up), triton.cdiv(width, block))](
        gate_up, out, width, BLOCK=block, num_warps=4
    )
    return out
