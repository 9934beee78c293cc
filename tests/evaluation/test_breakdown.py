"""The groups of the report's table 3."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from eval_samples import GOLDEN_METRICS, mixed_rows, square_row

from evaluation.breakdown import (
    area_share,
    break_down,
    duration_share,
    is_joint_success,
    query_length,
)
from evaluation.protocols import RowScore
from evaluation.rows import ResultRow, check_row, read_result_rows
from stablechat.errors import InputError


def row(**changes: Any) -> ResultRow:
    return replace(check_row(square_row(0), "stvg"), **changes)


def counts(rows: list[ResultRow], dimension: str) -> dict[str, int]:
    found = break_down(rows, "stvg").dimensions[dimension]
    return {group.name: group.count for group in found if group.count}


@pytest.mark.parametrize(
    ("frames", "group"),
    [
        ((100, 199), "under 10%"),
        ((100, 200), "10-30%"),
        ((200, 300), "10-30%"),
        ((400, 700), "30-70%"),
        ((200, 900), "over 70%"),
        ((0, 299), "10-30%"),
        ((0, 300), "30-70%"),
        ((0, 699), "30-70%"),
        ((0, 700), "over 70%"),
        ((0, 1000), "over 70%"),
    ],
)
def test_duration_of_the_event(frames: tuple[int, int], group: str) -> None:
    found = row(split=(0, 1000), true_frames=frames)
    assert duration_share(found) == (frames[1] - frames[0]) / 1000
    assert counts([found], "duration") == {group: 1}


@pytest.mark.parametrize(
    ("side", "group"),
    [(9, "under 1%"), (10, "1-5%"), (22, "1-5%"), (23, "5-20%"), (45, "over 20%")],
)
def test_area_of_the_object(side: int, group: str) -> None:
    box = (0.0, 0.0, float(side), float(side))
    found = row(width=100, height=100, true_boxes={6: box, 7: box})
    assert area_share(found) == pytest.approx(side * side / 10_000)
    assert counts([found], "object area") == {group: 1}


def test_a_mean_area_on_a_border() -> None:
    percent = (4.0, 5.0, 6.0)  # whose mean is less than 0.05 by the last bit
    boxes = {n: (0.0, 0.0, 100.0, each) for n, each in enumerate(percent)}
    found = row(width=100, height=100, true_boxes=boxes)
    assert counts([found], "object area") == {"5-20%": 1}


def test_only_what_is_in_the_picture_has_area() -> None:
    boxes = {6: (-50.0, -50.0, 50.0, 50.0), 7: (90.0, 0.0, 200.0, 100.0)}
    found = row(width=100, height=100, true_boxes=boxes)
    assert area_share(found) == pytest.approx((0.25 + 0.1) / 2)


@pytest.mark.parametrize(
    ("length", "group"),
    [
        (1, "up to 50 characters"),
        (50, "up to 50 characters"),
        (51, "over 50 characters"),
    ],
)
def test_length_of_the_query(length: int, group: str) -> None:
    assert counts([row(query="x" * length)], "query length") == {group: 1}


def test_a_row_without_a_query_is_in_no_group_of_length() -> None:
    assert query_length(row(query="")) is None
    assert counts([row(query="")], "query length") == {}


def test_every_row_is_in_one_group_of_each_dimension() -> None:
    rows = [check_row(raw, "stvg") for raw in mixed_rows()]
    found = break_down(rows, "stvg")
    for groups in found.dimensions.values():
        assert sum(group.count for group in groups) == len(rows)
    (everything,) = found.dimensions["all"]
    assert everything.mean_tiou == pytest.approx(found.tiou.mean())
    # Rows 0 and 6 are right in both; 3 and 4 come near half.
    joint = (found.tiou >= 0.5) & (found.siou >= 0.5)
    assert everything.joint_success_percent == pytest.approx(100 * joint.mean())
    assert joint[0] and joint[6] and not joint[1] and not joint[2] and not joint[7]
    assert found.correlation == pytest.approx(np.corrcoef(found.tiou, found.siou)[0, 1])


@pytest.mark.parametrize(
    ("tiou", "siou", "joint"),
    [(0.5, 0.5, True), (0.49, 1.0, False), (1.0, 0.49, False), (None, 1.0, False)],
)
def test_joint_success(tiou: float | None, siou: float, joint: bool) -> None:
    assert is_joint_success(RowScore(tiou, siou, 0.0, True, False)) is joint


def test_svg_has_places_only() -> None:
    rows = read_result_rows(GOLDEN_METRICS / "svg.jsonl", "svg")
    found = break_down(rows, "svg")
    (everything,) = found.dimensions["all"]
    assert everything.mean_siou and everything.mean_tiou is None
    assert everything.joint_success_percent is None and found.correlation is None
    assert sum(group.count for group in found.dimensions["duration"]) == len(rows)


def test_tasks_without_boxes() -> None:
    with pytest.raises(InputError, match="needs boxes and times"):
        break_down([], "tvg")
