"""One step of the language model: embeddings or a token in, scores out."""

from __future__ import annotations

import torch
from torch import Tensor
from transformers import DynamicCache

from stablechat.model.modeling import LlavaST


class Decoder:
    """A language model with its memory of what it has read.

    Only the last position's scores are computed: those of a prompt of 2,600 tokens
    would take 1.5 GB at full size.

    Args:
        model: The whole model.
    """

    def __init__(self, model: LlavaST) -> None:
        self._decoder = model.language_model.model
        self._head = model.language_model.lm_head
        self._embed = model.embed_tokens
        self._device = model.device
        # Grows by concatenation. On the CPU that is faster than a static cache, whose
        # every step attends over the whole length with a mask.
        self._cache = DynamicCache(config=model.config.language)

    def read(self, inputs_embeds: Tensor) -> Tensor:
        """Read more of the text.

        Args:
            inputs_embeds: ``(1, L, hidden)``.

        Returns:
            Scores ``(vocabulary,)`` of the token after it.
        """
        hidden = self._decoder(
            inputs_embeds=inputs_embeds, past_key_values=self._cache, use_cache=True
        ).last_hidden_state
        logits: Tensor = self._head(hidden[:, -1])[0]
        return logits

    def read_token(self, token: int) -> Tensor:
        """Read one token more; returns as :meth:`read`."""
        return self.read(self._embed(torch.tensor([[token]], device=self._device)))
