"""What the model calls what it found: the demo model knows its own world."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from stablechat import second_look
from stablechat.chat import StableChat
from stablechat.doubts import (
    DIFFERENT_ABOVE,
    is_beyond_words,
    is_something_else,
    is_unsure,
)
from stablechat.reading import read_video
from stablechat.search import slim_generation
from stablechat.second_look import divergence
from stablechat.types import Grounding, Tube

EXAMPLES = Path(__file__).parents[1] / "assets" / "examples"
QUERIES = {
    example["video"]: example["query"]
    for example in json.loads((EXAMPLES / "examples.json").read_text())
    if example["mode"] == "ground"
}


@cache
def demo() -> StableChat:
    return StableChat.from_pretrained(device="cpu")


@cache
def asked(video: str, query: str) -> Grounding:
    return demo().look_again(demo().ground(EXAMPLES / video, query))


def test_words_that_the_demo_model_does_not_know_make_a_guess() -> None:
    answer = demo().ground(EXAMPLES / "red_circle.mp4", "a banana made of jazz")
    assert is_beyond_words(answer) and is_unsure(answer)
    known = demo().ground(EXAMPLES / "red_circle.mp4", "the circle")
    assert not is_beyond_words(known)
    wordless = demo().ground(
        EXAMPLES / "red_circle.mp4",
        "",
        "elc",
        region=(0, 0, 90, 90),
        start_seconds=1.0,
    )
    assert not is_beyond_words(wordless)


@pytest.mark.parametrize("video", QUERIES)
def test_what_is_there_is_called_what_it_was_asked_for(video: str) -> None:
    answer = asked(video, QUERIES[video])
    look = answer.second_look
    assert look is not None and 0 <= look.difference <= DIFFERENT_ABOVE
    color, shape = video.removesuffix(".mp4").split("_")
    assert f"{color} {shape}" in look.words
    assert not is_something_else(answer) and not is_unsure(answer)


def test_frames_that_were_read_elsewhere_are_looked_at_again() -> None:
    video = EXAMPLES / "red_circle.mp4"
    sample = read_video(video, demo().num_frames)
    answer = demo().ground(sample, QUERIES[video.name])
    # The file may be on another machine.
    gone = replace(answer, video=replace(answer.video, path=Path("gone.mp4")))
    looked = demo().look_again(gone, sample)
    assert looked.second_look == asked(video.name, QUERIES[video.name]).second_look


def test_what_is_not_there_is_called_something_else() -> None:
    answer = asked("red_circle.mp4", "the green triangle")
    look = answer.second_look
    assert look is not None and look.difference > DIFFERENT_ABOVE
    assert "green triangle" not in look.words
    sure = replace(answer, confidence=0.9)
    assert is_something_else(sure) and is_unsure(sure)


def test_a_synonym_is_the_same_question() -> None:
    """The words differ, what they mean does not."""
    look = asked("red_circle.mp4", "a red ball").second_look
    assert look is not None and "circle" in look.words
    assert look.difference < DIFFERENT_ABOVE / 2


def test_words_about_another_thing_are_not_taken() -> None:
    """Where the box holds nothing, whatever the model says is about something else."""
    answer = asked("red_circle.mp4", QUERIES["red_circle.mp4"])
    tube = answer.tube
    assert tube is not None
    corner = np.tile([0.0, 0.0, 4.0, 4.0], (len(tube.xyxy), 1))
    elsewhere = replace(answer, tube=Tube(tube.times_seconds, corner))
    assert demo().look_again(elsewhere).second_look is None


def test_half_an_answer_is_not_judged() -> None:
    answer = asked("red_circle.mp4", QUERIES["red_circle.mp4"])
    for half in (replace(answer, tube=None), replace(answer, span=None)):
        assert demo().look_again(half).second_look is None
    tokenless = replace(answer, generation=slim_generation(answer.generation))
    assert demo().look_again(tokenless).second_look is None


def test_other_tasks_are_left_as_they_are() -> None:
    answer = demo().ground(
        EXAMPLES / "red_circle.mp4", QUERIES["red_circle.mp4"], "tvg"
    )
    assert demo().look_again(answer) is answer


def test_it_does_not_change_the_answer_and_is_the_same_again() -> None:
    video, query = "red_circle.mp4", QUERIES["red_circle.mp4"]
    plain = demo().ground(EXAMPLES / video, query)
    looked = demo().look_again(plain)
    assert replace(looked, second_look=None).generation == plain.generation
    assert (looked.span, looked.confidence) == (plain.span, plain.confidence)
    assert looked.second_look == demo().look_again(plain).second_look


# --- the divergence -------------------------------------------------------------


def test_divergence_is_nothing_for_equals_and_ln_2_for_strangers() -> None:
    first = torch.tensor([[1.0, 0.0, 0.0], [0.5, 0.5, 0.0]])
    assert divergence(first, first) == 0.0
    other = torch.tensor([[0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    assert divergence(first, other) == pytest.approx(math.log(2))


def test_divergence_by_hand() -> None:
    p, q = torch.tensor([[0.75, 0.25]]), torch.tensor([[0.25, 0.75]])
    expected = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
    assert divergence(p, q) == pytest.approx(expected, rel=1e-5)


@given(st.integers(0, 2**32), st.integers(1, 5), st.integers(2, 50))
def test_divergence_is_symmetric_and_bounded(seed: int, rows: int, width: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    p, q = (torch.randn(rows, width, generator=generator) * 5 for _ in range(2))
    found = divergence(p.softmax(-1), q.softmax(-1))
    assert 0 <= found <= math.log(2) + 1e-5
    assert found == pytest.approx(divergence(q.softmax(-1), p.softmax(-1)), abs=1e-6)


def test_words_that_can_not_be_asked_are_no_second_look(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """An answer is never lost to what the model says afterwards."""
    answer = asked("red_circle.mp4", QUERIES["red_circle.mp4"])
    monkeypatch.setattr(second_look, "_words_at", lambda *_: " ")
    assert demo().look_again(answer).second_look is None
