"""Groundings finer than a bin: where boxes and spans end up in seconds and pixels."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from answer_texts import Piece, answer, box, t, untidy_answers, written
from hypothesis import given
from hypothesis import strategies as st

from stablechat.grounding import to_grounding
from stablechat.parser import parse_answer
from stablechat.types import FloatArray, Grounding, Task, TimeSpan, VideoInfo

# 99 x 198 pixels: a bin is one pixel wide and two high. 100 frames, ten a second.
VIDEO = VideoInfo(Path("a.mp4"), 99, 198, 0, Fraction(10), 100, 10.0, 0.0, True, "h264")
PTS = np.arange(100) / 10
BOX = (10, 20, 30, 40)
ROWS = {4: BOX, 5: BOX, 6: BOX}


def ground(
    pieces: Sequence[Piece],
    offsets: Sequence[float] | float = 0.0,
    task: Task = "stvg",
    *,
    known: bool = True,
    sure: float = 1.0,
    pts: FloatArray = PTS,
    **asked: Any,
) -> Grounding:
    said = written(pieces, offsets, sure)
    if not known:
        said = replace(said, neighbour_probabilities=None)
    parsed = parse_answer(said.text, task)
    return to_grounding(parsed, said, pts, VIDEO, "a dog", **asked)


def ends(found: Grounding) -> tuple[float, float]:
    assert found.span is not None
    return found.span.start_seconds, found.span.end_seconds


def times(found: Grounding) -> list[float]:
    assert found.tube is not None
    return found.tube.times_seconds.tolist()


@pytest.mark.parametrize(
    ("start", "end", "moments"),
    [
        pytest.param(-0.25, 0.25, [0.375, 0.4, 0.5, 0.6, 0.625], id="outwards"),
        pytest.param(0.25, -0.25, [0.4, 0.5, 0.6], id="inwards"),
        pytest.param(0.0, 0.0, [0.4, 0.5, 0.6], id="on frames"),
    ],
)
def test_the_boxes_cover_a_span_between_frames(
    start: float, end: float, moments: list[float]
) -> None:
    found = ground(answer((4, 6), ROWS), [start, end, *[0.0] * 15])
    assert ends(found) == pytest.approx((0.4 + start / 10, 0.6 + end / 10))
    np.testing.assert_allclose(times(found), moments)
    assert found.tube is not None and found.issues == ()
    for moment in ends(found):
        np.testing.assert_allclose(found.tube.at(moment), [10, 40, 30, 80])


def test_boxes_are_finer_and_rows_stay_at_their_frames() -> None:
    found = ground(answer((4, 6), ROWS), [0, 0, *[0.4, 0.1, -0.2, 0.3, -0.4] * 3])
    assert times(found) == [0.4, 0.5, 0.6]
    assert found.tube is not None
    np.testing.assert_allclose(found.tube.xyxy, [[10.1, 39.6, 30.3, 79.2]] * 3)


def test_without_scores_the_answer_is_in_bins() -> None:
    found = ground(answer((4, 6), ROWS), 0.3, known=False)
    assert ends(found) == (0.4, 0.6)
    assert found.tube is not None and found.tube.confidence is None
    np.testing.assert_allclose(found.tube.xyxy, [[10, 40, 30, 80]] * 3)
    assert (found.confidence, found.span_confidence) == (None, None)


def test_confidence_goes_along() -> None:
    found = ground(answer((4, 6), ROWS), [-0.25, 0.25, *[0.0] * 15], sure=0.5)
    assert found.tube is not None and found.tube.confidence is not None
    np.testing.assert_allclose(found.tube.confidence, [0.5] * 5)
    assert found.confidence == pytest.approx(0.5)
    assert found.span_confidence == pytest.approx(0.5)


def test_a_span_that_was_asked_for_stays_as_asked() -> None:
    pieces = [piece for frame in (4, 5) for piece in (t(frame), ":", *box(*BOX), ", ")]
    asked = TimeSpan(0.42, 0.48)
    found = ground(pieces, 0.3, "svg", asked_span=asked)
    assert found.span == asked and found.span_confidence is None
    assert found.confidence == pytest.approx(1.0)


def test_an_event_runs_from_the_asked_start() -> None:
    pieces = ["Ends in ", t(6), ", a dog. ", t(5), ":", *box(*BOX)]
    found = ground(pieces, [0.3, *[0.0] * 5], "elc", asked_start_seconds=0.5)
    assert ends(found) == pytest.approx((0.5, 0.63))
    # Refined to before the start that was asked about: the bin stays.
    found = ground(pieces, [-0.9, *[0.0] * 5], "elc", asked_start_seconds=0.55)
    assert ends(found) == pytest.approx((0.55, 0.6))


def test_a_span_of_one_frame_still_lasts_until_the_next() -> None:
    found = ground(answer((4, 4), {4: BOX}), [-0.3, 0.3, *[0.0] * 5])
    assert ends(found) == pytest.approx((0.4, 0.5))
    np.testing.assert_allclose(times(found), [0.4, 0.5])


def test_nothing_found_has_no_confidence() -> None:
    found = ground(["no idea"])
    assert not found.found and found.confidence is None


def test_a_picture() -> None:
    found = ground(box(*BOX), 0.25, "rec", pts=np.zeros(1), sure=0.5)
    assert found.tube is not None and found.tube.confidence is not None
    np.testing.assert_allclose(found.tube.xyxy, [[10.25, 40.5, 30.25, 80.5]])
    assert found.confidence == pytest.approx(found.tube.confidence[0]) == 0.5


@st.composite
def sampled_times(draw: st.DrawFn) -> FloatArray:
    """Times of 100 frames, varying or not, pictures repeated or not."""
    steps = st.sampled_from([0.0, 0.001, 0.04, 0.5])
    return np.cumsum(draw(st.lists(steps, min_size=100, max_size=100)))


@given(
    untidy_answers,
    st.sampled_from(["stvg", "svg", "elc", "tvg", "rec"]),
    sampled_times(),
    st.floats(-0.99, 0.99),
    st.none() | st.floats(0, 2),
)
def test_any_answer_lands_inside_the_video(
    pieces: list[Any],
    task: Task,
    pts: FloatArray,
    offset: float,
    asked: float | None,
) -> None:
    asked_start = asked if task == "elc" else None
    asked_span = TimeSpan(asked, asked + 1) if task == "svg" and asked else None
    options: dict[str, Any] = {
        "pts": pts,
        "asked_span": asked_span,
        "asked_start_seconds": asked_start,
    }
    found = ground(pieces, offset, task, **options)
    plain = ground(pieces, offset, task, known=False, **options)
    assert (found.span is None) == (plain.span is None)
    assert (found.tube is None) == (plain.tube is None)
    if found.span is not None and plain.span is not None and asked_span is None:
        step = float(np.diff(pts).max())
        assert found.span.duration_seconds > 0
        assert abs(found.span.start_seconds - plain.span.start_seconds) <= step + 1e-9
        assert abs(found.span.end_seconds - plain.span.end_seconds) <= step + 1e-9
        assert found.span.start_seconds >= min(pts[0], plain.span.start_seconds)
        assert found.span.end_seconds <= max(pts[-1], plain.span.end_seconds)
    if found.tube is not None:
        low, high = found.tube.xyxy.min(0), found.tube.xyxy.max(0)
        assert (low >= 0).all()
        assert high[2] <= VIDEO.width + 1e-9 and high[3] <= VIDEO.height + 1e-9
    complaint = [i for i in found.issues if "less than the span" in i]
    if complaint:
        assert any("less than the span" in i for i in plain.issues)
