"""Several answers to one question: how they are drawn, and which one is given."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from stablechat.errors import InputError
from stablechat.types import GenerationConfig, Grounding

#: Most answers to one question; each takes as long as the first.
MAX_CANDIDATES = 32
#: What the others are sampled with where the first is greedy. Positions are averaged
#: over the neighbouring bins, so they do not shake as the sampled bins do.
CANDIDATE_TEMPERATURE = 1.0


def check_candidates(count: int) -> None:
    """Refuse a number of answers that can't be had.

    Raises:
        InputError: It is not in 1..:data:`MAX_CANDIDATES`.
    """
    if not isinstance(count, int) or not 1 <= count <= MAX_CANDIDATES:
        raise InputError(
            f"candidates must be a whole number from 1 to {MAX_CANDIDATES}, "
            f"got {count!r}."
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


def best_of(answers: Sequence[Grounding]) -> Grounding:
    """The answer with the highest confidence, with the others as its alternatives.

    Args:
        answers: At least one; the first wins where two are equal.

    Returns:
        One of them. Answers in the same words are one answer, so there may be fewer
        alternatives than there were candidates.
    """
    distinct = {answer.generation.text: answer for answer in reversed(answers)}
    in_order = [a for a in answers if distinct[a.generation.text] is a]
    ranked = sorted(in_order, key=_rank)
    return replace(ranked[0], alternatives=tuple(ranked[1:]))


def _rank(answer: Grounding) -> float:
    """Lower is better; an answer of unknown confidence comes after all others."""
    if not answer.found:
        return 2.0
    return 1.0 if answer.confidence is None else -answer.confidence
