"""Decoding through the model's own forward: for every way a model can be placed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from transformers import DynamicCache

from stablechat.generation.decoder import Reading, pick_with_scores, reading
from stablechat.generation.plain_forward import read_into
from stablechat.generation.sampler import Sampler
from stablechat.generation.tree import DraftTree
from stablechat.model.modeling import LlavaST

#: Weights that come over a bus take so long that many tokens cost what one does.
_COSTS = {1: 1.0, 8: 1.05, 16: 1.1, 32: 1.2}


class PlainDecoder:
    """Qwen2 as transformers runs it: spread over devices, offloaded, any kernel.

    Slower than :class:`StaticDecoder` where that can be used; reads chains only, no
    trees with branches.

    Args:
        model: The whole model.
    """

    branches = False
    costs: Mapping[int, float] = _COSTS

    def __init__(self, model: LlavaST) -> None:
        self._config = model.config
        self._decoder = model.language_model.model
        self._head = model.language_model.lm_head
        self._embed = model.embed_tokens
        self._device = model.device
        self._cache: DynamicCache | None = None
        self._sampler: Sampler | None = None
        self._num_read = 0  # tokens of the last pass

    def read_prompt(
        self, inputs_embeds: Tensor, sampler: Sampler, max_new_tokens: int
    ) -> Reading:
        """As :class:`Decoder` says."""
        self._cache = DynamicCache(config=self._config.language)
        self._sampler = sampler
        # The last position's scores only: all of them would take 1.5 GB at full size.
        return self._read(inputs_embeds, first=-1, place=0)

    def read(self, tree: DraftTree, place: int, *, ahead: bool = False) -> Reading:
        """As :class:`Decoder` says."""
        ids = torch.tensor([tree.tokens], device=self._device)
        return self._read(self._embed(ids), first=0, place=place)

    def keep(self, path: Sequence[int]) -> None:
        """As :class:`Decoder` says."""
        left_out = self._num_read - len(path)
        if self._cache is not None and left_out:
            self._cache.crop(-left_out)

    def _read(self, inputs_embeds: Tensor, first: int, place: int) -> Reading:
        assert self._cache is not None and self._sampler is not None
        self._num_read = inputs_embeds.shape[1]
        hidden = read_into(self._cache, self._decoder, inputs_embeds)
        logits: Tensor = self._head(hidden[0, first:])
        places = place + torch.arange(len(logits), device=logits.device)
        first_coordinate = self._config.base_vocab_size
        picked = pick_with_scores(logits, places, self._sampler, first_coordinate)
        return reading(picked.cpu(), logits)
