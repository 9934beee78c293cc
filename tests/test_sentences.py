"""Sentences that know their words and their values."""

from __future__ import annotations

import copy
import json
import pickle
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stablechat.errors import InputError, LimitError, StableChatError
from stablechat.sentences import MAX_VALUE_LENGTH, Sentence, sentence_data

WORDS = "{name} has {count:,} pictures of {share:.1f}"


def test_a_sentence_is_its_text_and_remembers_the_rest() -> None:
    said = Sentence(WORDS, name="a.mp4", count=1200, share=0.25)
    assert said == "a.mp4 has 1,200 pictures of 0.2" and isinstance(said, str)
    assert said.template == WORDS
    assert said.values == {"name": "a.mp4", "count": 1200, "share": 0.25}


def test_braces_without_values_are_left_alone() -> None:
    for odd in ("{", "{name}", "{0} {", "a {b!r:>3}"):
        assert Sentence(odd) == odd and str(StableChatError(odd)) == odd


def test_values_are_plain() -> None:
    said = Sentence(
        "{a} {b} {c} {d!r}", a=np.int64(3), b=np.float32(0.5), c=Fraction(1, 2), d=None
    )
    assert said == "3 0.5 1/2 None"
    assert said.values == {"a": 3, "b": 0.5, "c": 0.5, "d": "None"}
    json.dumps(said.to_data())


def test_errors_are_given_as_words_and_values() -> None:
    error = LimitError("{name} is too long.", name="a{b}.mp4")
    assert str(error) == "a{b}.mp4 is too long."
    assert error.sentence.template == "{name} is too long."
    again = InputError(error.sentence)
    assert again.sentence is error.sentence
    wrapped = InputError("No: {reason}", reason=error)
    assert wrapped.sentence.values["reason"] is error.sentence
    assert str(InputError()) == ""


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
def test_copies_know_the_same(copied: object) -> None:
    said = Sentence("{a} {b}", a=1, b=Sentence("{c}", c="x"))
    for made in (copied(said), pickle.loads(pickle.dumps(said))):  # type: ignore[operator]
        assert made == said
        assert (made.template, made.values) == (said.template, said.values)


def test_a_sentence_crosses_a_process_boundary() -> None:
    said = Sentence("{a}: {b}", a=1, b=Sentence("{c} or {d}", c="x", d=2.5))
    made = Sentence.from_data(json.loads(json.dumps(said.to_data())))
    assert made == said and made.template == said.template
    inner = made.values["b"]
    assert isinstance(inner, Sentence) and inner.template == "{c} or {d}"
    assert sentence_data("plain") == "plain" and Sentence.from_data("plain") == "plain"


@pytest.mark.parametrize(
    "data",
    [
        None,
        {},
        {"text": "a\nb\x00", "template": 5, "values": []},
        {"text": "x", "template": "{a.__class__:>999999999}", "values": {"a": "y"}},
        {"text": "x", "template": "{a}", "values": {"a": ["list", {"b": 1}]}},
        {"text": "x" * 10, "template": "t", "values": {"a": "y" * 10_000}},
    ],
)
def test_what_comes_from_elsewhere_is_not_filled_in(data: object) -> None:
    made = Sentence.from_data(data)
    assert made.isprintable()
    assert all(len(str(value)) <= MAX_VALUE_LENGTH for value in made.values.values())


json_value = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=8), inner),
    max_leaves=8,
)


@given(json_value)
def test_anything_makes_a_line(data: object) -> None:
    assert Sentence.from_data(data).isprintable()
