"""One pass through Qwen2 as transformers runs it, with a cache."""

from __future__ import annotations

from torch import Tensor
from transformers import DynamicCache, Qwen2Model


def read_into(
    cache: DynamicCache,
    decoder: Qwen2Model,
    inputs_embeds: Tensor,
    attention_mask: Tensor | None = None,
) -> Tensor:
    """Read tokens after those that a cache holds, and add them to it.

    Args:
        cache: Of ``P`` tokens; changed in place.
        decoder: Qwen2 without its head.
        inputs_embeds: ``(B, T, hidden)``.
        attention_mask: int64 ``(B, P + T)``, 1 at what may be looked at. All of it,
            without.

    Returns:
        ``(B, T, hidden)``, the last hidden states.
    """
    # By its place: its name is past_key_values or, from transformers 5.24 on, cache.
    output = decoder(
        None, attention_mask, None, cache, inputs_embeds=inputs_embeds, use_cache=True
    )
    hidden: Tensor = output.last_hidden_state
    return hidden
