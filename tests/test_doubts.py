"""Which answers are told as guesses."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from stablechat.doubts import DIFFERENT_ABOVE, UNSURE_BELOW, is_beyond_words, is_unsure
from stablechat.remarks import UNKNOWN_WORDS
from stablechat.sentences import Sentence
from stablechat.types import Generation, Grounding, SecondLook, VideoInfo

VIDEO = VideoInfo(Path("a.mp4"), 64, 48, 0, Fraction(10), 50, 5.0, 0.0, False, "h264")
ANSWER = Grounding(
    VIDEO, "it", "stvg", None, None, "", None, Generation("", (), "stop")
)


def test_an_answer_of_little_confidence_is_unsure() -> None:
    assert not is_unsure(ANSWER)
    assert not is_unsure(replace(ANSWER, confidence=UNSURE_BELOW))
    assert is_unsure(replace(ANSWER, confidence=UNSURE_BELOW - 1e-6))


def test_one_that_the_model_calls_something_else_is_unsure() -> None:
    for difference, unsure in ((DIFFERENT_ABOVE, False), (0.021, True)):
        look = SecondLook("a cross", difference)
        assert is_unsure(replace(ANSWER, confidence=0.9, second_look=look)) is unsure


def test_one_to_words_that_the_model_does_not_know_is_unsure() -> None:
    for issue in (Sentence(UNKNOWN_WORDS), UNKNOWN_WORDS):
        beyond = replace(ANSWER, confidence=0.9, issues=("Another.", issue))
        assert is_beyond_words(beyond) and is_unsure(beyond)
    assert not is_unsure(replace(ANSWER, confidence=0.9, issues=("Another.",)))


def test_what_a_person_corrected_is_no_guess() -> None:
    unsure = replace(ANSWER, confidence=0.0, issues=(UNKNOWN_WORDS,))
    assert is_unsure(unsure) and not is_unsure(replace(unsure, original=unsure))
