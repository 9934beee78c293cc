"""What the page says of the model."""

from __future__ import annotations

from fake_chat import FakeChat

from ui.models.facts import facts, question_line


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
