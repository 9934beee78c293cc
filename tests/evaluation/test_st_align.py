"""Annotations: questions filled in, truth on the frames the model sees."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from eval_samples import annotation, write_annotations

from evaluation.datasets import (
    SUFFIXES,
    TASKS,
    choose,
    fill,
    load_samples,
    read_sample,
)
from stablechat import prompts
from stablechat.errors import InputError
from stablechat.types import Task

REGION = [20, 20, 40, 20]


def elc(region: object = REGION) -> dict[str, Any]:
    row = annotation()
    row["meta"]["spatial_token"]["<region>"] = region
    row["conversations"] = [
        {"value": "<video>\nStarts in <s>, what happens in <region>?"},
        {"value": "Ends in <e>, the cat jumps. Object bounding box: <bboxes>."},
    ]
    return row


# --- the question ---------------------------------------------------------------


def test_the_suffixes_are_those_of_the_product() -> None:
    made = {
        "stvg": prompts.stvg_prompt("it"),
        "svg": prompts.svg_prompt("it", (0.0, 1.0)),
        "elc": prompts.elc_prompt(0.0, (0.0, 0.0, 1.0, 1.0)),
    }
    for task in TASKS:
        assert made[task].endswith(SUFFIXES[task])


def test_the_suffix_follows_directly_and_once() -> None:
    row = annotation()
    sample = read_sample(0, row, "stvg")
    assert sample.prompt == f"When can we see it? {SUFFIXES['stvg']}"
    row["conversations"][0]["value"] = sample.prompt
    assert read_sample(0, row, "stvg").prompt == sample.prompt


@pytest.mark.parametrize("region", [REGION, {"20": REGION, "21": [0, 0, 1, 1]}])
def test_elc_placeholders(region: object) -> None:
    sample = read_sample(0, elc(region), "elc")
    asked = sample.prompt.removesuffix(SUFFIXES["elc"])
    assert asked == (
        "Starts in <t0.200>, what happens in [<w0.100>, <h0.200>, <w0.300>, <h0.400>]?"
    )


@pytest.mark.parametrize("written", ["From <s> to <e>", "Between {<s>,<e>}"])
def test_svg_placeholders(written: str) -> None:
    row = annotation(meta={"split": [10, 60]})
    row["conversations"][0]["value"] = f"{written}, where is it?"
    prompt = read_sample(0, row, "svg").prompt
    assert prompt.startswith("Between {<t0.200>,<t0.800>}, where is it?")


def test_keys_that_begin_alike() -> None:
    fillings = {"<s>": "1", "<s>b": "2", "<e>": "<t0.100>"}
    assert fill("<s>b, <s> and <e>", fillings) == "2, 1 and <t0.100>"


def test_a_placeholder_that_nothing_fills() -> None:
    with pytest.raises(InputError, match="what <region> in the question is"):
        fill("Where is <region>?", {"<s>": "<t0.1>"})


def test_the_query_or_else_the_question() -> None:
    assert read_sample(0, annotation(), "stvg").query == "the red circle moving left"
    row = annotation()
    del row["query"]
    assert read_sample(0, row, "stvg").query == "When can we see it? "


# --- the truth ------------------------------------------------------------------


def test_the_truth_in_the_format_of_result_rows() -> None:
    truth = read_sample(0, annotation(), "stvg").truth
    assert truth["tvg"] == [20, 50]
    assert truth["svg"]["20"] == [20, 20, 60, 40]
    assert set(truth) == {"tvg", "svg"}
    assert set(read_sample(0, annotation(), "svg").truth) == {"svg"}


@pytest.mark.parametrize(
    "answer",
    [
        "Ends in <e>, the cat jumps. Object bounding box: <bboxes>.",
        "Ends in <e>, the cat jumps Object bounding box: <bboxes>",
        " Ends in <e> , the cat jumps.. ",
        "the cat jumps",
    ],
)
def test_the_caption(answer: str) -> None:
    row = elc()
    row["conversations"][1]["value"] = answer
    assert read_sample(0, row, "elc").truth["caption"] == "the cat jumps"


def test_only_boxes_on_frames_that_the_model_sees() -> None:
    boxes = {str(frame): [0, 0, 9, 9] for frame in range(100, 120)}
    meta = {
        "split": [0, 990],
        "time_token": {"<s>": 100, "<e>": 119},
        "spatial_token": {"<bboxes>": boxes},
    }
    sample = read_sample(0, annotation(meta=meta), "stvg")
    assert list(sample.true_boxes) == [100, 110]


def test_an_event_that_no_sampled_frame_shows_keeps_its_truth() -> None:
    meta = {
        "split": [0, 990],
        "time_token": {"<s>": 101, "<e>": 102},
        "spatial_token": {"<bboxes>": {"101": [0, 0, 9, 9], "102": [0, 0, 9, 9]}},
    }
    sample = read_sample(0, annotation(meta=meta), "stvg")
    assert list(sample.true_boxes) == [101, 102]


# --- files ----------------------------------------------------------------------

BAD: list[tuple[dict[str, Any], str]] = [
    ({"meta": {"split": [0]}}, "not enough values"),
    ({"meta": {"split": [50, 50]}}, "split must be"),
    ({"meta": {"split": [0.5, 50]}}, "whole number, got 0.5"),
    ({"meta": {"width": 0}}, "size must be positive"),
    ({"meta": {"width": float("inf")}}, "infinity"),
    ({"meta": {"width": float("nan")}}, "NaN"),
    ({"meta": {"time_token": {"<s>": 20}}}, "'<e>' is not there"),
    ({"meta": {"time_token": {"<s>": 50, "<e>": 20}}}, "event 50 to 20"),
    ({"meta": {"time_token": {"<s>": 20, "<e>": 101}}}, "must lie in the split"),
    ({"meta": {"spatial_token": {}}}, "'<bboxes>' is not there"),
    ({"meta": {"spatial_token": {"<bboxes>": {}}}}, "no boxes"),
    ({"meta": {"spatial_token": {"<bboxes>": {"1": [1, 2, 3]}}}}, "not enough values"),
    ({"meta": {"spatial_token": {"<bboxes>": {"1": [1, 2, -3, 4]}}}}, "a box must be"),
    ({"conversations": [{"value": "one turn"}]}, "not enough values"),
    ({"video_path": ""}, "video_path must be text"),
    ({"video_path": None}, "video_path must be text"),
    ({"video_path": "../../etc/passwd"}, "must stay in the folder"),
    ({"video_path": "/etc/passwd"}, "must stay in the folder"),
    ({"video_path": "a\\..\\..\\b.mp4"}, "must stay in the folder"),
    ({"query": 5}, "query must be text"),
]


@pytest.mark.parametrize(("changes", "message"), BAD)
def test_a_row_that_cannot_be_used(
    tmp_path: Path, changes: dict[str, Any], message: str
) -> None:
    rows = [annotation(), annotation(**changes)]
    path = write_annotations(tmp_path / "a.json", rows)
    with pytest.raises(InputError, match=message) as raised:
        load_samples(path, "stvg")
    assert "1 of the 2 rows" in str(raised.value) and "row 1" in str(raised.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not a JSON file"),
        ("{}", "must hold a list"),
        ("[]", "holds no rows"),
        ("[1]", "row 0"),
        ("[[]]", "row 0"),
        ('[{"meta": 3}]', "row 0"),
        ("[" * 100_000, "not a JSON file"),
    ],
)
def test_a_file_that_cannot_be_used(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "a.json"
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        load_samples(path, "stvg")


def test_subsets_can_be_drawn_again(tmp_path: Path) -> None:
    rows = [annotation(video_path=f"{i}.mp4") for i in range(50)]
    samples = load_samples(write_annotations(tmp_path / "a.json", rows), "stvg")

    def drawn(subset: int | None, seed: int, limit: int | None = None) -> list[int]:
        return [s.index for s in choose(samples, subset, seed, limit)]

    first = drawn(10, 7)
    assert first == drawn(10, 7) == sorted(set(first))
    assert len(first) == 10
    assert drawn(10, 8) != first
    assert drawn(10, 7, limit=3) == first[:3]
    assert drawn(None, 0, limit=3) == [0, 1, 2]
    assert drawn(99, 7) == list(range(50))


@pytest.mark.parametrize("task", TASKS)
def test_rows_of_the_synthetic_world(task: Task) -> None:
    """What ``training.synthetic`` writes: the product's own questions."""
    made = {
        "stvg": prompts.stvg_prompt("the red circle"),
        "svg": prompts.svg_prompt("the red circle", (0.0, 1.0))
        .replace("<t0.000>", "<s>")
        .replace("<t1.000>", "<e>"),
        "elc": prompts.elc_prompt(0.0, (0.0, 0.0, 1.0, 1.0))
        .replace("<t0.000>", "<s>")
        .replace("[<w0.000>, <h0.000>, <w1.000>, <h1.000>]", "<region>"),
    }
    asked = {
        "stvg": made["stvg"],
        "svg": prompts.svg_prompt("the red circle", (0.2, 0.5)),
        "elc": prompts.elc_prompt(0.2, (0.1, 0.2, 0.3, 0.4)),
    }
    row = elc({"20": REGION})
    row["conversations"][0]["value"] = f"<video>\n{made[task]}"
    assert read_sample(0, row, task).prompt == asked[task]
