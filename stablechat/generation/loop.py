"""The decoding loop."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection

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
from stablechat.generation.tree import DraftTree, single
from stablechat.last_row import LastRow
from stablechat.model.modeling import LlavaST
from stablechat.model.tokens import PromptTokenizer
from stablechat.types import (
    NEIGHBOUR_REACH,
    FinishReason,
    FloatArray,
    Generation,
    GenerationConfig,
    Task,
)

_NUM_SCORES = 1 + 2 * NEIGHBOUR_REACH + 1


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
        inputs_embeds: ``(1, L, hidden)``, the prompt, from ``LlavaST.embed_prompt``.
        config: How to decode; None is greedy.
        task: What was asked, so that the form of the answer is known; None where it
            is not: then there is no grammar, and less is guessed.
        end_token_ids: Tokens that end an answer; None asks the tokenizer.
        last_row: Ends the answer to a grounding question when it is complete; None
            leaves that to the model.
        on_token: Called with (token id, tokens so far) after each token.
        cancelled: Asked before every pass and every token.

    Returns:
        The answer; what there is of it when it was cut or cancelled.
    """
    config = config or GenerationConfig()
    ends = tokenizer.end_token_ids if end_token_ids is None else end_token_ids
    rule = StopRule(frozenset(ends), config.max_new_tokens, last_row)
    tables = Tables(model.config.base_vocab_size)
    form = answer_form(task, tokenizer.encode, tables) if task else AnswerForm()
    grammar = None
    if config.grammar and form != AnswerForm():
        end_bin = last_row.end_bin if last_row else None
        controls = tokenizer.control_token_ids
        grammar = Grammar(form, tables, tokenizer.encode, ends, controls, end_bin)
    started = time.perf_counter()
    with decoding_threads(model):
        decoder = decoder_for(model)
        sampler = Sampler(config, model.device)
        chooser = Chooser(sampler, grammar, tables.first, config.max_new_tokens)
        drafter = Drafter(tables, form, last_row) if config.speculation else None
        writer = _Writer(decoder, chooser, drafter, rule, on_token, cancelled)
        writer.read_prompt(inputs_embeds, sampler)
        prefilled = time.perf_counter()
        reason = writer.write()
    finished = time.perf_counter()
    tokens = writer.tokens
    scores = np.array(writer.scores).reshape(len(tokens), _NUM_SCORES)
    return Generation(
        tokenizer.decode(tokens),
        tuple(tokens),
        reason,
        _timings(prefilled - started, finished - prefilled, len(tokens)),
        num_passes=writer.num_passes,
        log_probs=tuple(scores[:, 0].tolist()) if config.log_probs else None,
        neighbour_probabilities=scores[:, 1:],
    )


class _Writer:
    """Writes one answer: guesses, has the model check, takes what it agrees with."""

    def __init__(
        self,
        decoder: Decoder,
        chooser: Chooser,
        drafter: Drafter | None,
        rule: StopRule,
        on_token: Callable[[int, int], None] | None,
        cancelled: Callable[[], bool],
    ) -> None:
        self._decoder = decoder
        self._chooser = chooser
        self._drafter = drafter
        self._rule = rule
        self._on_token = on_token
        self._cancelled = cancelled
        self.tokens: list[int] = []
        self.scores: list[FloatArray] = []
        self.num_passes = 0

    def read_prompt(self, inputs_embeds: Tensor, sampler: Sampler) -> None:
        """Read the question."""
        limit = self._rule.max_new_tokens
        self._reading = self._decoder.read_prompt(inputs_embeds, sampler, limit)

    def write(self) -> FinishReason:
        """Write until the answer is over.

        Returns:
            Why it is.
        """
        reason, before = self._take(None), None
        while reason is None:
            tree = self._draft()
            # Where nothing can be guessed, a device need not wait for the host.
            alone = len(tree) == 1 and (before is None or len(before) == 1)
            ahead = alone and not self._chooser.may_object
            self._reading = self._decoder.read(tree, len(self.tokens), ahead=ahead)
            self.num_passes += 1
            before = tree
            reason = self._take(tree)
        return "length" if reason == "stop" and self._chooser.was_cut else reason

    def _draft(self) -> DraftTree:
        if self._drafter is None:
            return single(self.tokens[-1])
        decoder = self._decoder
        return self._drafter.tree(decoder.costs, branches=decoder.branches)

    def _take(self, tree: DraftTree | None) -> FinishReason | None:
        """Append what the model writes, for as long as it was guessed.

        Returns:
            Why the answer is over, or None.
        """
        path = [0]
        while True:
            token, scores = self._chooser.choose(
                self._reading, path[-1], len(self.tokens)
            )
            reason = self._reason(token)
            if reason is not None:
                return reason
            self._append(token, scores)
            child = tree.child(path[-1], token) if tree else None
            if child is None:
                break
            path.append(child)
        if tree is not None:
            self._decoder.keep(path)
        return None

    def _reason(self, token: int) -> FinishReason | None:
        if self._cancelled():
            return "cancelled"
        return self._rule.reason(token, self.tokens)

    def _append(self, token: int, scores: FloatArray) -> None:
        self.tokens.append(token)
        self.scores.append(scores)
        if self._drafter is not None:
            self._drafter.see(token)
        if self._on_token is not None:
            self._on_token(token, len(self.tokens))


def _timings(prefill: float, decode: float, count: int) -> dict[str, float]:
    return {
        "prefill_seconds": prefill,
        "decode_seconds": decode,
        "tokens_per_second": count / decode if decode > 0 else 0.0,
    }
