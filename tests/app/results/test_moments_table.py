"""Which moments an answer names, and in what words."""

from __future__ import annotations

from dataclasses import replace

from shown_answers import TUBE, answer, ranked

from stablechat.correction import corrected
from stablechat.types import TimeSpan
from ui.results.moments import (
    BY_HAND,
    Moment,
    moment_title,
    moments_of,
    rank_mark,
    rank_text,
)


def test_the_answer_comes_first_and_keeps_its_confidence() -> None:
    moments = moments_of(ranked(3))
    assert [moment.rank for moment in moments] == [1, 2, 3]
    assert [moment.span.start_seconds for moment in moments] == [2.0, 1.5, 1.0]
    assert moments[0].confidence == 0.9


def test_a_candidate_that_found_nothing_is_left_out_and_keeps_its_rank() -> None:
    lost = replace(answer(), span=None, tube=None)
    several = replace(answer(), alternatives=(lost, answer(5, 6)))
    assert [moment.rank for moment in moments_of(several)] == [1, 3]
    assert moments_of(lost) == []


def test_without_a_span_the_boxes_tell_the_time() -> None:
    [moment] = moments_of(replace(answer(), span=None, tube=TUBE))
    assert moment.span == TimeSpan(2.0, 4.0)


def test_a_title_says_the_confidence_where_it_is_known() -> None:
    title = moment_title("en", Moment(2, TimeSpan(1.5, 62), 0.871))
    assert title == "Answer 2: 0:01.500 to 1:02.000, Confidence 87%"
    assert "Confidence" not in moment_title("en", Moment(1, TimeSpan(0, 1), None))
    assert "回答 1" in moment_title("zh", Moment(1, TimeSpan(0, 1), None))


def test_what_a_person_corrected_comes_before_what_the_model_said() -> None:
    moments = moments_of(corrected(ranked(2), TimeSpan(3.0, 3.5)))
    assert [(m.rank, m.span.start_seconds) for m in moments] == [
        *((BY_HAND, 3.0), (1, 2.0), (2, 1.5)),
    ]
    assert [rank_mark(moment) for moment in moments] == ["✎", "1", "2"]
    assert [rank_text("en", moment) for moment in moments] == ["By hand", "1", "2"]
    assert moment_title("zh", moments[0]).startswith("手动")
    assert moments[0].confidence is None
