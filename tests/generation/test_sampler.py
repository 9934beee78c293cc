"""Picking a token."""

from __future__ import annotations

import pytest
import torch

from stablechat.generation.sampler import Sampler
from stablechat.types import GenerationConfig

LOGITS = torch.log(torch.tensor([0.1, 0.6, 0.05, 0.25]))
CPU = torch.device("cpu")


def picks(
    count: int, logits: torch.Tensor = LOGITS, **options: float | int
) -> list[int]:
    """What is picked at the first places of an answer where all scores are alike."""
    options.setdefault("max_new_tokens", count)
    sampler = Sampler(GenerationConfig(**options), CPU)  # type: ignore[arg-type]
    picked: list[int] = sampler.pick(
        logits.expand(count, -1), torch.arange(count)
    ).tolist()
    return picked


def test_the_default_is_greedy() -> None:
    assert picks(3) == [1, 1, 1]


def test_a_low_temperature_is_greedy_in_effect() -> None:
    assert set(picks(200, temperature=0.01)) == {1}


def test_the_shares_are_the_probabilities() -> None:
    found = torch.bincount(torch.tensor(picks(20_000, temperature=1.0)), minlength=4)
    torch.testing.assert_close(found / found.sum(), LOGITS.exp(), atol=0.015, rtol=0)


def test_temperature_flattens() -> None:
    found = torch.bincount(torch.tensor(picks(20_000, temperature=2.0)), minlength=4)
    expected = (LOGITS / 2).softmax(dim=0)
    torch.testing.assert_close(found / found.sum(), expected, atol=0.015, rtol=0)


@pytest.mark.parametrize(
    ("top_p", "kept"),
    [
        (1e-9, {1}),  # the likeliest always stays
        (0.6, {1}),
        (0.61, {1, 3}),
        (0.85, {1, 3}),
        (0.9, {0, 1, 3}),
        (1.0, {0, 1, 2, 3}),
    ],
)
def test_top_p_keeps_the_likeliest(top_p: float, kept: set[int]) -> None:
    # A hair below, because 0.6 + 0.25 is not 0.85 in binary.
    assert set(picks(2000, temperature=1.0, top_p=top_p - 1e-10)) == kept


def test_a_seed_gives_the_same_tokens() -> None:
    first = picks(50, temperature=1.0, seed=7)
    assert first == picks(50, temperature=1.0, seed=7)
    assert first != picks(50, temperature=1.0, seed=8)


@pytest.mark.parametrize("seed", [-1, 0, 2**64, 10**30])
def test_any_whole_number_is_a_seed(seed: int) -> None:
    assert len(picks(2, temperature=1.0, seed=seed)) == 2


def test_other_random_numbers_are_left_alone() -> None:
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    picks(10, temperature=1.0)
    assert torch.equal(torch.rand(3), expected)


def test_half_precision_scores() -> None:
    assert set(picks(50, LOGITS.half(), temperature=0.7)) <= {0, 1, 2, 3}


def test_a_place_has_its_own_number_whatever_the_order() -> None:
    config = GenerationConfig(temperature=1.0, max_new_tokens=40)
    sampler = Sampler(config, CPU)
    together = sampler.pick(LOGITS.expand(40, -1), torch.arange(40))
    backwards = [
        int(sampler.pick(LOGITS[None], torch.tensor([place])))
        for place in reversed(range(40))
    ]
    assert together.tolist() == backwards[::-1]


def test_a_second_pick_is_independent_of_the_first() -> None:
    config = GenerationConfig(temperature=1.0, max_new_tokens=5000)
    sampler = Sampler(config, CPU)
    logits, places = torch.zeros(5000, 2), torch.arange(5000)
    first = sampler.pick(logits, places)
    second = sampler.pick(logits, places, again=True)
    assert abs(float((first == second).double().mean()) - 0.5) < 0.05


def test_a_refused_token_is_never_picked() -> None:
    possible = torch.tensor([-torch.inf, -torch.inf, 0.0, -torch.inf])
    for top_p in (1.0, 0.5):
        assert set(picks(200, possible, temperature=1.0, top_p=top_p)) == {2}


def test_beyond_the_last_place_there_is_a_number_too() -> None:
    sampler = Sampler(GenerationConfig(temperature=1.0, max_new_tokens=3), CPU)
    assert 0 <= int(sampler.pick(LOGITS[None], torch.tensor([99]))) < 4
