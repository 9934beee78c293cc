"""Several answers at once are those that are written one by one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any
from unittest import mock

import golden_files
import numpy as np
import pytest
import torch
from torch import Tensor

from stablechat.generation import generate
from stablechat.generation.batch import generate_batch
from stablechat.generation.batch_decoder import BatchDecoder, spread_costs
from stablechat.generation.decoders import batch_decoder_for
from stablechat.generation.loop import Asked
from stablechat.generation.sampler import Sampler
from stablechat.generation.tree import DraftTree, single
from stablechat.generation.writer import Pass
from stablechat.types import Generation, GenerationConfig, Task

LOADED = golden_files.loaded()
MODEL, TOKENIZER = LOADED.model, LOADED.tokenizer
GREEDY = Sampler(GenerationConfig(), torch.device("cpu"))
TREE = DraftTree((5, 77, 13, 420, 9, 9), (-1, 0, 0, 1, 1, 2))


@torch.inference_mode()
def prompt_of(text: str) -> Tensor:
    return MODEL.embed_tokens(torch.tensor([TOKENIZER.encode(text)]))


def question(text: str, task: Task | None = "stvg", **config: Any) -> Asked:
    decoded = GenerationConfig(**{"max_new_tokens": 40, **config})
    return Asked(prompt_of(text), decoded, task)


def alone(asked: Asked) -> Generation:
    return generate(
        MODEL,
        TOKENIZER,
        asked.inputs_embeds,
        asked.config,
        task=asked.task,
        last_row=asked.last_row,
    )


def at_once(asked: Iterable[Asked], seats: int, **options: Any) -> list[Generation]:
    return generate_batch(MODEL, TOKENIZER, asked, seats=seats, **options)


LONG = "The man in the long red coat walks slowly past the old house by the lake " * 4
QUESTIONS = [
    question("Where is the red ball?"),
    question(LONG + "and waves.", "tvg"),
    question(LONG + "and sits down.", "stvg", temperature=0.8, seed=3),
    question("What?", None, speculation=False),
    question(LONG + "and waves.", "stvg", grammar=True),
    question("Where is the dog?", "rec", temperature=1.0, grammar=True, log_probs=True),
    question(LONG + "and waves.", "tvg", max_new_tokens=30),
]


@pytest.mark.parametrize("seats", [1, 2, 3, 8])
def test_answers_are_those_written_alone(seats: int) -> None:
    found = at_once(QUESTIONS, seats)
    for asked, answer in zip(QUESTIONS, found, strict=True):
        wanted = alone(asked)
        assert answer.token_ids == wanted.token_ids
        assert answer.text == wanted.text
        assert answer.finish_reason == wanted.finish_reason
        np.testing.assert_allclose(
            answer.neighbour_probabilities, wanted.neighbour_probabilities, atol=1e-5
        )
        assert (answer.log_probs is None) == (wanted.log_probs is None)
        assert answer.timings["decode_seconds"] > 0


def test_an_answer_may_end_before_its_first_pass() -> None:
    first = alone(QUESTIONS[0]).token_ids[0]
    asked = [QUESTIONS[0], QUESTIONS[3], QUESTIONS[0]]
    ended, other, again = at_once(asked, 1, end_token_ids=[first])
    assert (ended.token_ids, ended.num_passes, ended.finish_reason) == ((), 0, "stop")
    assert again.token_ids == ()
    assert other.token_ids == alone(QUESTIONS[3]).token_ids


def test_a_common_beginning_is_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []
    run = BatchDecoder._run_layers

    def counted(self: BatchDecoder, x: Tensor, *rest: Any) -> Tensor:
        read.append(len(x))
        return run(self, x, *rest)

    monkeypatch.setattr(BatchDecoder, "_run_layers", counted)
    asked = [question(LONG + end, max_new_tokens=1) for end in ("a", "b", "a")]
    for seats in (1, 3):
        read.clear()
        at_once(asked, seats)
        whole = asked[0].inputs_embeds.shape[1]
        assert read[0] == whole and read[1] < 4 and read[2] < 4


def test_questions_are_taken_when_there_is_a_seat() -> None:
    events: list[str] = []

    def questions() -> Iterator[Asked]:
        for number in range(4):
            events.append(f"taken {number}")
            yield QUESTIONS[0]

    at_once(questions(), 1, on_answer=lambda n: events.append(f"done {n}"))  # type: ignore[arg-type]
    assert events == [
        f"{w} {n + (w == 'done')}" for n in range(4) for w in ("taken", "done")
    ]


def test_it_can_be_stopped() -> None:
    asked = [question(f"Where is number {n}?") for n in range(3)]
    calls = iter(range(10**6))
    found = at_once(asked, 2, cancelled=lambda: next(calls) > 20)
    assert len(found) == 2
    assert {answer.finish_reason for answer in found} == {"cancelled"}
    assert at_once(asked, 2, cancelled=lambda: True) == []


def test_one_of_several_can_be_ended() -> None:
    calls = iter(range(10**6))
    ended = replace(QUESTIONS[1], cancelled=lambda: next(calls) > 10)
    asked = [QUESTIONS[0], ended, *QUESTIONS[2:]]
    for seats in (2, 8):
        calls = iter(range(10**6))
        wanted = [alone(each) for each in asked]
        found = at_once(asked, seats)
        of_one = wanted.pop(1)
        cut = found.pop(1)
        assert cut.finish_reason == "cancelled"
        assert 0 < len(cut.token_ids) < len(of_one.token_ids)
        assert cut.token_ids == of_one.token_ids[: len(cut.token_ids)]
        for other, expected in zip(found, wanted, strict=True):
            assert other.token_ids == expected.token_ids
            assert other.finish_reason == expected.finish_reason


def test_one_of_a_spread_model_can_be_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stablechat.generation.batch.is_plain", lambda model: False)
    ended = replace(QUESTIONS[0], cancelled=lambda: True)
    found = at_once([ended, QUESTIONS[1]], 8)
    assert found[0].finish_reason == "cancelled"
    assert found[1].token_ids == alone(QUESTIONS[1]).token_ids


def test_no_question_is_no_answer() -> None:
    assert at_once([], 4) == []


def test_a_spread_model_answers_one_by_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("stablechat.generation.batch.is_plain", lambda model: False)
    found = at_once(QUESTIONS[:2], 8)
    assert [a.token_ids for a in found] == [alone(q).token_ids for q in QUESTIONS[:2]]
    stopped = at_once(QUESTIONS[:2], 8, cancelled=lambda: True)
    assert [answer.finish_reason for answer in stopped] == ["cancelled"]


# --- the decoder ----------------------------------------------------------------


def assert_close(found: Tensor, wanted: Tensor) -> None:
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-4)


def expected(prompt: Tensor, tokens: list[int]) -> Tensor:
    after = MODEL.embed_tokens(torch.tensor([tokens], dtype=torch.long))
    whole = torch.cat([prompt, after], dim=1)
    return MODEL.language_model(inputs_embeds=whole).logits[0, -1]


@torch.inference_mode()
def test_trees_of_several_answers() -> None:
    prompts = {0: prompt_of("Where is the red ball?"), 2: prompt_of(LONG)}
    decoder = BatchDecoder(MODEL, 3)
    for number, prompt in prompts.items():
        first = decoder.seat(number).read_prompt(prompt, GREEDY, 64)
        assert_close(first.logits[0], expected(prompt, []))
    trees = {0: TREE, 2: single(7)}
    found = decoder.read_all({n: Pass(t, 1, False) for n, t in trees.items()})
    for (number, tree), reading in zip(trees.items(), found, strict=True):
        for node, ancestors in enumerate(tree.ancestors()):
            tokens = [
                t for t, is_in in zip(tree.tokens, ancestors, strict=True) if is_in
            ]
            wanted = expected(prompts[number], tokens)
            torch.testing.assert_close(
                reading.logits[node], wanted, atol=1e-5, rtol=1e-4
            )
    # A branch is kept of one, all of the other.
    decoder.seat(0).keep([0, 2, 5])
    decoder.seat(2).keep([0])
    found = decoder.read_all({n: Pass(single(3), 4, False) for n in trees})
    for number, tokens, reading in zip(
        trees, ([5, 13, 9, 3], [7, 3]), found, strict=True
    ):
        wanted = expected(prompts[number], tokens)
        assert_close(reading.logits[0], wanted)


@torch.inference_mode()
def test_the_cache_grows_with_what_is_in_it() -> None:
    decoder = BatchDecoder(MODEL, 2)
    short = prompt_of("Where is the red ball?")
    decoder.seat(0).read_prompt(short, GREEDY, 8)
    decoder.seat(1).read_prompt(prompt_of(LONG * 9), GREEDY, 8)
    reading = decoder.seat(0).read(single(5), 1)
    torch.testing.assert_close(
        reading.logits[0], expected(short, [5]), atol=1e-5, rtol=1e-4
    )


def test_the_decoder_stays_for_the_next_batch() -> None:
    first = batch_decoder_for(MODEL, 2)
    assert batch_decoder_for(MODEL, 2) is first
    assert batch_decoder_for(MODEL, 3).num_seats == 3


def test_a_prompt_that_was_not_read_is_not_taken_over() -> None:
    decoder, prompt = BatchDecoder(MODEL, 2), prompt_of(LONG)
    decoder.seat(0).read_prompt(prompt, GREEDY, 8)
    attending = mock.patch.object(decoder, "_run_layers", side_effect=RuntimeError)
    with attending, pytest.raises(RuntimeError):
        decoder.seat(0).read_prompt(prompt_of(LONG + "and waves."), GREEDY, 8)
    decoder.seat(1).read_prompt(prompt, GREEDY, 8)
    reading = decoder.seat(1).read(single(5), 1)
    torch.testing.assert_close(
        reading.logits[0], expected(prompt, [5]), atol=1e-5, rtol=1e-4
    )


def test_guesses_cost_more_where_many_are_made() -> None:
    costs = {1: 1.0, 8: 1.2, 16: 1.4}
    assert spread_costs(costs, 1, costs) == costs
    four = spread_costs(costs, 4, costs)
    assert four[1] == 1.0
    # 32 tokens lie beyond what is known: 1.4 + 16 * 0.025.
    assert four[8] == pytest.approx(1.8 / np.interp(4, [1, 8], [1.0, 1.2]))
    assert four[16] > four[8] > costs[8]
