"""One target for a question that several things fit: the model's own favourite.

``b* = argmax s(q, b_i)``, where ``s`` is the mean log-likelihood that the model gives a
candidate's answer, after the video and the question. What stands before the answer is
read once for all candidates.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from stablechat.errors import InputError
from stablechat.generation.likelihood import score_answers
from stablechat.model.modeling import LlavaST
from training.finetune.examples import IGNORED, Example

#: A favourite that is not this much likelier a token is no favourite (in nats).
DEFAULT_MARGIN = 0.02


@dataclass(frozen=True)
class Choice:
    """Which candidate was chosen.

    Attributes:
        index: Of the best one.
        scores: Mean log-likelihood of a token, for each candidate.
        margin: What the best is ahead of the second; infinite if it is alone.
        is_ambiguous: Whether the margin is too small to mean anything.
        is_right: Whether it is the one that the annotation names; None where it names
            none.
    """

    index: int
    scores: tuple[float, ...]
    margin: float
    is_ambiguous: bool
    is_right: bool | None = None


def choose(scores: Sequence[float], min_margin: float = DEFAULT_MARGIN) -> Choice:
    """The candidate with the highest score; the first of equals.

    Args:
        scores: At least one.
        min_margin: Smaller margins are ambiguous.

    Raises:
        InputError: There are no candidates.
    """
    if not scores:
        raise InputError("There is no candidate to choose.")
    index = max(range(len(scores)), key=lambda i: scores[i])
    others = [score for i, score in enumerate(scores) if i != index]
    margin = scores[index] - max(others) if others else float("inf")
    return Choice(index, tuple(scores), margin, margin < min_margin)


@torch.inference_mode()
def score_candidates(
    model: LlavaST, examples: Sequence[Example], visual: Tensor
) -> list[float]:
    """The mean log-likelihood of each answer to one question.

    Args:
        model: The whole model.
        examples: The same question with each candidate's answer.
        visual: ``(tokens, hidden)`` of the video.

    Returns:
        In nats a token, one for each example.

    Raises:
        InputError: The questions are not the same.
    """
    if not examples:
        return []
    first = _answer_start(examples[0])
    question = examples[0].prompt.input_ids[:first]
    for example in examples:
        if not torch.equal(example.prompt.input_ids[:first], question):
            raise InputError("Candidates must be answers to the same question.")
    embedded = [model.embed_prompt(e.prompt, visual)[0] for e in examples]
    return score_answers(
        model,
        embedded[0][:first],
        [each[first:] for each in embedded],
        [example.target_rows[first:] for example in examples],
    )


def _answer_start(example: Example) -> int:
    return int((example.target_rows != IGNORED).nonzero()[0])


def report_choices(choices: Iterable[Choice]) -> dict[str, Any]:
    """How many questions had several candidates, and how clear the choice was."""
    found = list(choices)
    several = [choice for choice in found if len(choice.scores) > 1]
    margins = sorted(choice.margin for choice in several)
    named = [choice for choice in several if choice.is_right is not None]
    return {
        "num_questions": len(found),
        "num_with_several_candidates": len(several),
        "num_ambiguous": sum(choice.is_ambiguous for choice in several),
        "num_not_the_first": sum(choice.index > 0 for choice in several),
        "num_named": len(named),
        "num_right": sum(bool(choice.is_right) for choice in named),
        "num_right_by_chance": sum(1 / len(choice.scores) for choice in named),
        "num_right_if_clear": sum(
            bool(choice.is_right) for choice in named if not choice.is_ambiguous
        ),
        "median_margin": margins[len(margins) // 2] if margins else None,
        "candidates": dict(sorted(Counter(len(c.scores) for c in found).items())),
    }
