"""What speaks against an answer: it is better told as a guess than as found."""

from __future__ import annotations

from stablechat.remarks import UNKNOWN_WORDS
from stablechat.types import Grounding

#: A less confident answer is rather a guess: measured, see docs/decoding.md.
UNSURE_BELOW = 0.5
#: Nor one whose own words for what it found are another question to the model: see
#: ``stablechat/second_look.py``. Chosen on synthetic videos (docs/decoding.md).
DIFFERENT_ABOVE = 0.02


def is_unsure(grounding: Grounding) -> bool:
    """Whether an answer is rather a guess than found, as far as that is known.

    One that a person corrected is no guess.
    """
    if grounding.original is not None:
        return False
    sure = grounding.confidence
    doubted = sure is not None and sure < UNSURE_BELOW
    return doubted or is_something_else(grounding) or is_beyond_words(grounding)


def is_something_else(grounding: Grounding) -> bool:
    """Whether the model itself would call what it found by another question."""
    look = grounding.second_look
    return look is not None and look.difference > DIFFERENT_ABOVE


def is_beyond_words(grounding: Grounding) -> bool:
    """Whether the model was asked in words that it does not know."""
    return UNKNOWN_WORDS in grounding.issues
