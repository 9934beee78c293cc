"""How the next token is picked from its scores."""

from __future__ import annotations

import torch
from torch import Tensor

from stablechat.types import GenerationConfig

_SEEDS = 2**63  # torch takes no larger numbers


class Sampler:
    """Greedy, or sampling with temperature and top-p.

    Sampling runs on the CPU in float64 with a generator of its own, so that a seed
    gives the same text on every device (as far as the scores are the same) and other
    users of torch's random numbers are not disturbed.

    Args:
        config: Its ``temperature``, ``top_p`` and ``seed`` are used.
    """

    def __init__(self, config: GenerationConfig) -> None:
        self._temperature = config.temperature
        self._top_p = config.top_p
        self._random = torch.Generator(device="cpu").manual_seed(config.seed % _SEEDS)

    def pick(self, logits: Tensor) -> int:
        """Pick a token.

        Args:
            logits: ``(vocabulary,)``.

        Returns:
            Its id.
        """
        if self._temperature == 0:
            return int(logits.argmax())
        scaled = logits.to("cpu", torch.float64) / self._temperature
        kept, ids = _most_likely(scaled.softmax(dim=0), self._top_p)
        # Inverse of the cumulative distribution at one uniform number.
        cumulative = kept.cumsum(dim=0)
        point = torch.rand((), generator=self._random, dtype=torch.float64)
        place = torch.searchsorted(cumulative, point * cumulative[-1], right=True)
        return int(ids[min(int(place), len(ids) - 1)])


def _most_likely(probabilities: Tensor, top_p: float) -> tuple[Tensor, Tensor]:
    """The likeliest tokens, descending, whose probabilities first reach ``top_p``."""
    ordered, ids = probabilities.sort(descending=True, stable=True)
    before = ordered.cumsum(dim=0) - ordered
    # The likeliest token stays whatever top_p is: nothing comes before it.
    count = int((before < top_p).sum())
    return ordered[:count], ids[:count]
