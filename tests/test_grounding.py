"""Bins to seconds and pixels: exact cases, then properties over any answer."""

from __future__ import annotations

import dataclasses
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stablechat.errors import InputError
from stablechat.grounding import (
    bins_to_seconds,
    boxes_to_xyxy,
    span_to_unit,
    to_grounding,
    xyxy_to_unit,
)
from stablechat.parser import parse_answer
from stablechat.types import (
    NUM_BINS,
    BoxBins,
    FloatArray,
    Generation,
    Grounding,
    ParsedAnswer,
    SpanBins,
    Task,
    TimeSpan,
    VideoInfo,
)

# 99 x 198 pixels: a bin is one pixel wide and two high. 100 frames, ten a second.
VIDEO = VideoInfo(Path("a.mp4"), 99, 198, 0, Fraction(10), 100, 10.0, 0.0, True, "h264")
PTS = np.arange(100) / 10
BOX = (10, 20, 30, 40)
XYXY = [10.0, 40.0, 30.0, 80.0]


def ground(
    span: SpanBins | None = None,
    boxes: dict[int, BoxBins] | None = None,
    *,
    task: Task = "stvg",
    pts: FloatArray = PTS,
    video: VideoInfo = VIDEO,
    finish: Any = "stop",
    **asked: Any,
) -> Grounding:
    return to_grounding(
        ParsedAnswer(task, "words", span, boxes or {}, ("From the parser.",)),
        Generation("text", (1, 2), finish),
        sample_pts_seconds=pts,
        video=video,
        query="a dog",
        model="demo",
        **asked,
    )


def added_issues(grounding: Grounding) -> tuple[str, ...]:
    assert grounding.issues[0] == "From the parser."
    return grounding.issues[1:]


def times(grounding: Grounding) -> list[float]:
    assert grounding.tube is not None
    return [float(value) for value in grounding.tube.times_seconds]


def test_a_whole_answer() -> None:
    found = ground((4, 6), {4: BOX, 5: BOX, 6: (11, 21, 31, 41)})
    assert found.span == TimeSpan(0.4, 0.6)
    assert found.tube is not None
    np.testing.assert_array_equal(found.tube.times_seconds, PTS[4:7])
    np.testing.assert_allclose(found.tube.xyxy[0], XYXY)
    np.testing.assert_allclose(found.tube.xyxy[2], [11, 42, 31, 82])
    assert added_issues(found) == ()
    assert (found.query, found.task, found.model) == ("a dog", "stvg", "demo")
    assert (found.prose, found.confidence, found.found) == ("words", None, True)
    assert found.generation.token_ids == (1, 2)


def test_from_text_to_pixels() -> None:
    text = (
        "During the span of {<TEMP-000><TEMP-099>}. Object bounding box: "
        "<TEMP-000>:[<WIDTH-000><HEIGHT-000><WIDTH-099><HEIGHT-099>], "
        "<TEMP-099>:[<WIDTH-000><HEIGHT-000><WIDTH-099><HEIGHT-099>]."
    )
    found = to_grounding(
        parse_answer(text, "stvg"), Generation(text, (), "stop"), PTS, VIDEO, "a dog"
    )
    assert found.span == TimeSpan(0.0, 9.9)
    assert found.tube is not None
    np.testing.assert_allclose(found.tube.at(5.0), [0, 0, 99, 198])


def test_no_answer_is_a_result() -> None:
    found = ground()
    assert (found.span, found.tube, found.found) == (None, None, False)
    assert found.issues == ("From the parser.",)


def test_a_time_without_boxes() -> None:
    found = ground((4, 6), task="tvg")
    assert found.span == TimeSpan(0.4, 0.6) and found.tube is None


def test_boxes_without_a_time_give_one() -> None:
    found = ground(None, {4: BOX, 9: BOX})
    assert found.span == TimeSpan(0.4, 0.9)
    assert times(found) == [0.4, 0.9]
    assert added_issues(found) == ("The time was taken from the boxes.",)


def test_boxes_outside_the_span_are_left_out() -> None:
    found = ground((4, 6), {3: BOX, 4: BOX, 5: BOX, 6: BOX, 7: BOX, 90: BOX})
    assert times(found) == [0.4, 0.5, 0.6]
    assert added_issues(found) == ("Boxes outside the span were left out: 3.",)


def test_no_box_inside_the_span() -> None:
    found = ground((4, 6), {90: BOX})
    assert found.span == TimeSpan(0.4, 0.6) and found.tube is None
    assert added_issues(found) == ("Boxes outside the span were left out: 1.",)


def test_a_cut_answer_says_what_is_missing() -> None:
    found = ground((4, 60), {4: BOX, 5: BOX}, finish="length")
    assert times(found) == [0.4, 0.5]
    assert added_issues(found) == (
        "The boxes cover 0.400 to 0.500 seconds, which is less than the span.",
        "The answer reached its length limit, so its end is missing.",
    )
    assert added_issues(ground((4, 5), finish="cancelled")) == (
        "The answer was stopped before its end.",
    )


@pytest.mark.parametrize(
    ("frame", "span"), [(4, TimeSpan(0.4, 0.5)), (99, TimeSpan(9.9, 10.0))]
)
def test_one_frame_lasts_until_the_next(frame: int, span: TimeSpan) -> None:
    found = ground((frame, frame), {frame: BOX})
    assert found.span is not None and found.tube is not None
    assert found.span.start_seconds == pytest.approx(span.start_seconds)
    assert found.span.end_seconds == pytest.approx(span.end_seconds)
    np.testing.assert_allclose(found.tube.at(found.span.start_seconds), XYXY)
    np.testing.assert_allclose(found.tube.at(found.span.end_seconds), XYXY)
    assert added_issues(found) == ()


def test_one_frame_at_the_end_of_a_short_header() -> None:
    video = dataclasses.replace(VIDEO, duration_seconds=9.9)
    found = ground((99, 99), {99: BOX}, video=video)
    assert found.span == TimeSpan(9.8, 9.9)
    assert times(found) == [9.8, 9.9]


def test_svg_answers_for_the_asked_span() -> None:
    asked = TimeSpan(0.44, 0.66)
    boxes = {frame: BOX for frame in (3, 4, 5, 6, 7, 8)}
    found = ground(None, boxes, task="svg", asked_span=asked)
    assert found.span == asked
    assert times(found) == [0.4, 0.5, 0.6, 0.7]
    assert added_issues(found) == ("Boxes outside the span were left out: 2.",)


def test_boxes_are_held_to_the_edges_of_an_asked_span() -> None:
    boxes = {5: BOX, 6: (11, 21, 31, 41)}
    found = ground(None, boxes, task="svg", asked_span=TimeSpan(0.44, 0.66))
    assert times(found) == [0.44, 0.5, 0.6, 0.66]
    assert found.tube is not None
    np.testing.assert_allclose(found.tube.at(0.44), XYXY)
    np.testing.assert_allclose(found.tube.at(0.66), [11, 42, 31, 82])
    assert added_issues(found) == ()


def test_an_asked_span_ends_with_the_video() -> None:
    found = ground(None, {50: BOX}, task="svg", asked_span=TimeSpan(1, 5000))
    assert found.span == TimeSpan(1, VIDEO.duration_seconds)


def test_svg_without_an_asked_span() -> None:
    found = ground(None, {4: BOX, 9: BOX}, task="svg")
    assert found.span == TimeSpan(0.4, 0.9)
    assert added_issues(found) == ()


def test_elc_runs_from_the_asked_start_to_the_answered_end() -> None:
    boxes = {frame: BOX for frame in (30, 40, 50)}
    found = ground((30, 50), boxes, task="elc", asked_start_seconds=2.95)
    assert found.span == TimeSpan(2.95, 5.0)
    assert times(found) == [2.95, 3.0, 4.0, 5.0]
    assert added_issues(found) == ()


def test_elc_end_before_the_asked_start() -> None:
    too_early = "The model's end lies before the start asked about."
    found = ground((10, 10), {}, task="elc", asked_start_seconds=5.0)
    assert not found.found and added_issues(found) == (too_early,)
    found = ground((10, 10), {60: BOX, 70: BOX}, task="elc", asked_start_seconds=5.0)
    assert found.span == TimeSpan(5.0, 7.0) and times(found) == [6.0, 7.0]
    found = ground((10, 10), {8: BOX, 10: BOX}, task="elc", asked_start_seconds=5.0)
    assert not found.found
    assert added_issues(found) == (
        too_early,
        "The boxes do not fit the time and were left out.",
    )


def test_an_image_has_one_box_and_no_time() -> None:
    found = ground(None, {0: BOX}, task="rec", pts=np.zeros(1))
    assert found.span is None
    assert times(found) == [0.0]
    assert found.tube is not None
    np.testing.assert_allclose(found.tube.at(0.0), XYXY)


def test_a_short_video_repeats_frames() -> None:
    """25 pictures in 100 places: the boxes of one picture are averaged."""
    pts = np.repeat(np.arange(25) / 25, 4)
    boxes = {4: BOX, 5: BOX, 6: (12, 20, 32, 40), 7: (12, 20, 32, 40), 8: BOX}
    found = ground((4, 8), boxes, pts=pts)
    assert found.span == TimeSpan(0.04, 0.08)
    assert times(found) == [0.04, 0.08]
    assert found.tube is not None
    np.testing.assert_allclose(found.tube.xyxy[0], [11, 40, 31, 80])
    one_picture = ground((4, 7), boxes, pts=pts)
    assert one_picture.span == TimeSpan(0.04, 0.08)
    assert times(one_picture) == [0.04, 0.08]


def test_a_video_of_one_picture() -> None:
    found = ground((0, 99), {0: BOX, 99: BOX}, pts=np.zeros(100))
    assert found.span == TimeSpan(0.0, 0.1)
    assert times(found) == [0.0, 0.1]


def test_a_late_first_frame_counts_from_the_container() -> None:
    assert ground((0, 10), pts=PTS + 1.5).span == TimeSpan(1.5, 2.5)
    # A first picture before the container's start is shown at its start.
    early = ground((0, 10), pts=PTS - 0.05).span
    assert early is not None and early.start_seconds == 0.0
    assert early.end_seconds == pytest.approx(0.95)


def test_fewer_frames_than_bins() -> None:
    pts = np.array([0.0, 3.0, 4.0, 9.0])
    np.testing.assert_allclose(
        bins_to_seconds([0, 33, 66, 99, 16.5], pts), [0, 3, 4, 9, 1.5]
    )


@pytest.mark.parametrize(
    ("bins", "xyxy"),
    [
        ((50, 50, 50, 60), [49.5, 100, 50.5, 120]),
        ((0, 0, 0, 99), [0, 0, 1, 198]),
        ((99, 99, 99, 99), [98, 197, 99, 198]),
    ],
)
def test_a_box_without_area_is_drawn(bins: BoxBins, xyxy: list[float]) -> None:
    found = ground((4, 4), {4: bins})
    assert found.tube is not None
    np.testing.assert_allclose(found.tube.xyxy[0], xyxy)
    assert added_issues(found) == ("A box without area is shown one pixel thick.",)


def test_a_video_smaller_than_the_bins() -> None:
    video = dataclasses.replace(VIDEO, width=2, height=1)
    found = ground((4, 4), {4: (50, 10, 60, 20)}, video=video)
    assert found.tube is not None
    x1, y1, x2, y2 = found.tube.xyxy[0]
    assert (x2 - x1, y1, y2) == (1, 0, 1) and 0 <= x1 <= 1
    assert added_issues(found) == ()


@pytest.mark.parametrize("pts", [[], [[0.0]], [0.0, np.nan], [1.0, 0.5]])
def test_impossible_times_are_refused(pts: Any) -> None:
    with pytest.raises(InputError, match="sampled frames"):
        ground((0, 1), pts=np.array(pts))


def test_xyxy_to_unit() -> None:
    assert xyxy_to_unit((10, 20, 30, 40), 100, 200) == (0.1, 0.1, 0.3, 0.2)
    assert xyxy_to_unit((30, 40, -10, 900), 100, 200) == (0.0, 0.2, 0.3, 1.0)


# --- properties ---------------------------------------------------------------------

bins = st.integers(0, NUM_BINS - 1)
spans = st.tuples(bins, bins).map(lambda pair: (min(pair), max(pair)))
boxes_in_bins = st.tuples(bins, bins, bins, bins).map(
    lambda v: (min(v[0], v[2]), min(v[1], v[3]), max(v[0], v[2]), max(v[1], v[3]))
)


@st.composite
def sampled_times(draw: st.DrawFn) -> FloatArray:
    """Times of 1 to 100 frames: any rate, varying or not, pictures repeated or not."""
    count = draw(st.integers(1, 100))
    steps = draw(
        st.lists(
            st.sampled_from([0.0, 0.001, 0.033, 0.04, 0.5, 61.7]),
            min_size=count,
            max_size=count,
        )
    )
    return np.cumsum(steps)


@given(
    st.sampled_from(["stvg", "svg", "elc", "tvg", "rec"]),
    st.none() | spans,
    st.dictionaries(bins, boxes_in_bins, max_size=12),
    sampled_times(),
    st.tuples(st.integers(1, 4096), st.integers(1, 4096)),
    st.none() | spans,
)
def test_any_answer_lands_inside_the_video(
    task: Task,
    span: SpanBins | None,
    boxes: dict[int, BoxBins],
    pts: FloatArray,
    size: tuple[int, int],
    asked: SpanBins | None,
) -> None:
    width, height = size
    duration = float(pts[-1]) + 0.1
    video = dataclasses.replace(
        VIDEO, width=width, height=height, duration_seconds=duration
    )
    options: dict[str, Any] = {}
    if asked is not None:
        start, end = bins_to_seconds(asked, pts)
        options = {
            "asked_span": TimeSpan(start, end),
            "asked_start_seconds": float(start),
        }
    boxes = {0: next(iter(boxes.values()), BOX)} if task == "rec" else boxes
    found = ground(span, dict(sorted(boxes.items())), task=task, pts=pts, video=video,
                   **options)  # fmt: skip
    if found.span is not None:
        assert 0 <= found.span.start_seconds <= found.span.end_seconds <= duration
        if task != "svg":
            assert found.span.duration_seconds > 0
    if found.tube is not None:
        low, high = found.tube.xyxy.min(0), found.tube.xyxy.max(0)
        assert (low >= 0).all()
        assert high[2] <= width + 1e-9 and high[3] <= height + 1e-9
        sizes = found.tube.xyxy[:, 2:] - found.tube.xyxy[:, :2]
        assert (sizes >= 1 - 1e-6).all()
        assert (found.tube.times_seconds <= duration).all()


@given(sampled_times())
def test_later_bins_are_never_earlier(pts: FloatArray) -> None:
    seconds = bins_to_seconds(range(NUM_BINS), pts)
    assert (np.diff(seconds) >= 0).all()
    assert seconds[0] == pts[0] and seconds[-1] == pts[-1]
    if len(pts) == NUM_BINS:
        np.testing.assert_array_equal(seconds, pts)


@given(spans, sampled_times())
def test_a_span_in_seconds_goes_back_to_its_bins(
    span: SpanBins, pts: FloatArray
) -> None:
    start, end = bins_to_seconds(span, pts)
    unit_start, unit_end = span_to_unit(TimeSpan(start, end), pts)
    assert 0 <= unit_start <= unit_end <= 1
    # Whole pictures: never later than the span's start, nor earlier than its end.
    assert unit_start * 99 <= span[0] + 1e-6
    assert unit_end * 99 >= span[1] - 1e-6 or start == end
    back = bins_to_seconds(np.array([unit_start, unit_end]) * 99, pts)
    np.testing.assert_allclose(back, [start, end], atol=1e-6)


@given(spans, st.dictionaries(bins, boxes_in_bins, min_size=1))
@example((1, 1), {0: (0, 0, 0, 0), 2: (0, 0, 0, 0)})  # one frame, widened in time
def test_every_box_inside_the_span_is_kept(
    span: SpanBins, boxes: dict[int, BoxBins]
) -> None:
    found = ground(span, dict(sorted(boxes.items())))
    inside = sorted(frame for frame in boxes if span[0] <= frame <= span[1])
    if not inside:
        assert found.tube is None
        return
    assert found.tube is not None
    for frame in inside:
        expected = boxes_to_xyxy([boxes[frame]], VIDEO.width, VIDEO.height)[0]
        at_frame = found.tube.at(float(PTS[frame]))
        assert at_frame is not None
        assert np.abs(at_frame - expected).max() <= 1
