"""Speculation on real models: the same answers as a token a pass, in fewer passes."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import replace
from functools import cache

import golden_files
import pytest
import torch
from fake_decoder import FakeDecoder, scripted
from test_drafter import END, MOVING, stvg

from benchmarks._demo_questions import KINDS, DemoQuestion, demo_questions
from stablechat.generation import generate, loop
from stablechat.generation.stopping import never
from stablechat.loader import LoadedModel, load_model
from stablechat.types import Generation, GenerationConfig, Task

PLAIN = GenerationConfig(speculation=False, max_new_tokens=240)
SCENES = 3
#: Room for the answers; some end in the middle of a row.
LIMITS = (1, 2, 9, 50, 131, 240)
TASKS: tuple[Task | None, ...] = ("stvg", "svg", "elc", "tvg", "rec", "describe", None)


@cache
def demo() -> LoadedModel:
    return load_model(device="cpu")


@cache
def questions() -> tuple[DemoQuestion, ...]:
    return tuple(demo_questions(demo(), SCENES, seed=51))


def ask(question: DemoQuestion, config: GenerationConfig) -> Generation:
    return generate(
        demo().model,
        demo().tokenizer,
        question.embeds,
        config,
        task=question.task,
        last_row=question.last_row,
    )


def assert_same(found: Generation, plain: Generation) -> None:
    assert found.token_ids == plain.token_ids
    assert found.finish_reason == plain.finish_reason
    assert found.num_passes <= plain.num_passes
    assert plain.neighbour_probabilities is not None
    assert found.neighbour_probabilities == pytest.approx(
        plain.neighbour_probabilities, abs=1e-4
    )


@pytest.mark.slow
@pytest.mark.parametrize("number", range(SCENES * len(KINDS)))
def test_the_demo_model_writes_the_same(number: int) -> None:
    question = questions()[number]
    limit = LIMITS[number % len(LIMITS)] if number >= len(KINDS) else 240
    plain = ask(question, replace(PLAIN, max_new_tokens=limit))
    fast = replace(PLAIN, max_new_tokens=limit, speculation=True)
    assert_same(ask(question, fast), plain)
    sampled = replace(fast, temperature=0.7, top_p=0.95, seed=number)
    slowly = ask(question, replace(sampled, speculation=False))
    assert_same(ask(question, sampled), slowly)


@pytest.mark.slow
def test_tables_take_an_eighth_of_the_passes() -> None:
    answers = [
        ask(question, GenerationConfig(max_new_tokens=500))
        for question in questions()
        if question.kind == "stvg"
    ]
    tokens = sum(len(answer.token_ids) for answer in answers)
    assert tokens / sum(answer.num_passes for answer in answers) > 6


@pytest.mark.slow
def test_the_grammar_takes_no_more_passes() -> None:
    for question in questions()[: len(KINDS)]:
        free = ask(question, GenerationConfig(max_new_tokens=240))
        bound = ask(question, GenerationConfig(max_new_tokens=240, grammar=True))
        if question.kind == "stvg":  # but for the mark that ends it
            count = len(bound.token_ids) - 1
            assert bound.token_ids[:count] == free.token_ids[:count]
        share = bound.num_passes / max(len(bound.token_ids), 1)
        assert share <= free.num_passes / max(len(free.token_ids), 1) + 0.02


@pytest.mark.parametrize("number", range(35))
@torch.inference_mode()
def test_a_random_model_writes_the_same(number: int) -> None:
    """Its answers are no tables: guesses are wrong nearly always."""
    loaded, rng = golden_files.loaded(), random.Random(number)
    count = rng.choice([1, 2, 30, 200])
    ids = [rng.randrange(loaded.model.config.base_vocab_size) for _ in range(count)]
    embeds = loaded.model.embed_tokens(torch.tensor([ids]))
    config = replace(PLAIN, max_new_tokens=rng.choice([1, 5, 40, 90]))
    task = TASKS[number % len(TASKS)]

    def write(config: GenerationConfig) -> Generation:
        return generate(loaded.model, loaded.tokenizer, embeds, config, task=task)

    assert_same(write(replace(config, speculation=True)), write(config))
    sampled = replace(config, temperature=2.0, seed=number)
    assert_same(write(replace(sampled, speculation=True)), write(sampled))


def with_decoder(
    monkeypatch: pytest.MonkeyPatch,
    decoder: FakeDecoder,
    *,
    cancelled: Callable[[], bool] = never,
    on_token: Callable[[int, int], None] | None = None,
) -> Generation:
    loaded = golden_files.loaded()
    monkeypatch.setattr(loop, "decoder_for", lambda model: decoder)
    return generate(
        loaded.model,
        loaded.tokenizer,
        torch.zeros(1, 1, 1),
        GenerationConfig(max_new_tokens=900, log_probs=True),
        end_token_ids=[END],
        cancelled=cancelled,
        on_token=on_token,
    )


def test_cancelling_takes_effect_within_a_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    decoder = FakeDecoder(scripted([*stvg(0, MOVING), END]))
    answer = with_decoder(
        monkeypatch, decoder, cancelled=lambda: len(decoder.trees) == 3
    )
    assert (answer.finish_reason, answer.num_passes) == ("cancelled", 3)
    assert len(decoder.trees) == 3
    assert tuple(stvg(0, MOVING)[: len(answer.token_ids)]) == answer.token_ids


def test_every_token_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[tuple[int, int]] = []
    decoder = FakeDecoder(scripted([*stvg(0, MOVING), END]))
    answer = with_decoder(
        monkeypatch, decoder, on_token=lambda token, count: told.append((token, count))
    )
    assert told == [(token, i + 1) for i, token in enumerate(answer.token_ids)]
    assert answer.num_passes == len(decoder.trees)
    assert answer.log_probs is not None
    assert len(answer.log_probs) == len(answer.token_ids)


def test_log_probabilities_only_when_asked() -> None:
    loaded = golden_files.loaded()
    with torch.inference_mode():
        embeds = loaded.model.embed_tokens(torch.tensor([[5, 6, 7]]))
    config = GenerationConfig(max_new_tokens=4)
    assert generate(loaded.model, loaded.tokenizer, embeds, config).log_probs is None
    kept = generate(
        loaded.model, loaded.tokenizer, embeds, replace(config, log_probs=True)
    ).log_probs
    assert kept is not None
    assert all(value <= 0 for value in kept)
