"""Several answers to one question: how they are drawn, and which one is given."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Literal, get_args

from stablechat.errors import InputError
from stablechat.types import GenerationConfig, Grounding

#: What the best answer is best in: its calibrated confidence, or the mean
#: log-likelihood of its tokens.
Criterion = Literal["confidence", "likelihood"]
CRITERIA: tuple[Criterion, ...] = get_args(Criterion)
#: Most answers to one question; each takes as long as the first.
MAX_CANDIDATES = 32
#: What the others are sampled with where the first is greedy. Positions are averaged
#: over the neighbouring bins, so they do not shake as the sampled bins do.
CANDIDATE_TEMPERATURE = 1.0


def check_candidates(count: int, choose: Criterion = "confidence") -> None:
    """Refuse a number of answers that can't be had, or a choice that there is not.

    Raises:
        InputError: It is not in 1..:data:`MAX_CANDIDATES`, or not in :data:`CRITERIA`.
    """
    if choose not in CRITERIA:
        raise InputError(
            "choose is one of {choices}, got {choose!r}.",
            choices=", ".join(CRITERIA),
            choose=choose,
        )
    if not isinstance(count, int) or not 1 <= count <= MAX_CANDIDATES:
        raise InputError(
            "candidates must be a whole number from 1 to {max_candidates}, got "
            "{count!r}.",
            max_candidates=MAX_CANDIDATES,
            count=count,
        )


def candidate_configs(
    config: GenerationConfig | None,
    count: int,
    temperature: float = CANDIDATE_TEMPERATURE,
) -> list[GenerationConfig]:
    """How to decode each answer: the first as asked, the others sampled.

    Args:
        config: As asked; None is greedy.
        count: How many answers, at least 1.
        temperature: Of the others where the first is greedy.

    Returns:
        ``count`` configurations with seeds of their own.
    """
    first = config or GenerationConfig()
    others = replace(first, temperature=first.temperature or temperature)
    return [
        first,
        *(replace(others, seed=first.seed + number) for number in range(1, count)),
    ]


def best_of(
    answers: Sequence[Grounding], choose: Criterion = "confidence"
) -> Grounding:
    """The best answer, with the others as its alternatives.

    Args:
        answers: At least one; the first wins where two are equal.
        choose: What it is best in.

    Returns:
        One of them. Answers in the same words are one answer, so there may be fewer
        alternatives than there were candidates.
    """
    distinct = {answer.generation.text: answer for answer in reversed(answers)}
    in_order = [a for a in answers if distinct[a.generation.text] is a]
    ranked = sorted(in_order, key=lambda answer: _rank(answer, choose))
    return replace(ranked[0], alternatives=tuple(ranked[1:]))


def _rank(answer: Grounding, choose: Criterion) -> tuple[bool, float]:
    """Lower is better; an answer that is not measured comes after those that are."""
    measured = answer.confidence if choose == "confidence" else answer.log_likelihood
    return not answer.found, math.inf if measured is None else -measured
