"""Joining the answers of windows, and ranking moments."""

from __future__ import annotations

import math
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stablechat.errors import InputError
from stablechat.moments import ranked_moments, same_moment
from stablechat.types import (
    Generation,
    Grounding,
    Moment,
    Moments,
    SecondLook,
    TimeSpan,
    Tube,
    VideoInfo,
    WindowAnswer,
)

VIDEO = VideoInfo(Path("v.mp4"), 100, 100, 0, Fraction(25), 2500, 100, 0, False, "h264")
BOX = (10.0, 10.0, 30.0, 30.0)


def answer(
    window: tuple[float, float],
    span: tuple[float, float] | None,
    *,
    box: tuple[float, ...] | None = BOX,
    confidence: float | None = 0.8,
    difference: float | None = None,
    text: str = "said",
) -> WindowAnswer:
    """One window's answer: a box that stays where it is."""
    tube = None
    if span is not None and box is not None:
        times = np.linspace(*span, 5)
        sure = None if confidence is None else np.full(5, confidence)
        tube = Tube(times, np.tile(np.array(box), (5, 1)), sure)
    found = Grounding(
        VIDEO,
        "it",
        "stvg",
        None if span is None else TimeSpan(*span),
        tube,
        "",
        confidence if span else None,
        Generation(text, (), "stop", {"decode_seconds": 1.0}),
        span_confidence=confidence if span else None,
        second_look=None if difference is None else SecondLook("it", difference),
    )
    return WindowAnswer(TimeSpan(*window), found)


def moments(*answers: WindowAnswer, top: int | None = None) -> Moments:
    windows = [each.window for each in answers]
    return ranked_moments(VIDEO, "it", windows, answers, top, "model")


def spans(found: Moments) -> list[tuple[float, float]]:
    return [
        (round(g.span.start_seconds, 3), round(g.span.end_seconds, 3))
        for g in found.groundings
        if g.span is not None
    ]


# --- which are one --------------------------------------------------------------


def test_two_windows_that_saw_the_same_are_one_moment() -> None:
    found = moments(answer((0, 40), (32, 37)), answer((30, 70), (33, 38)))
    assert spans(found) == [(32.5, 37.5)]
    assert len(found.moments[0].windows) == 2
    assert found.num_moments == 1


def test_what_the_first_window_cut_off_is_taken_from_the_second() -> None:
    found = moments(answer((0, 40), (31, 39.9)), answer((30, 70), (31, 52)))
    assert spans(found) == [(31, 52)]
    tube = found.groundings[0].tube
    assert tube is not None
    assert (tube.times_seconds[0], tube.times_seconds[-1]) == (31, 52)


def test_a_moment_longer_than_any_window_is_joined_from_all() -> None:
    found = moments(
        answer((0, 40), (20, 40)),
        answer((30, 70), (30.1, 69.8)),
        answer((60, 100), (60, 80)),
    )
    assert spans(found) == [(20, 80)]
    assert len(found.moments[0].windows) == 3


def test_cut_off_at_both_ends_by_every_window() -> None:
    found = moments(answer((0, 40), (0, 40)), answer((30, 70), (30, 70)))
    assert spans(found) == [(0, 70)]


@pytest.mark.parametrize(
    "second",
    [
        answer((30, 70), (50, 60)),  # elsewhere
        answer((30, 70), (30, 32)),  # hardly meets it
        answer((30, 70), (32, 37), box=(60, 60, 80, 80)),  # another thing meanwhile
        answer((40, 80), (42, 47)),  # windows that share nothing
    ],
)
def test_other_times_and_other_things_are_other_moments(second: WindowAnswer) -> None:
    first = answer((0, 40), (31.9, 37.2))
    assert not same_moment(first, second)
    assert not same_moment(second, first)
    assert moments(first, second).num_moments == 2


def test_answers_without_boxes_are_compared_by_their_times() -> None:
    first, second = answer((0, 40), (32, 37)), answer((30, 70), (32, 37), box=None)
    assert same_moment(first, second)
    (joined,) = moments(first, second).groundings
    assert joined.tube is not None
    assert joined.tube.xyxy[0].tolist() == list(BOX)
    (bare,) = moments(
        answer((0, 40), (32, 37), box=None), answer((30, 70), (32, 37), box=None)
    ).groundings
    assert bare.tube is None


def test_boxes_alone_are_never_joined() -> None:
    alone = answer((0, 40), (32, 37))
    boxes = replace(alone, answer=replace(alone.answer, span=None))
    assert not same_moment(boxes, alone)
    assert moments(boxes, answer((30, 70), (32, 37))).num_moments == 2


# --- how they are joined --------------------------------------------------------


def test_boxes_pass_smoothly_from_one_window_to_the_next() -> None:
    left, right = (10.0, 10.0, 30.0, 30.0), (14.0, 10.0, 34.0, 30.0)
    found = moments(
        answer((0, 40), (20, 40), box=left), answer((30, 70), (30, 50), box=right)
    )
    tube = found.groundings[0].tube
    assert tube is not None
    x1 = [round(float(box[0]), 9) for box in tube.xyxy]
    assert x1[0] == pytest.approx(10)
    assert x1[-1] == pytest.approx(14)
    assert x1 == sorted(x1)
    middle = tube.at(35)
    assert middle is not None and middle[0] == pytest.approx(12)
    assert max(np.diff(x1)) < 3


def test_a_surer_window_counts_for_more() -> None:
    found = moments(
        answer((0, 40), (32, 36), confidence=0.9),
        answer((30, 70), (34, 38), confidence=0.3),
    )
    # Both ends were seen by both windows; shared IoU is 1/3: two moments.
    assert found.num_moments == 2
    joined = moments(
        answer((0, 40), (32, 37), confidence=0.9),
        answer((30, 70), (33, 38), confidence=0.3),
    )
    assert spans(joined) == [(32.25, 37.25)]
    assert joined.groundings[0].confidence == pytest.approx(0.6)


def test_what_was_not_measured_stays_so() -> None:
    (joined,) = moments(
        answer((0, 40), (32, 37), confidence=None), answer((30, 70), (32, 37))
    ).groundings
    assert joined.confidence is None
    assert joined.tube is not None and joined.tube.confidence is None


def test_a_joined_answer_keeps_what_every_window_said() -> None:
    (joined,) = moments(
        answer((0, 40), (32, 37), text="one"), answer((30, 70), (32, 37), text="two")
    ).groundings
    assert joined.generation.text == "one\ntwo"
    assert joined.generation.timings == {"decode_seconds": 2.0}


def test_a_moment_of_one_window_is_its_answer() -> None:
    only = answer((0, 40), (5, 9))
    assert moments(only).groundings[0] is only.answer


@given(
    st.lists(
        st.tuples(st.floats(0, 39), st.floats(0.5, 20), st.floats(0, 1)),
        min_size=1,
        max_size=6,
    )
)
def test_whatever_windows_say_moments_are_whole(
    drawn: list[tuple[float, float, float]],
) -> None:
    answers = []
    for number, (start, length, sure) in enumerate(drawn):
        first = number * 20.0
        span = (first + start, first + min(start + length, 40.0))
        answers.append(answer((first, first + 40), span, confidence=sure))
    found = moments(*answers)
    assert 1 <= found.num_moments <= len(answers)
    assert sum(len(m.windows) for m in found.moments) == len(answers)
    for moment in found.moments:
        span_, tube = moment.grounding.span, moment.grounding.tube
        assert span_ is not None and tube is not None
        assert moment.windows[0].start_seconds <= span_.start_seconds
        assert span_.end_seconds <= moment.windows[-1].end_seconds
        assert np.all(tube.xyxy[:, 2:] > tube.xyxy[:, :2])


# --- ranking --------------------------------------------------------------------


def test_the_same_question_comes_first_then_what_is_sure() -> None:
    found = moments(
        answer((0, 10), (1, 2), confidence=0.99, difference=0.3),
        answer((10, 20), (11, 12), confidence=0.5, difference=0.1),
        answer((20, 30), (21, 22), confidence=0.7, difference=None),
        answer((30, 40), (31, 32), confidence=0.9, difference=0.3),
        answer((40, 50), None),
    )
    assert spans(found) == [(11, 12), (1, 2), (31, 32), (21, 22)]
    looks = [m.grounding.second_look for m in found.moments]
    assert [each and each.difference for each in looks] == [0.1, 0.3, 0.3, None]


def test_a_joined_moment_has_the_nearest_look_of_its_windows() -> None:
    found = moments(
        answer((0, 10), (6, 9), difference=0.3),
        answer((5, 15), (6, 9), difference=0.1, confidence=0.2),
    )
    (joined,) = found.groundings
    assert joined.second_look == SecondLook("it", 0.1)


def test_only_the_best_are_kept_and_the_others_are_counted() -> None:
    found = moments(
        answer((0, 10), (1, 2), confidence=0.1),
        answer((10, 20), (11, 12), confidence=0.9),
        top=1,
    )
    assert spans(found) == [(11, 12)]
    assert (found.num_moments, len(found.windows)) == (2, 2)


def test_nothing_found_is_no_moment() -> None:
    found = moments(answer((0, 10), None), answer((10, 20), None))
    assert (found.moments, found.num_moments) == ((), 0)


def test_what_is_odd_in_a_window_is_told() -> None:
    odd = answer((0, 10), None)
    video = replace(VIDEO, warnings=("3 pictures are damaged.",))
    odd = replace(odd, answer=replace(odd.answer, video=video))
    assert moments(odd).video.warnings == ("3 pictures are damaged.",)


def test_the_types_refuse_what_they_must_not_hold() -> None:
    found = answer((0, 10), (1, 2))
    with pytest.raises(InputError, match="difference"):
        SecondLook("it", 0.8)
    with pytest.raises(InputError, match="difference"):
        SecondLook("it", math.nan)
    with pytest.raises(InputError, match="words"):
        SecondLook("", 0.1)
    with pytest.raises(InputError, match="window"):
        Moment(found.answer, ())
    with pytest.raises(InputError, match="time or a box"):
        Moment(answer((0, 10), None).answer, (found.window,))
    with pytest.raises(InputError, match="at least one window"):
        Moments(VIDEO, "it", (), (), 0)
    with pytest.raises(InputError, match="num_moments"):
        replace(moments(found), num_moments=0)
