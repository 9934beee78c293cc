"""Errors put into what the model reads of its own answer.

Without them it learns to copy the last row's box instead of looking, and meets its own
mistakes for the first time when it is used.
"""

from __future__ import annotations

import torch
from torch import Tensor

from stablechat.types import NUM_BINS

_LAST = NUM_BINS - 1
# Spread of the errors, in bins; one is picked for each sequence.
_BOX_NOISE = (0.0, 1.0, 3.0, 10.0)
_SPAN_NOISE = (0.0, 0.0, 2.0, 6.0)


def _pick_noise(levels: tuple[float, ...], count: int, device: torch.device) -> Tensor:
    table = torch.tensor(levels, device=device)
    return table[torch.randint(len(levels), (count,), device=device)]


def disturb_span(first: Tensor, last: Tensor, noisy: bool) -> tuple[Tensor, Tensor]:
    """What the model reads of its span's ends ``(N,)``: whole bins, off by some."""
    if not noisy:
        return first, last
    spread = _pick_noise(_SPAN_NOISE, len(first), first.device)
    ends = torch.stack([first, last], -1)
    ends = ends + torch.randn_like(ends) * spread.unsqueeze(1)
    ends = ends.round().clamp(0, _LAST).sort(-1).values
    return ends[:, 0], ends[:, 1]


def disturb_box(boxes: Tensor, noisy: bool) -> Tensor:
    """What the model reads of its boxes ``(N, R, 4)``: whole bins, off by some."""
    bins = boxes * _LAST
    if noisy:
        spread = _pick_noise(_BOX_NOISE, len(boxes), boxes.device)
        bins = bins + torch.randn_like(bins) * spread.view(-1, 1, 1)
    return bins.round().clamp(0, _LAST) / _LAST
