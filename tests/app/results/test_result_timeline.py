"""The line of the whole video."""

from __future__ import annotations

import re

import pytest
from shown_answers import ranked

from stablechat.types import TimeSpan
from ui.results.moments import Moment, moments_of
from ui.results.timeline import MAX_LANES, timeline
from ui.together import Piece


def one(start: float, end: float) -> list[Moment]:
    return [Moment(1, TimeSpan(start, end), None)]


def test_the_answer_is_marked_at_its_share_of_the_video() -> None:
    html = timeline(
        "en", 10.0, one(2.5, 5.0), [Piece(TimeSpan(2.48, 5.04), 0.0)], '0a"'
    )
    assert 'data-folder="0a&quot;"' in html
    assert 'class="sc-marked" style="left:25.0000%;width:25.0000%"' in html
    assert 'data-pieces="[[2.48, 5.04, 0.0]]"' in html
    assert 'max="10.000000" step="any" value="2.500000"' in html
    assert "sc-lane" not in html


def test_answers_to_several_questions_are_all_on_the_line() -> None:
    moments = [
        Moment(rank, TimeSpan(float(rank), rank + 1.0), None, f"<q{rank}>")
        for rank in (1, 2)
    ]
    pieces = [Piece(moments[0].span, 0.0), Piece(moments[1].span, 1.0)]
    html = timeline("en", 10.0, moments, pieces)
    assert html.count('class="sc-marked"') == 2
    assert 'data-pieces="[[1.0, 2.0, 0.0], [2.0, 3.0, 1.0]]"' in html
    assert 'data-piece="1"' in html
    assert "&lt;q1&gt;: 0:01.000 to 0:02.000" in html and "<q1>" not in html


def test_what_was_not_looked_at_is_marked() -> None:
    def outside(start: float, end: float) -> list[str]:
        part = TimeSpan(start, end)
        html = timeline("en", 10.0, one(3.0, 4.0), [], looked_at=part)
        return re.findall(r'sc-outside" style="([^"]+)"', html)

    assert outside(2.0, 7.5) == [
        "left:0.0000%;width:20.0000%",
        "left:75.0000%;width:25.0000%",
    ]
    assert outside(0.0, 11.0) == []
    assert "sc-outside" not in timeline("en", 10.0, one(3.0, 4.0), [])


def test_candidates_have_a_lane_each_up_to_a_limit() -> None:
    html = timeline("en", 10.0, moments_of(ranked(3)), [])
    starts = re.findall(r'data-seek="([\d.]+)" aria-label="Answer (\d)', html)
    assert starts == [("2.000000", "1"), ("1.500000", "2"), ("1.000000", "3")]
    assert "data-clip-start" not in html
    many = [Moment(rank, TimeSpan(1, 2), 0.5) for rank in range(1, 20)]
    assert timeline("en", 10.0, many, []).count("data-seek") == MAX_LANES


@pytest.mark.parametrize("duration", [0.04, 3.0, 10.0, 61.0, 7200.0, 3.2e9])
def test_marks_stay_on_the_line_and_have_room(duration: float) -> None:
    html = timeline("en", duration, one(0.0, duration), [])
    marks = html[html.index("sc-marks") : html.index("</section>")]
    places = [float(p) for p in re.findall(r"left:([\d.]+)%", marks)]
    assert places[0] == 0
    assert 1 <= len(places) <= 6
    assert all(0 <= place <= 100 for place in places)


def test_a_span_past_the_end_stays_inside() -> None:
    html = timeline("en", 10.0, one(9.0, 12.0), [])
    assert "left:90.0000%;width:10.0000%" in html


def test_it_is_labelled_in_both_languages() -> None:
    assert 'aria-label="Timeline of the video"' in timeline("en", 1, one(0, 1), [])
    assert "视频时间轴" in timeline("zh", 1, one(0, 1), [])
