"""What the demo model is said to understand is what it was trained on."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stablechat import demo_words
from training.synthetic import language, world


def test_its_world_is_the_trained_one() -> None:
    assert demo_words.SHAPES == world.SHAPES
    assert demo_words.COLORS == world.COLORS
    assert len(demo_words.ACTIONS) == len(world.ACTIONS)
    for action, words in zip(world.ACTIONS, demo_words.ACTIONS, strict=True):
        assert words in language._VERBS[action].finite
    known = {word for words in language._SHAPE_WORDS.values() for word in words}
    assert {*known, *language._GENERIC} == {
        *(
            name
            for name in (*demo_words.SHAPES, *demo_words.OTHER_NAMES)
            if name in known
        ),
        *language._GENERIC,
    }


@pytest.mark.parametrize("question", demo_words.QUESTIONS)
def test_what_it_is_said_to_understand_it_does(question: str) -> None:
    assert demo_words.may_understand(question)


@pytest.mark.parametrize(
    ("question", "may"),
    [
        ("the red circle", True),
        ("The Stars, blinking!", True),
        ("a violet disc", True),
        ("the dog", False),
        ("a man opens the boxcar", False),
        ("红色圆形", False),
        ("red", False),
    ],
)
def test_questions_are_told_apart(question: str, may: bool) -> None:
    assert demo_words.may_understand(question) is may


@given(st.text())
def test_any_question_can_be_looked_at(question: str) -> None:
    assert demo_words.may_understand(question) in (True, False)


def test_every_question_that_it_was_trained_on_is_understood() -> None:
    rng = random.Random(0)
    for number in range(3000):
        color, shape, action = (
            rng.randrange(len(kinds))
            for kinds in (world.COLORS, world.SHAPES, world.ACTIONS)
        )
        question = language.query(color, shape, action, rng)
        assert demo_words.may_understand(question), (number, question)
