"""Answers that a person corrected."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stablechat.correction import corrected
from stablechat.errors import InputError
from stablechat.types import Generation, Grounding, TimeSpan, Tube, VideoInfo

VIDEO = VideoInfo(Path("a.mp4"), 320, 180, 0, Fraction(25), 250, 10.0, 0.0, False, "h")
TUBE = Tube(
    np.array([2.0, 3.0, 4.0]),
    np.array([[0.0, 0, 20, 20], [10, 10, 30, 30], [20, 20, 40, 40]]),
    np.array([0.5, 0.6, 0.7]),
)
ANSWER = Grounding(
    VIDEO, "x", "stvg", TimeSpan(2, 4), TUBE, "", 0.9, Generation("t", (), "stop")
)
BOX = np.array([100.0, 50, 200, 150])


def test_the_models_answer_is_kept_apart() -> None:
    other = replace(ANSWER, alternatives=(ANSWER,), span_confidence=0.8)
    better = corrected(other, TimeSpan(2.5, 4))
    assert better.original is other
    assert (better.confidence, better.span_confidence) == (None, None)
    assert better.alternatives == () and better.generation is other.generation
    # Corrected again, it is still the model's answer that is kept.
    assert corrected(better, TimeSpan(1, 4)).original is other


def test_boxes_outside_a_shorter_time_go_and_its_ends_have_one() -> None:
    tube = corrected(ANSWER, TimeSpan(2.5, 3.5)).tube
    assert tube is not None and tube.confidence is None
    assert tube.times_seconds.tolist() == [2.5, 3.0, 3.5]
    assert tube.xyxy[0] == pytest.approx([5, 5, 25, 25])
    assert tube.xyxy[2] == pytest.approx([15, 15, 35, 35])


def test_a_longer_time_has_boxes_where_they_are_known() -> None:
    tube = corrected(ANSWER, TimeSpan(1, 9)).tube
    assert tube is not None
    assert tube.times_seconds.tolist() == [2.0, 3.0, 4.0]


def test_a_time_without_boxes_leaves_none() -> None:
    assert corrected(ANSWER, TimeSpan(6, 7)).tube is None
    assert corrected(replace(ANSWER, tube=None), TimeSpan(1, 3)).tube is None


def test_a_box_takes_the_place_of_the_one_on_the_same_picture() -> None:
    tube = corrected(ANSWER, TimeSpan(2, 4), {3.01: BOX}).tube
    assert tube is not None
    assert tube.times_seconds.tolist() == [2.0, 3.01, 4.0]
    assert tube.xyxy[1] == pytest.approx(BOX)


def test_a_box_between_known_ones_is_added() -> None:
    tube = corrected(ANSWER, TimeSpan(2, 4), {3.5: BOX}).tube
    assert tube is not None
    assert tube.times_seconds.tolist() == [2.0, 3.0, 3.5, 4.0]


def test_the_first_box_of_an_answer_of_times_alone() -> None:
    tube = corrected(replace(ANSWER, tube=None), TimeSpan(2, 4), {2.0: BOX}).tube
    assert tube is not None and tube.times_seconds.tolist() == [2.0]


@pytest.mark.parametrize(
    ("span", "boxes", "said"),
    [
        (TimeSpan(2, 4), {}, "Nothing was corrected"),
        (TimeSpan(2, 11), {}, "ends at 10.000"),
        (TimeSpan(2, 4), {4.5: BOX}, "outside the time"),
        (TimeSpan(2, 4), {3.0: [0, 0, 321, 10]}, "inside 320x180"),
        (TimeSpan(2, 4), {3.0: [-1, 0, 21, 10]}, "inside 320x180"),
        (TimeSpan(2, 4), {3.0: [30, 0, 30, 10]}, "x1 < x2"),
        (TimeSpan(2, 4), {3.0: [30, 9, 60, 3]}, "y1 < y2"),
        (TimeSpan(2, 4), {3.0: [float("nan"), 0, 20, 10]}, "got nan"),
        (TimeSpan(2, 4), {3.0: [1, 2, 3]}, "got 1, 2, 3"),
        (TimeSpan(2, 4), {float("nan"): BOX}, "outside the time"),
    ],
)
def test_what_makes_no_sense_is_refused(
    span: TimeSpan, boxes: dict[float, np.ndarray], said: str
) -> None:
    with pytest.raises(InputError, match=said):
        corrected(ANSWER, span, boxes)


seconds = st.floats(0, 10)


@given(st.tuples(seconds, seconds), st.lists(seconds, max_size=5))
def test_any_correction_is_a_whole_answer(
    ends: tuple[float, float], moments: list[float]
) -> None:
    span = TimeSpan(*sorted(ends))
    inside = [m for m in moments if span.start_seconds <= m <= span.end_seconds]
    if not inside and span == ANSWER.span:
        return
    better = corrected(ANSWER, span, dict.fromkeys(inside, BOX))
    assert better.span == span
    for moment in inside:
        assert better.tube is not None
        assert better.tube.at(moment) == pytest.approx(BOX)
    if better.tube is not None:
        times = better.tube.times_seconds
        assert span.start_seconds <= times[0] and times[-1] <= span.end_seconds
