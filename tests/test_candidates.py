"""Several answers to one question."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from stablechat.candidates import (
    CANDIDATE_TEMPERATURE,
    MAX_CANDIDATES,
    best_of,
    candidate_configs,
    check_candidates,
)
from stablechat.errors import InputError
from stablechat.types import (
    Generation,
    GenerationConfig,
    Grounding,
    TimeSpan,
    VideoInfo,
)

VIDEO = VideoInfo(Path("a.mp4"), 99, 198, 0, Fraction(10), 100, 10.0, 0.0, True, "h264")


def said(text: str, confidence: float | None, found: bool = True) -> Grounding:
    span = TimeSpan(1, 2) if found else None
    return Grounding(
        VIDEO, "q", "tvg", span, None, "", confidence, Generation(text, (), "stop")
    )


def texts(answer: Grounding) -> list[str]:
    return [a.generation.text for a in (answer, *answer.alternatives)]


@pytest.mark.parametrize("count", [0, -1, MAX_CANDIDATES + 1, 2.0, "3", None])
def test_impossible_numbers_are_refused(count: Any) -> None:
    with pytest.raises(InputError, match="candidates"):
        check_candidates(count)


def test_one_answer_is_decoded_as_asked() -> None:
    config = GenerationConfig(temperature=0.3, seed=7)
    assert candidate_configs(config, 1) == [config]
    assert candidate_configs(None, 1) == [GenerationConfig()]


def test_the_others_are_sampled_with_their_own_seeds() -> None:
    first, *others = candidate_configs(GenerationConfig(seed=7, max_new_tokens=9), 3)
    assert first.temperature == 0
    assert [other.temperature for other in others] == [CANDIDATE_TEMPERATURE] * 2
    assert [other.seed for other in others] == [8, 9]
    assert {other.max_new_tokens for other in others} == {9}
    warm = candidate_configs(GenerationConfig(temperature=0.3), 2)
    assert [each.temperature for each in warm] == [0.3, 0.3]


def test_the_surest_answer_is_given() -> None:
    best = best_of([said("a", 0.5), said("b", 0.9), said("c", 0.7)])
    assert texts(best) == ["b", "c", "a"]
    assert all(other.alternatives == () for other in best.alternatives)


def test_the_first_of_equals_wins() -> None:
    assert texts(best_of([said("a", 0.5), said("b", 0.5)])) == ["a", "b"]
    assert texts(best_of([said("a", None), said("b", None)])) == ["a", "b"]


def test_nothing_comes_last_and_unknown_before_it() -> None:
    answers = [said("a", None, False), said("b", None), said("c", 0.1)]
    assert texts(best_of(answers)) == ["c", "b", "a"]


def test_equal_words_are_one_answer() -> None:
    answers = [said("a", 0.5), said("a", 0.5), said("b", 0.1), said("a", 0.5)]
    assert texts(best_of(answers)) == ["a", "b"]


def test_a_single_answer_stays_what_it_is() -> None:
    only = said("a", 0.5)
    assert best_of([only]) == replace(only, alternatives=())


def test_the_likeliest_comes_first_where_that_is_asked_for() -> None:
    scores = {"sure": -2.0, "likely": -0.5, "nothing": -0.1, "unknown": None}
    answers = [
        replace(
            said(text, 0.9 if text == "sure" else 0.3, found=text != "nothing"),
            log_likelihood=score,
        )
        for text, score in scores.items()
    ]
    assert texts(best_of(answers, "likelihood")) == [
        *("likely", "sure", "unknown", "nothing")
    ]
    assert texts(best_of(answers))[0] == "sure"


def test_a_choice_that_there_is_not() -> None:
    with pytest.raises(InputError, match="confidence, likelihood"):
        check_candidates(2, "beauty")  # type: ignore[arg-type]
