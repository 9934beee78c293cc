"""Whether what was found is what was asked for: the demo model knows its own world."""

from __future__ import annotations

import json
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from stablechat.chat import StableChat
from stablechat.recognition import WORD_FLOOR, phrasings
from stablechat.types import Grounding

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
def asked(video: str, query: str) -> tuple[Grounding, float]:
    answer = demo().ground(EXAMPLES / video, query)
    recognition = demo().recognise(answer)
    assert recognition is not None
    return answer, recognition


@pytest.mark.parametrize("video", QUERIES)
def test_a_query_is_recognised_where_it_happens(video: str) -> None:
    query = QUERIES[video]
    _, here = asked(video, query)
    elsewhere = [asked(other, query)[1] for other in QUERIES if other != video]
    assert WORD_FLOOR <= min(elsewhere) and here <= 0
    assert here > max(elsewhere)


def test_another_thing_at_the_same_time_is_not_recognised() -> None:
    """The words decide, not the boxes: the same answer under another name."""
    answer, here = asked("red_circle.mp4", QUERIES["red_circle.mp4"])
    other = demo().recognise(replace(answer, query=QUERIES["blue_square.mp4"]))
    assert other is not None and other < here


def test_half_an_answer_is_not_judged() -> None:
    answer, _ = asked("red_circle.mp4", QUERIES["red_circle.mp4"])
    assert demo().recognise(replace(answer, tube=None)) is None
    assert demo().recognise(replace(answer, span=None)) is None


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("the red circle.", ["the red circle", "a red circle"]),
        ("The orange star", ["The orange star", "an orange star"]),
        ("a dog", ["a dog"]),
        ("An apple", ["An apple", "an apple"]),
        ("dogs run", ["dogs run", "a dogs run"]),
        ("theatre", ["theatre", "a theatre"]),
        ("红色圆圈", ["红色圆圈"]),
        ("5 dogs", ["5 dogs"]),
    ],
)
def test_phrasings(query: str, expected: list[str]) -> None:
    assert phrasings(query) == expected
