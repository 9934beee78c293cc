"""How the next token is picked from its scores."""

from __future__ import annotations

import torch
from torch import Tensor

from stablechat.types import GenerationConfig

_SEEDS = 2**63  # torch takes no larger numbers


class Sampler:
    """Greedy, or sampling with temperature and top-p.

    The token at a place of an answer depends on the scores there and on one uniform
    number that belongs to the place. So it does not matter in which order places are
    looked at, nor how many at once, and a seed gives the same text on every device (as
    far as the scores are the same). Other users of torch's random numbers are not
    disturbed.

    Args:
        config: Its ``temperature``, ``top_p``, ``seed`` and ``max_new_tokens`` are
            used.
        device: Where scores will be.

    Attributes:
        is_greedy: Whether the likeliest token is always taken.
    """

    def __init__(self, config: GenerationConfig, device: torch.device) -> None:
        self.is_greedy = config.temperature == 0
        self._temperature = config.temperature
        self._top_p = config.top_p
        # MPS has no float64.
        self._number_type = torch.float32 if device.type == "mps" else torch.float64
        random = torch.Generator(device="cpu").manual_seed(config.seed % _SEEDS)
        # Two for each place: one for the model's own choice, one for a grammar's.
        count = 0 if self.is_greedy else config.max_new_tokens + 1
        numbers = torch.rand((2, count), generator=random, dtype=torch.float64)
        self._uniform = numbers.to(device, self._number_type)

    def pick(self, logits: Tensor, places: Tensor, *, again: bool = False) -> Tensor:
        """Pick tokens.

        Args:
            logits: ``(N, vocabulary)``.
            places: int64 ``(N,)``, how many tokens of the answer stand before each.
            again: Whether the first pick was refused: another number is used.

        Returns:
            int64 ``(N,)``, their ids.
        """
        if self.is_greedy:
            return logits.argmax(dim=-1)
        scaled = logits.to(self._number_type) / self._temperature
        probabilities = scaled.softmax(dim=-1)
        limit = self._uniform.shape[1] - 1
        points = self._uniform[int(again)][places.clamp(max=limit)].unsqueeze(1)
        if self._top_p >= 1:
            return _invert(probabilities, points).squeeze(1)
        ordered, ids = probabilities.sort(dim=-1, descending=True, stable=True)
        before = ordered.cumsum(dim=-1) - ordered
        # The likeliest token stays whatever top_p is: nothing comes before it.
        kept = ordered * (before < self._top_p)
        return ids.gather(1, _invert(kept, points)).squeeze(1)


def _invert(weights: Tensor, points: Tensor) -> Tensor:
    """Where the cumulative distribution of weights passes points in 0..1."""
    cumulative = weights.cumsum(dim=-1)
    total = cumulative[:, -1:]
    places = torch.searchsorted(cumulative, points * total, right=True)
    # Rounding may lead past the last token that has any weight.
    last = (weights > 0).to(torch.int64).cumsum(dim=-1).argmax(dim=-1, keepdim=True)
    return torch.minimum(places, last)
