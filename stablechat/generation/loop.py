"""The decoding loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from stablechat.generation.choice import Chooser
from stablechat.generation.decoder import Decoder
from stablechat.generation.decoders import decoder_for
from stablechat.generation.drafter import Drafter
from stablechat.generation.forms import AnswerForm, Tables, answer_form
from stablechat.generation.grammar import Grammar
from stablechat.generation.sampler import Sampler
from stablechat.generation.stopping import StopRule, never
from stablechat.generation.threads import decoding_threads
from stablechat.generation.writer import Writer
from stablechat.last_row import LastRow
from stablechat.model.modeling import LlavaST
from stablechat.model.tokens import PromptTokenizer
from stablechat.types import (
    NEIGHBOUR_REACH,
    FinishReason,
    Generation,
    GenerationConfig,
    Task,
)

_NUM_SCORES = 1 + 2 * NEIGHBOUR_REACH + 1


# Compared by identity: tensors have no single truth.
@dataclass(frozen=True, eq=False)
class Asked:
    """What an answer is to be written to.

    Attributes:
        inputs_embeds: ``(1, L, hidden)``, the prompt, from ``LlavaST.embed_prompt``.
        config: How to decode.
        task: What was asked, so that the form of the answer is known; None where it
            is not: then there is no grammar, and less is guessed.
        last_row: Ends the answer to a grounding question when it is complete; None
            leaves that to the model.
        cancelled: Ends this answer, of several that are written at once.
    """

    inputs_embeds: Tensor
    config: GenerationConfig
    task: Task | None = None
    last_row: LastRow | None = None
    cancelled: Callable[[], bool] = never


@torch.inference_mode()
def generate(
    model: LlavaST,
    tokenizer: PromptTokenizer,
    inputs_embeds: Tensor,
    config: GenerationConfig | None = None,
    *,
    task: Task | None = None,
    end_token_ids: Collection[int] | None = None,
    last_row: LastRow | None = None,
    on_token: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] = never,
) -> Generation:
    """Write an answer.

    Args:
        model: The whole model; one answer at a time.
        tokenizer: Its tokenizer.
        inputs_embeds: As for :class:`Asked`.
        config: How to decode; None is greedy.
        task: As for :class:`Asked`.
        end_token_ids: Tokens that end an answer; None asks the tokenizer.
        last_row: As for :class:`Asked`.
        on_token: Called with (token id, tokens so far) after each token.
        cancelled: Asked before every pass and every token.

    Returns:
        The answer; what there is of it when it was cut or cancelled.
    """
    asked = Asked(inputs_embeds, config or GenerationConfig(), task, last_row)
    started = time.perf_counter()
    with decoding_threads(model):
        writer = make_writer(
            model,
            tokenizer,
            decoder_for(model),
            asked,
            end_token_ids,
            on_token,
            cancelled,
        )
        prefilled = time.perf_counter()
        reason = writer.write()
    finished = time.perf_counter()
    timings = timings_of(prefilled - started, finished - prefilled, len(writer.tokens))
    return to_generation(tokenizer, writer, reason, asked.config, timings)


def make_writer(
    model: LlavaST,
    tokenizer: PromptTokenizer,
    decoder: Decoder,
    asked: Asked,
    end_token_ids: Collection[int] | None = None,
    on_token: Callable[[int, int], None] | None = None,
    cancelled: Callable[[], bool] = never,
) -> Writer:
    """A writer that has read its question."""
    config, last_row = asked.config, asked.last_row
    ends = tokenizer.end_token_ids if end_token_ids is None else end_token_ids
    rule = StopRule(frozenset(ends), config.max_new_tokens, last_row)
    tables = Tables(model.config.base_vocab_size)
    task = asked.task
    form = answer_form(task, tokenizer.encode, tables) if task else AnswerForm()
    grammar = _grammar(tokenizer, tables, form, rule) if config.grammar else None
    sampler = Sampler(config, model.device)
    chooser = Chooser(sampler, grammar, tables.first, config.max_new_tokens)
    drafter = Drafter(tables, form, last_row) if config.speculation else None
    writer = Writer(decoder, chooser, drafter, rule, on_token, cancelled)
    writer.read_prompt(asked.inputs_embeds, sampler)
    return writer


def to_generation(
    tokenizer: PromptTokenizer,
    writer: Writer,
    reason: FinishReason,
    config: GenerationConfig,
    timings: Mapping[str, float],
) -> Generation:
    """What a writer has written."""
    tokens = writer.tokens
    scores = np.array(writer.scores).reshape(len(tokens), _NUM_SCORES)
    return Generation(
        tokenizer.decode(tokens),
        tuple(tokens),
        reason,
        timings,
        num_passes=writer.num_passes,
        log_probs=tuple(scores[:, 0].tolist()) if config.log_probs else None,
        neighbour_probabilities=scores[:, 1:],
    )


def _grammar(
    tokenizer: PromptTokenizer, tables: Tables, form: AnswerForm, rule: StopRule
) -> Grammar | None:
    if form == AnswerForm():
        return None
    return Grammar(
        form,
        tables,
        tokenizer.encode,
        rule.end_token_ids,
        tokenizer.control_token_ids,
        rule.last_row.end_bin if rule.last_row else None,
    )


def timings_of(prefill: float, decode: float, count: int) -> dict[str, float]:
    return {
        "prefill_seconds": prefill,
        "decode_seconds": decode,
        "tokens_per_second": count / decode if decode > 0 else 0.0,
    }
