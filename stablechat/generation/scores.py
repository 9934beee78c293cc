"""What is kept of the scores of a written token."""

from __future__ import annotations

import torch
from torch import Tensor

from stablechat.types import NEIGHBOUR_REACH, NUM_BINS


def token_scores(logits: Tensor, tokens: Tensor, first_coordinate: int) -> Tensor:
    """Probabilities of tokens and of the bins around them.

    Args:
        logits: ``(N, vocabulary)``.
        tokens: int64 ``(N,)``, what was written at each position.
        first_coordinate: Id of ``<TEMP-000>``; the vocabulary ends with the tables.

    Returns:
        float32 ``(N, 1 + 2 * NEIGHBOUR_REACH + 1)``: the token's log-probability, then
        the probabilities of the bins around it on its axis, as
        ``Generation.neighbour_probabilities`` has them.
    """
    total = logits.float().logsumexp(dim=-1, keepdim=True)
    reach = torch.arange(-NEIGHBOUR_REACH, NEIGHBOUR_REACH + 1, device=logits.device)
    around = tokens.unsqueeze(1) + reach
    axis = (tokens - first_coordinate).div(NUM_BINS, rounding_mode="floor")
    axis_around = (around - first_coordinate).div(NUM_BINS, rounding_mode="floor")
    exists = (axis >= 0).unsqueeze(1) & (axis_around == axis.unsqueeze(1))
    places = around.clamp(0, logits.shape[-1] - 1)
    log_probs = logits.gather(-1, places).float() - total
    neighbours = log_probs.exp() * exists
    itself = log_probs[:, NEIGHBOUR_REACH : NEIGHBOUR_REACH + 1]
    return torch.cat([itself, neighbours], dim=1)
