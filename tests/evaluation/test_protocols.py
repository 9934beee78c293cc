"""Numbers equal to the published code's, and the ways in which strict differs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from eval_samples import ANSWER, GOLDEN_METRICS

from evaluation.answers import convert_outputs
from evaluation.protocols import TASKS, Protocol, score, score_rows
from evaluation.rows import ResultRow, check_row, read_result_rows
from stablechat.types import Task

EXPECTED = json.loads((GOLDEN_METRICS / "expected.json").read_text())
TUBE_KEYS = {
    *("mtiou", "tiou@0.3", "tiou@0.5", "tiou@0.7"),
    *("msiou", "siou@0.3", "siou@0.5", "siou@0.7"),
    *("mstiou", "viou@0.3", "viou@0.5", "viou@0.7"),
}
UNIT_KEYS = {"miou", "r@0.3", "r@0.5", "r@0.7"}
COUNT_KEYS = {"num_rows", "num_unparsed", "num_missing"}


def golden(task: Task) -> list[ResultRow]:
    return read_result_rows(GOLDEN_METRICS / f"{task}.jsonl", task)


def row(task: Task = "stvg", outputs: str = ANSWER, **changes: Any) -> ResultRow:
    """A perfect span and box on one of two frames, unless told otherwise."""
    box = [20, 20, 61, 40]  # bins 10, 20, 30, 40 of 200x100 pixels
    raw: dict[str, Any] = {
        "split": [0, 99],
        "width": 200,
        "height": 100,
        "gt": {"tvg": [20, 50], "svg": {"20": box, "21": box}},
        "outputs": outputs,
        "converted_outputs": convert_outputs(outputs),
        **changes,
    }
    return check_row(raw, task)


def missing(task: Task = "stvg", **changes: Any) -> ResultRow:
    return row(task, "", missing=True, **changes)


def tvg(text: str, gt: tuple[float, float], **changes: Any) -> ResultRow:
    raw = {"gt": gt, "converted_outputs": text, **changes}
    return check_row(raw, "tvg")


def rec(text: str, **changes: Any) -> ResultRow:
    raw = {"gt_bbox": [0.0, 0.0, 0.5, 0.5], "converted_outputs": text, **changes}
    return check_row(raw, "rec")


# --- released -------------------------------------------------------------------


@pytest.mark.parametrize("task", TASKS)
def test_released_equals_the_published_code(task: Task) -> None:
    found = score(golden(task), task, "released")
    expected = EXPECTED[task].get("overall", EXPECTED[task])
    for key, value in expected.items():
        if key != "caption_score":
            assert found[key] == pytest.approx(value, abs=1e-9), key


@pytest.mark.parametrize("task", ["stvg", "svg", "elc"])
def test_released_equals_the_published_code_row_by_row(task: Task) -> None:
    scores = score_rows(golden(task), task, "released")
    rows = EXPECTED[task]["per_sample"]
    assert len(scores) == len(rows)
    for found, expected in zip(scores, rows, strict=True):
        assert (found.tiou or 0.0) == pytest.approx(expected["mtiou"], abs=1e-9)
        assert found.siou == pytest.approx(expected["msiou"], abs=1e-9)
        assert found.stiou == pytest.approx(expected["mstiou"], abs=1e-9)


@pytest.mark.parametrize("protocol", ["released", "strict"])
@pytest.mark.parametrize("task", TASKS)
def test_the_keys(task: Task, protocol: Protocol) -> None:
    found = score(golden(task), task, protocol)
    keys = TUBE_KEYS if task in ("stvg", "svg", "elc") else UNIT_KEYS
    assert set(found) == keys | COUNT_KEYS
    assert found["num_rows"] == len(golden(task))


# --- strict ---------------------------------------------------------------------


def test_strict_equals_released_where_nothing_sets_them_apart() -> None:
    assert score(golden("stvg"), "stvg", "strict") == score(
        golden("stvg"), "stvg", "released"
    )


def test_strict_reads_the_end_of_an_elc_event() -> None:
    answer = ANSWER.replace(
        "During the span of {<TEMP-020><TEMP-050>}", "Ends in <TEMP-035>, it"
    )
    found = score([row("elc", answer)], "elc", "strict")
    # From the start in the question (20/99 to three decimals) to 35/99, of 20..50.
    assert found["mtiou"] == pytest.approx((0.35354 - 0.202) / (0.505 - 0.202))
    assert score([row("elc", answer)], "elc", "released")["mtiou"] == 0.0


def test_an_elc_end_before_the_start_is_worth_nothing() -> None:
    answer = ANSWER.replace(
        "During the span of {<TEMP-020><TEMP-050>}", "Ends in <TEMP-005>, it"
    )
    assert score([row("elc", answer)], "elc", "strict")["mtiou"] == 0.0


def test_strict_counts_missing_videos_as_nothing() -> None:
    rows = [row(), missing()]
    released, strict = (score(rows, "stvg", p) for p in ("released", "strict"))
    assert released["msiou"] == 1.0 and strict["msiou"] == 0.5
    assert strict["siou@0.5"] == 50.0
    assert strict["mtiou"] == pytest.approx((released["mtiou"] or 0) / 2)
    for found in (released, strict):
        assert (found["num_rows"], found["num_missing"]) == (2, 1)
        assert found["num_unparsed"] == 0


def test_strict_counts_rec_answers_without_a_box() -> None:
    rows = [rec("[0,0,0.5,0.5]"), rec("nowhere"), rec("", missing=True)]
    assert score(rows, "rec", "released")["miou"] == 1.0
    strict = score(rows, "rec", "strict")
    assert strict["miou"] == pytest.approx(1 / 3)
    assert (strict["num_unparsed"], strict["num_missing"]) == (1, 1)


def test_strict_takes_a_value_on_the_threshold() -> None:
    rows = [tvg("{0.0,0.5}", (0.0, 1.0))]
    assert score(rows, "tvg", "released")["r@0.5"] == 0.0
    assert score(rows, "tvg", "strict")["r@0.5"] == 100.0


def test_strict_knows_no_time_for_svg() -> None:
    rows = [row("svg"), missing("svg")]
    assert score(rows, "svg", "strict")["mtiou"] is None
    assert score(rows, "svg", "strict")["tiou@0.5"] is None
    assert score(rows, "svg", "released")["mtiou"] == 0.0
    assert score(rows, "svg", "strict")["msiou"] == 0.5


# --- both -----------------------------------------------------------------------


@pytest.mark.parametrize("protocol", ["released", "strict"])
@pytest.mark.parametrize(
    ("task", "text", "unparsed"),
    [
        ("stvg", ANSWER, 0),
        ("stvg", "I am not sure.", 1),
        ("stvg", ANSWER.partition("<TEMP-020>:")[0], 1),  # no box
        ("stvg", ANSWER.partition(". ")[2], 1),  # no span
        ("svg", ANSWER.partition(". ")[2], 0),
        ("svg", "nothing", 1),
    ],
)
def test_unparsed_is_any_part_that_lacks(
    task: Task, text: str, unparsed: int, protocol: Protocol
) -> None:
    assert score([row(task, text)], task, protocol)["num_unparsed"] == unparsed


@pytest.mark.parametrize("protocol", ["released", "strict"])
def test_frames_and_pixels(protocol: Protocol) -> None:
    """Bin 20 of frames 100..298 is frame 140; its box is rounded to whole pixels."""
    truth = {"tvg": [140, 200], "svg": {"140": [20, 20, 61, 40], "142": [0, 0, 9, 9]}}
    found = score([row(split=[100, 298], gt=truth)], "stvg", protocol)
    assert found["msiou"] == 1.0
    assert found["mstiou"] == 0.5
    assert found["mtiou"] == pytest.approx((0.505 - 0.20202) / (0.50505 - 0.202))


@pytest.mark.parametrize("protocol", ["released", "strict"])
def test_all_videos_missing(protocol: Protocol) -> None:
    found = score([missing(), missing()], "stvg", protocol)
    assert (found["msiou"], found["num_missing"], found["num_rows"]) == (0.0, 2, 2)
