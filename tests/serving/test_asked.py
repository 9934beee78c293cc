"""What programs ask over HTTP."""

from __future__ import annotations

from typing import Any

import pytest

from serving.asked import (
    description_asked,
    fields_of_query,
    grounding_asked,
    request_id_of,
)
from stablechat.errors import InputError
from stablechat.types import TimeSpan

VIDEO = "0123456789abcdef" * 4


def test_a_question_with_all_that_can_be_said() -> None:
    asked = grounding_asked(
        {
            "video": VIDEO,
            "query": "it",
            "task": "svg",
            "span": [1, 2.5],
            "name": "C:\\films\\a.mp4",
            "candidates": 3,
            "clip": True,
        },
        "id",
        5.0,
    )
    assert asked.request.span == TimeSpan(1.0, 2.5) and asked.request.candidates == 3
    assert (asked.name, asked.wants_clip) == ("a.mp4", True)
    assert (asked.request.request_id, asked.request.deadline) == ("id", 5.0)


def test_a_part_of_the_video() -> None:
    data = {"video": VIDEO, "query": "it", "segment": [1, 2.5]}
    request = grounding_asked(data, "id", 0.0).request
    assert request.segment == TimeSpan(1.0, 2.5) and not request.fits_a_batch
    assert grounding_asked({**data, "candidates": 2}, "", 0.0).request.segment
    pairs = [("segment", "1"), ("segment", "2.5")]
    asked = description_asked({**fields_of_query(pairs), "video": VIDEO}, "id", 0.0)
    assert asked.request.segment == TimeSpan(1.0, 2.5)
    for wrong, told in (([2, 1], "0 <= start"), ([1], "2 numbers")):
        with pytest.raises(InputError, match=f"segment must be .*{told}"):
            grounding_asked({**data, "segment": wrong}, "id", 0.0)
    with pytest.raises(InputError, match="choose at_seconds"):
        grounding_asked({**data, "task": "rec"}, "id", 0.0)


def test_the_same_in_the_address() -> None:
    pairs = [("task", "elc"), ("clip", "true"), ("start_seconds", "1.5")]
    pairs += [("region", each) for each in ("1", "2", "30", "40")]
    asked = grounding_asked({**fields_of_query(pairs), "video": VIDEO}, "id", 0.0)
    assert asked.request.region == (1.0, 2.0, 30.0, 40.0)
    assert asked.request.start_seconds == 1.5 and asked.wants_clip


def test_a_description() -> None:
    asked = description_asked({"video": VIDEO, "name": "../../etc/passwd"}, "id", 0.0)
    assert asked.request.kind == "describe" and asked.name == "passwd"


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ({}, "empty"),
        ({"query": 5}, "query must be text"),
        ({"query": "it", "video": "../a"}, "SHA-256"),
        ({"query": "it", "video": VIDEO.upper()}, "SHA-256"),
        ({"query": "it", "video": None}, "video must be text"),
        ({"query": "it", "task": "describe"}, "task must be one of"),
        ({"query": "it", "task": "svg"}, "needs the span"),
        ({"query": "it", "task": "svg", "span": [2, 1]}, "start and an end"),
        ({"query": "it", "task": "svg", "span": "12"}, "span must be 2 numbers"),
        ({"query": "it", "span": [1, float("nan")]}, "finite"),
        ({"query": "it", "candidates": 1.5}, "whole number"),
        ({"query": "it", "candidates": 1000}, "candidates must be"),
        ({"query": "it", "clip": "yes"}, "clip must be true or false"),
        ({"query": "it", "path": "/etc/passwd"}, "There is no 'path'"),
        ({"query": "x" * 100_000}, "characters"),
        ({"query": "\ud800 circle"}, "query holds half of a surrogate pair"),
        ({"query": "it", "name": "\ud800"}, "name holds half of a surrogate pair"),
    ],
)
def test_what_cannot_be_asked(data: dict[str, Any], told: str) -> None:
    with pytest.raises(InputError, match=told):
        grounding_asked({"video": VIDEO, **data}, "id", 0.0)


def test_half_a_character_in_a_question() -> None:
    with pytest.raises(InputError, match="question holds half of a surrogate pair"):
        description_asked({"video": VIDEO, "question": "\udfff?"}, "id", 0.0)


def test_numbers_in_the_address_are_numbers() -> None:
    with pytest.raises(InputError, match="span must be a number"):
        fields_of_query([("span", "a")])


@pytest.mark.parametrize("told", ["", "a b", "a\n", "x" * 65, '"};drop'])
def test_an_id_that_could_do_harm_in_a_log(told: str) -> None:
    with pytest.raises(InputError, match="X-Request-Id"):
        request_id_of({"x-request-id": told})


def test_ids_are_taken_or_made() -> None:
    assert request_id_of({"x-request-id": "a-1._B"}) == "a-1._B"
    assert request_id_of({}) != request_id_of({})
