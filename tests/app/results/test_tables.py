"""The tables of moments and of boxes."""

from __future__ import annotations

import re

import numpy as np
from shown_answers import ranked

from render.exports.frames import AnswerFrame
from stablechat.types import TimeSpan
from ui.outcomes import MAX_LISTED_FRAMES
from ui.results.moments import Moment, moments_of
from ui.results.tables import boxes_table, moments_table


def cells(html: str) -> list[str]:
    found = re.findall(r"<td>(.*?)</td>", html)
    return [re.sub(r"<[^>]+>", "", cell) for cell in found]


def frames(count: int, confidence: float | None = None) -> list[AnswerFrame]:
    box = np.array([1.0, 2.0, 3.25, 4.0])
    return [
        AnswerFrame(25 + number, 1 + number / 25, box, confidence)
        for number in range(count)
    ]


def test_one_moment_has_start_end_and_duration() -> None:
    table = moments_table("en", [Moment(1, TimeSpan(2.133, 5.4), None)])
    assert cells(table) == ["0:00:02.133", "0:00:05.400", "0:00:03.267"]
    assert "Confidence" not in table and "Rank" not in table
    assert 'data-seek="2.133000"' in table
    scored = moments_table("en", [Moment(1, TimeSpan(0, 1), 0.871)])
    assert cells(scored)[3] == "87%"


def test_several_moments_are_ranked() -> None:
    table = moments_table("zh", moments_of(ranked(3)))
    assert re.findall(r'scope="row">(\d)<', table) == ["1", "2", "3"]
    assert cells(table)[3::4] == ["90%", "80%", "70%"]
    assert "名次" in table and "置信度" in table


def test_a_confidence_that_is_not_known_is_a_dash() -> None:
    known, unknown = Moment(1, TimeSpan(0, 1), 0.5), Moment(2, TimeSpan(0, 1), None)
    assert cells(moments_table("en", [known, unknown]))[7] == "\N{EN DASH}"


def test_boxes_are_listed_picture_by_picture() -> None:
    table = boxes_table("en", frames(2, 0.5))
    assert re.findall(r'scope="row">(\d+)<', table) == ["25", "26"]
    assert cells(table)[:6] == ["0:01.000", "1.0", "2.0", "3.2", "4.0", "50%"]
    assert 'tabindex="0"' in table and 'data-seek="1.040000"' in table
    assert "Confidence" not in boxes_table("en", frames(2))


def test_pictures_without_a_box_have_no_line() -> None:
    assert 'scope="row"' not in boxes_table("en", [AnswerFrame(1, 0.04)])


def test_a_long_answer_is_cut_and_says_so() -> None:
    table = boxes_table("en", frames(MAX_LISTED_FRAMES + 1))
    assert table.count('scope="row"') == MAX_LISTED_FRAMES
    assert f"first {MAX_LISTED_FRAMES}" in table
    assert "first" not in boxes_table("en", frames(MAX_LISTED_FRAMES))
