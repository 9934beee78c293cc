"""What the page says of the demo model is what it was trained on."""

from __future__ import annotations

import pytest
from fake_chat import FakeChat
from hypothesis import given
from hypothesis import strategies as st

from training.synthetic import language, world
from ui.models import demo
from ui.models.facts import facts, question_line


def test_its_world_is_the_trained_one() -> None:
    assert demo.SHAPES == world.SHAPES
    assert demo.COLORS == world.COLORS
    assert len(demo.ACTIONS) == len(world.ACTIONS)
    for action, words in zip(world.ACTIONS, demo.ACTIONS, strict=True):
        assert words in language._VERBS[action].finite
    known = {word for words in language._SHAPE_WORDS.values() for word in words}
    assert {*known, *language._GENERIC} == {
        *(name for name in (*demo.SHAPES, *demo.OTHER_NAMES) if name in known),
        *language._GENERIC,
    }


@pytest.mark.parametrize("question", demo.QUESTIONS)
def test_what_it_is_said_to_understand_it_does(question: str) -> None:
    assert demo.may_understand(question)


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
    assert demo.may_understand(question) is may


@given(st.text())
def test_any_question_can_be_looked_at(question: str) -> None:
    assert demo.may_understand(question) in (True, False)


def test_a_hint_only_for_what_is_beyond_the_demo_model() -> None:
    small, full = FakeChat(), FakeChat(is_demo=False)
    assert "will mean nothing" in question_line("en", small, "the dog")
    assert "will mean nothing" in question_line("en", small, "the star\nthe dog")
    assert question_line("en", small, "the star\nthe ring") == ""
    assert question_line("en", small, " ") == ""
    assert question_line("en", full, "the dog") == ""
    assert "没有意义" in question_line("zh", small, "the dog")


def test_facts_are_told_in_both_languages() -> None:
    chat = FakeChat()
    chat.name = "<b>"
    chat.quantization = "4bit"
    told = facts("en", chat)
    for words in ("&lt;b&gt;", "CPU", "float32, 4bit", "41.0 MB", "8.0 GB", "triangle"):
        assert words in told
    assert "剩余的内存" in facts("zh", chat)
    assert "triangle" not in facts("en", FakeChat(is_demo=False))
    assert "everyday videos" in facts("en", FakeChat(is_demo=False))
