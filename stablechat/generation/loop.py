"""The decoding loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

import numpy as np
import torch
from torch import Tensor

from stablechat.generation.decoder import Decoder
from stablechat.generation.sampler import Sampler
from stablechat.generation.scores import token_scores
from stablechat.generation.stopping import StopRule, never
from stablechat.generation.threads import decoding_threads
from stablechat.last_row import LastRow
from stablechat.model.modeling import LlavaST
from stablechat.model.tokens import PromptTokenizer
from stablechat.types import Generation, GenerationConfig


@torch.inference_mode()
def generate(
    model: LlavaST,
    tokenizer: PromptTokenizer,
    inputs_embeds: Tensor,
    config: GenerationConfig | None = None,
    *,
    end_token_ids: Collection[int] | None = None,
    last_row: LastRow | None = None,
    on_token: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] = never,
) -> Generation:
    """Write an answer.

    Args:
        model: The whole model.
        tokenizer: Its tokenizer.
        inputs_embeds: ``(1, L, hidden)``, the prompt, from ``LlavaST.embed_prompt``.
        config: How to decode; None is greedy.
        end_token_ids: Tokens that end an answer; None asks the tokenizer.
        last_row: Ends the answer to a grounding question when it is complete; None
            leaves that to the model.
        on_token: Called with (token id, tokens so far) after each token.
        cancelled: Asked before every token.

    Returns:
        The answer; what there is of it when it was cut or cancelled.
    """
    config = config or GenerationConfig()
    ends = tokenizer.end_token_ids if end_token_ids is None else end_token_ids
    rule = StopRule(frozenset(ends), config.max_new_tokens, cancelled, last_row)
    started = time.perf_counter()
    with decoding_threads(model):
        decoder, sampler = Decoder(model), Sampler(config)
        logits = decoder.read(inputs_embeds)
        token = sampler.pick(logits)
        prefilled = time.perf_counter()
        tokens: list[int] = []
        scores: list[Tensor] = []
        first = model.config.base_vocab_size
        while (reason := rule.reason(token, tokens)) is None:
            tokens.append(token)
            scores.append(token_scores(logits[None], torch.tensor([token]), first))
            if on_token is not None:
                on_token(token, len(tokens))
            logits = decoder.read_token(token)
            token = sampler.pick(logits)
    finished = time.perf_counter()
    kept = torch.cat(scores).double().numpy() if scores else np.zeros((0, 8))
    return Generation(
        tokenizer.decode(tokens),
        tuple(tokens),
        reason,
        _timings(prefilled - started, finished - prefilled, len(tokens)),
        num_passes=len(tokens),
        log_probs=tuple(kept[:, 0].tolist()) if config.log_probs else None,
        neighbour_probabilities=kept[:, 1:],
    )


def _timings(prefill: float, decode: float, count: int) -> dict[str, float]:
    return {
        "prefill_seconds": prefill,
        "decode_seconds": decode,
        "tokens_per_second": count / decode if decode > 0 else 0.0,
    }
