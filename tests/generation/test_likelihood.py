"""The likelihood of answers that are there already."""

from __future__ import annotations

import golden_files
import pytest
import torch
from torch import Tensor

from stablechat.generation import likelihood
from stablechat.generation.likelihood import (
    score_answers,
    token_log_likelihoods,
    two_hot_cross_entropy,
)

MODEL = golden_files.loaded().model
TOKENIZER = golden_files.loaded().tokenizer


def question() -> Tensor:
    generator = torch.Generator().manual_seed(0)
    shape = (MODEL.config.num_slow_tokens, int(MODEL.config.language.hidden_size))
    prompt = TOKENIZER.encode_prompt("Where is the square?")
    return MODEL.embed_prompt(prompt, torch.randn(shape, generator=generator))[0]


def plain_score(ids: Tensor) -> float:
    """By the forward pass of the whole sequence, and the definition."""
    whole = torch.cat([question(), MODEL.embed_tokens(ids)])[None]
    logits = MODEL.language_model(inputs_embeds=whole).logits[0, -len(ids) - 1 : -1]
    log_p = logits.double().log_softmax(-1)
    return log_p[torch.arange(len(ids)), ids].mean().item()


@pytest.mark.parametrize("batch", [1, 2, 8])
@torch.no_grad()
def test_a_score_is_that_of_the_whole_sequence(
    batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(likelihood, "_BATCH", batch)
    first = MODEL.config.base_vocab_size
    answers = [
        torch.tensor([*TOKENIZER.encode("{"), first + 3, first + 60]),
        torch.tensor(TOKENIZER.encode("no idea at all, sorry")),
        torch.arange(first, first + 90),
    ]
    scores = score_answers(
        MODEL,
        question(),
        [MODEL.embed_tokens(ids) for ids in answers],
        [ids.double() for ids in answers],
    )
    assert scores == pytest.approx([plain_score(ids) for ids in answers], abs=1e-4)


@torch.no_grad()
def test_an_empty_answer_is_not_likely() -> None:
    nothing = torch.zeros(0, dtype=torch.long)
    something = torch.tensor(TOKENIZER.encode("so"))
    for several in ([nothing], [nothing, something]):
        embedded = [MODEL.embed_tokens(ids) for ids in several]
        rows = [ids.double() for ids in several]
        scores = score_answers(MODEL, question(), embedded, rows)
        assert scores[0] == -torch.inf
        assert all(score > -torch.inf for score in scores[1:])
    assert score_answers(MODEL, question(), [], []) == []


@torch.no_grad()
def test_the_scores_of_single_tokens_have_the_answers_mean() -> None:
    several = [torch.tensor(TOKENIZER.encode(said)) for said in ("no idea", "so", "")]
    found = token_log_likelihoods(
        MODEL,
        question(),
        [MODEL.embed_tokens(ids.long()) for ids in several],
        [ids.double() for ids in several],
    )
    assert [len(scores) for scores in found] == [len(ids) for ids in several]
    for scores, ids in zip(found[:2], several, strict=False):
        assert scores.mean().item() == pytest.approx(plain_score(ids), abs=1e-4)


def test_a_label_between_two_bins() -> None:
    logits = torch.randn(3, 8, generator=torch.Generator().manual_seed(0))
    rows = torch.tensor([2.0, 4.25, 7.0], dtype=torch.float64)
    log_p = logits.log_softmax(-1)
    expected = [-log_p[0, 2], -0.75 * log_p[1, 4] - 0.25 * log_p[1, 5], -log_p[2, 7]]
    torch.testing.assert_close(
        two_hot_cross_entropy(logits, rows), torch.stack(expected)
    )
