"""How likely a model finds answers that are there already.

``s(q, b)`` is the mean log-likelihood that the model gives the tokens of an answer,
after the video and the question. What stands before the answers is read once for all.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer

from stablechat.generation.plain_forward import read_into
from stablechat.model.modeling import LlavaST

#: Answers that are read side by side.
_BATCH = 8


def score_answers(
    model: LlavaST,
    question: Tensor,
    answers: Sequence[Tensor],
    target_rows: Sequence[Tensor],
) -> list[float]:
    """The mean log-likelihood of each of several answers to one question.

    Args:
        model: The whole model.
        question: ``(L, hidden)``, all that stands before the answers, embedded.
        answers: ``(T, hidden)`` each, embedded.
        target_rows: float64 ``(T,)`` each, the rows of the head that should have
            written them; as for :func:`two_hot_cross_entropy`.

    Returns:
        In nats a token, one for each answer; minus infinity for an empty one.
    """
    of_tokens = token_log_likelihoods(model, question, answers, target_rows)
    return [scores.mean().item() if len(scores) else -torch.inf for scores in of_tokens]


def token_log_likelihoods(
    model: LlavaST,
    question: Tensor,
    answers: Sequence[Tensor],
    target_rows: Sequence[Tensor],
) -> list[Tensor]:
    """How likely each token of several answers to one question is.

    Args:
        model, question, answers, target_rows: As for :func:`score_answers`.

    Returns:
        float32 ``(T,)`` for each answer, in nats.
    """
    if not answers:
        return []
    prefix = _read_prefix(model, question)
    scores: list[Tensor] = []
    for start in range(0, len(answers), _BATCH):
        few = slice(start, start + _BATCH)
        scores += _score_batch(model, prefix, answers[few], target_rows[few])
    return scores


def token_probabilities(model: LlavaST, question: Tensor, answer: Tensor) -> Tensor:
    """What the model would write at each token of an answer, after those before it.

    Args:
        model: The whole model.
        question: ``(L, hidden)``, all that stands before the answer, embedded.
        answer: ``(T, hidden)``, embedded.

    Returns:
        float32 ``(T, rows)``, a distribution over the head's rows for each token.
    """
    read = torch.cat([question, answer])[None]
    output = model.language_model.model(inputs_embeds=read, use_cache=False)
    # A token is written by the position before it.
    hidden = output.last_hidden_state[0, len(question) - 1 : -1]
    logits: Tensor = model.language_model.lm_head(hidden)
    return logits.float().softmax(dim=-1)


def two_hot_cross_entropy(logits: Tensor, target_rows: Tensor) -> Tensor:
    """Cross entropy against labels that two neighbouring rows share.

    A target ``r`` gives row ``floor(r)`` the label ``1 - (r - floor(r))``, and row
    ``ceil(r)`` the rest.

    Args:
        logits: ``(P, rows)``.
        target_rows: float64 ``(P,)``.

    Returns:
        float32 ``(P,)``.
    """
    low = target_rows.floor()
    share = (target_rows - low).float()
    pair = torch.stack([low, target_rows.ceil()], dim=1).long()
    picked = logits.float().log_softmax(dim=-1).gather(1, pair)
    return -(picked[:, 0] * (1 - share) + picked[:, 1] * share)


@dataclass(frozen=True, eq=False)
class _Prefix:
    """What was read before the answers: its cache, and its last hidden state."""

    cache: DynamicCache
    last: Tensor
    length: int


def _read_prefix(model: LlavaST, embedded: Tensor) -> _Prefix:
    cache = DynamicCache()
    hidden = read_into(cache, model.language_model.model, embedded[None])
    return _Prefix(cache, hidden[:, -1:], len(embedded))


def _score_batch(
    model: LlavaST,
    prefix: _Prefix,
    answers: Sequence[Tensor],
    target_rows: Sequence[Tensor],
) -> list[Tensor]:
    count = len(answers)
    if not any(len(answer) for answer in answers):
        return [torch.zeros(0)] * count
    cache = _repeated(prefix.cache, count)
    inputs = torch.nn.utils.rnn.pad_sequence(list(answers), batch_first=True)
    lengths = torch.tensor([len(a) for a in answers], device=inputs.device)
    inside = torch.arange(inputs.shape[1], device=inputs.device) < lengths[:, None]
    before = inside.new_ones((count, prefix.length))
    mask = torch.cat([before, inside], dim=1).long()
    after = read_into(cache, model.language_model.model, inputs, mask)
    # A token is written by the position before it.
    hidden = torch.cat([prefix.last.expand(count, -1, -1), after[:, :-1]], dim=1)
    return [
        _token_scores(model, row[: len(rows)], rows)
        for row, rows in zip(hidden, target_rows, strict=True)
    ]


def _token_scores(model: LlavaST, hidden: Tensor, rows: Tensor) -> Tensor:
    logits = model.language_model.lm_head(hidden)
    return -two_hot_cross_entropy(logits, rows.to(logits.device))


def _repeated(cache: DynamicCache, count: int) -> DynamicCache:
    """A copy of a cache for several sequences that begin alike."""
    copy = DynamicCache()
    for number, layer in enumerate(cast(list[DynamicLayer], cache.layers)):
        keys, values = (
            each.expand(count, -1, -1, -1)
            for each in (cast(Tensor, layer.keys), cast(Tensor, layer.values))
        )
        copy.update(keys, values, number)
    return copy
