"""What an encoder at a low bitrate does to pictures, cheaply and on the device."""

from __future__ import annotations

import math

import torch
from torch import Tensor

# Pixels of a block; pictures are cut into whole ones.
_BLOCK = 6
# Share of the videos that are spoilt, and how coarsely their blocks are rounded.
_SHARE = 0.3
_COARSENESS = (0.02, 0.35)
# Luminance and colour differences, orthonormal; the latter are rounded more coarsely.
_COLOR_AXES = (
    (3**-0.5, 3**-0.5, 3**-0.5),
    (2**-0.5, -(2**-0.5), 0.0),
    (6**-0.5, 6**-0.5, -2 * 6**-0.5),
)
_COLOR_FACTOR = (1.0, 2.0, 2.0)


def spoil(frames: Tensor) -> Tensor:
    """Round the cosine transform of every block, in some of the videos.

    Args:
        frames: ``(B, T, 3, S, S)`` in 0..1; S is a multiple of the block.
    """
    device = frames.device
    count = len(frames)
    low, high = (math.log(value) for value in _COARSENESS)
    step = torch.exp(torch.rand(count, device=device) * (high - low) + low)
    axes = torch.tensor(_COLOR_AXES, device=device)
    basis = _cosines(device)
    frequency = torch.arange(_BLOCK, device=device)
    weight = 1 + frequency.view(-1, 1) + frequency
    color = torch.tensor(_COLOR_FACTOR, device=device)
    steps = step.view(-1, 1, 1, 1, 1, 1, 1) * color.view(3, 1, 1, 1, 1)
    steps = steps * weight.unsqueeze(1)
    side = frames.shape[-1] // _BLOCK
    blocks = torch.einsum("ij,btjhw->btihw", axes, frames)
    blocks = blocks.unflatten(-1, (side, _BLOCK)).unflatten(-3, (side, _BLOCK))
    found = torch.einsum("ui,vj,btcyixj->btcyuxv", basis, basis, blocks)
    found = (found / steps).round() * steps
    blocks = torch.einsum("ui,vj,btcyuxv->btcyixj", basis, basis, found)
    spoilt = torch.einsum("ij,btihw->btjhw", axes, blocks.flatten(-2).flatten(-3, -2))
    chosen = torch.rand(count, device=device) < _SHARE
    return torch.where(chosen.view(-1, 1, 1, 1, 1), spoilt.clamp(0, 1), frames)


def _cosines(device: torch.device) -> Tensor:
    """The orthonormal cosine basis ``(frequency, pixel)``."""
    pixel = torch.arange(_BLOCK, device=device) + 0.5
    frequency = torch.arange(_BLOCK, device=device).unsqueeze(1)
    basis = torch.cos(math.pi * frequency * pixel / _BLOCK) * (2 / _BLOCK) ** 0.5
    basis[0] /= 2**0.5
    return basis
