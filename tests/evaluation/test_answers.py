"""The two ways to read an answer."""

from __future__ import annotations

import json

import pytest
from eval_samples import ANSWER, GOLDEN_METRICS

from evaluation.answers import Answer, convert_outputs, read_released, read_strict
from stablechat.types import Task

UNIT_BOX = (10 / 99, 20 / 99, 30 / 99, 40 / 99)
ROW = "<WIDTH-010><HEIGHT-020><WIDTH-030><HEIGHT-040>"


@pytest.mark.parametrize("task", ["stvg", "svg", "elc"])
def test_tokens_become_numbers_as_in_the_published_rows(task: Task) -> None:
    lines = (GOLDEN_METRICS / f"{task}.jsonl").read_text().splitlines()
    for row in map(json.loads, lines):
        assert convert_outputs(row["outputs"]) == row["converted_outputs"]


def test_both_read_an_ordinary_answer_alike() -> None:
    expected = Answer((0.20202, 0.50505), {20.0: UNIT_BOX})
    for read in (read_released, read_strict):
        assert read(ANSWER, convert_outputs(ANSWER), "stvg") == expected


@pytest.mark.parametrize(
    ("text", "released", "strict"),
    [
        ("", 0, 0),
        ("I am not sure.", 0, 0),
        (f"<TEMP-001>:[{ROW}]", 1, 1),
        (f"< TEMP-001 > : [{ROW}]", 0, 1),
        (f"<TEMP-001>:[{ROW}], <TEMP-001>:[{ROW}]", 1, 1),
        (f"<TEMP-001> [{ROW}]", 0, 1),
        ("<TEMP-001>:[<WIDTH-010>, <HEIGHT-020>, <WIDTH-030>, <HEIGHT-040>]", 0, 1),
        (f"<TEMP-001>:[{ROW}], <TEMP-002>:[<WIDTH-010><HEIGHT-0", 1, 1),
        ("<TEMP-001>:[<WIDTH-010><HEIGHT--02><WIDTH-030><HEIGHT-040>]", 0, 0),
        # Out of range: upstream takes it as it comes.
        ("<TEMP-001>:[<WIDTH-010><HEIGHT-020><WIDTH-030><HEIGHT-140>]", 1, 0),
    ],
)
def test_how_many_boxes_each_reads(text: str, released: int, strict: int) -> None:
    converted = convert_outputs(text)
    assert len(read_released(text, converted, "svg").boxes) == released
    assert len(read_strict(text, converted, "svg").boxes) == strict


def test_the_end_of_an_elc_answer() -> None:
    text = f"Ends in <TEMP-058>, the cat jumps. Object bounding box: <TEMP-034>:[{ROW}]"
    assert read_released(text, convert_outputs(text), "elc").span is None
    span = read_strict(text, convert_outputs(text), "elc").span
    assert span is not None and span[1] == pytest.approx(58 / 99, abs=1e-5)


def test_numbers_finer_than_bins_stay_as_they_are() -> None:
    assert read_strict(None, "{0.44824,0.61526}", "tvg").span == (0.44824, 0.61526)
    box = (0.45838, 0.06101, 0.69512, 0.40759)
    text = "[0.45838, 0.06101, 0.69512, 0.40759]"
    assert read_strict(None, text, "rec").box == box
    assert read_released(None, text, "rec").box == box


def test_tokens_of_one_box_are_read_too() -> None:
    assert read_strict(f"[{ROW}]", convert_outputs(f"[{ROW}]"), "rec").box == UNIT_BOX


@pytest.mark.parametrize("task", ["tvg", "rec"])
@pytest.mark.parametrize("text", ["no idea", "", "{0.1}", "[0.1,0.2,0.3]"])
def test_nothing_to_read(task: Task, text: str) -> None:
    assert read_released(None, text, task) == Answer()
