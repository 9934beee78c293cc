"""Choosing one target by the model's own likelihood."""

from __future__ import annotations

from dataclasses import replace

import golden_files
import pytest
import torch

from stablechat.errors import InputError
from stablechat.generation import likelihood
from training.finetune.examples import Example, encode_example
from training.finetune.objective import example_losses
from training.vidor.selection import choose, report_choices, score_candidates

LOADED = golden_files.loaded()
ANSWERS = [
    "{<t0.1><t0.2>} <t0.1>:[<w0.1><h0.2><w0.3><h0.4>].",
    "{<t0.123><t0.9>}.",
    "no idea at all, sorry",
]


def examples(question: str = "Where?") -> list[Example]:
    config = LOADED.model.config
    return [encode_example(LOADED.tokenizer, config, question, a) for a in ANSWERS]


def visual() -> torch.Tensor:
    generator = torch.Generator().manual_seed(0)
    config = LOADED.model.config
    shape = (config.num_slow_tokens, int(config.language.hidden_size))
    return torch.randn(shape, generator=generator)


@pytest.mark.parametrize("batch", [1, 2, 8])
def test_a_score_is_the_mean_log_likelihood(
    batch: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(likelihood, "_BATCH", batch)
    seen, asked = visual(), examples()
    scores = score_candidates(LOADED.model, asked, seen)
    with torch.no_grad():
        alone = [-example_losses(LOADED.model, [e], [seen]).item() for e in asked]
    assert scores == pytest.approx(alone, abs=1e-4)


def test_candidates_answer_one_question() -> None:
    mixed = [*examples(), *examples("When?")]
    with pytest.raises(InputError, match="the same question"):
        score_candidates(LOADED.model, mixed, visual())
    assert score_candidates(LOADED.model, [], visual()) == []


def test_the_likeliest_is_chosen() -> None:
    choice = choose([-2.0, -1.0, -1.5])
    assert (choice.index, choice.margin, choice.is_ambiguous) == (1, 0.5, False)
    assert choose([-1.0, -1.0]).index == 0
    assert choose([-1.0, -1.01]).is_ambiguous
    assert not choose([-1.0, -1.01], min_margin=0.001).is_ambiguous
    alone = choose([-3.0])
    assert alone.margin == float("inf") and not alone.is_ambiguous
    with pytest.raises(InputError, match="no candidate"):
        choose([])


def test_the_report_counts() -> None:
    choices = [choose([-1.0]), choose([-1.0, -0.5]), choose([-1.0, -1.001, -2.0])]
    assert report_choices(choices) == {
        "num_questions": 3,
        "num_with_several_candidates": 2,
        "num_ambiguous": 1,
        "num_not_the_first": 1,
        **{"num_named": 0, "num_right": 0},
        **{"num_right_by_chance": 0, "num_right_if_clear": 0},
        "median_margin": 0.5,
        "candidates": {1: 1, 2: 1, 3: 1},
    }
    assert report_choices([])["median_margin"] is None


def test_the_report_says_how_often_the_named_one_was_chosen() -> None:
    clear, unclear = choose([-1.0, -0.5]), choose([-1.0, -1.001, -2.0])
    found = report_choices(
        [
            replace(clear, is_right=True),
            replace(clear, is_right=False),
            replace(unclear, is_right=True),
            unclear,
        ]
    )
    assert (found["num_named"], found["num_right"]) == (3, 2)
    assert found["num_right_by_chance"] == pytest.approx(1 / 2 + 1 / 2 + 1 / 3)
    assert found["num_right_if_clear"] == 1
