"""Which moments become pictures: arithmetic only, no files."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from render.plan import MIN_CLIP_SECONDS, CutPlan, box_on_screen, plan_cut
from stablechat.types import TimeSpan, Tube, VideoInfo


def video(times: np.ndarray, fps: Fraction | int, *, variable: bool) -> VideoInfo:
    return VideoInfo(
        path=Path("a.mp4"),
        width=64,
        height=48,
        rotation=0,
        fps=Fraction(fps),
        num_frames=len(times),
        duration_seconds=float(times[-1] + 1 / Fraction(fps)),
        start_seconds=float(times[0]),
        has_audio=False,
        codec="h264",
        variable_frame_rate=variable,
    )


def plan(
    times: np.ndarray,
    fps: Fraction | int,
    span: tuple[float, float],
    *,
    variable: bool = False,
) -> CutPlan:
    return plan_cut(video(times, fps, variable=variable), times, TimeSpan(*span))


THIRTY = np.arange(300) / 30


@pytest.mark.parametrize(
    ("span", "start", "count"),
    [
        ((1.0, 2.0), 1.0, 31),  # the picture that appears at 2.0 is in
        ((1.01, 2.0), 1.0, 31),  # the picture on screen at 1.01 appeared at 1.0
        ((0.0, 10.0), 0.0, 300),
        ((9.9, 50.0), 9.8, 6),  # 0.2 s is the least
        ((20.0, 50.0), 9.8, 6),
        ((1.0, 1.0), 1.0, 6),
    ],
)
def test_constant_rate(span: tuple[float, float], start: float, count: int) -> None:
    made = plan(THIRTY, 30, span)
    assert (made.start_seconds, made.num_frames) == (pytest.approx(start), count)
    assert made.fps == 30


@pytest.mark.parametrize("fps", [5, 11, 12, 15, 24, Fraction(24000, 1001), 25, 30, 60])
@pytest.mark.parametrize("start", [0.0, 1.0, 99.0])
def test_a_short_span_is_widened_to_something_that_plays(
    fps: Fraction | int, start: float
) -> None:
    times = np.arange(60) / float(fps)
    seconds = plan(times, fps, (start, start)).duration_seconds
    assert MIN_CLIP_SECONDS - 0.001 <= seconds < MIN_CLIP_SECONDS + 1 / fps


def test_times_rounded_to_milliseconds_are_the_same_pictures() -> None:
    made = plan(THIRTY.round(3), 30, (THIRTY[40].round(3), THIRTY[70].round(3)))
    assert made.num_frames == 31 and made.fps == 30


@pytest.mark.parametrize(
    ("late", "start", "count"), [(0.021, 0.021, 31), (0.5, 0.0, 46)]
)
def test_pictures_that_start_late(late: float, start: float, count: int) -> None:
    made = plan(THIRTY + late, 30, (0.0, late + 1.0))
    assert (made.start_seconds, made.num_frames) == (pytest.approx(start), count)


def test_a_dropped_picture_does_not_change_the_rate() -> None:
    times = np.delete(np.arange(150) / 25, 1)
    assert plan(times, Fraction(149, 6), (1.0, 2.0)).fps == 25


@pytest.mark.parametrize(
    ("steps", "expected"),
    [
        ([1 / 30] * 60 + [1 / 10] * 20, 30),
        ([1 / 10] * 60 + [1 / 9] * 20, 10),
        ([0.031, 0.034, 0.035] * 20, 30),  # a phone
        ([1 / 60] * 30 + [0.4] * 3, 60),  # a screen recorder
        ([3.0, 8.0, 1.0], 5),  # slides
        ([0.002, 0.003] * 40, 60),
    ],
)
def test_a_varying_rate_becomes_steady(steps: list[float], expected: int) -> None:
    times = np.concatenate([[0.0], np.cumsum(steps)])
    fps = Fraction(len(steps)) / Fraction(times[-1]).limit_denominator(1000)
    whole = (0.0, float(times[-1]))
    assert plan(times, fps, whole, variable=True).fps == expected


@pytest.mark.parametrize(
    ("fps", "expected"), [(1, 1), (Fraction(1, 5), 10), (240, 240), (1000, 240)]
)
def test_rates_stay_within_bounds(fps: Fraction | int, expected: int) -> None:
    times = np.array([float(i / Fraction(fps)) for i in range(40)])
    assert plan(times, fps, (0.0, float(times[-1]))).fps == expected


@given(
    start=st.floats(0, 30),
    length=st.floats(0, 30),
    count=st.integers(1, 200),
    fps=st.sampled_from([Fraction(24000, 1001), Fraction(25), Fraction(60), 3]),
    first=st.floats(0, 2),
    variable=st.booleans(),
)
def test_any_plan_is_inside_the_video(
    start: float,
    length: float,
    count: int,
    fps: Fraction,
    first: float,
    variable: bool,
) -> None:
    times = first + np.arange(count) / float(fps)
    made = plan(times, fps, (start, start + length), variable=variable)
    end = float(times[-1] + 1 / fps)
    assert made.num_frames >= 1 and made.start_seconds >= 0
    assert made.start_seconds <= end
    assert made.start_seconds + made.duration_seconds <= end + 1.1 / made.fps
    enough = min(MIN_CLIP_SECONDS, end)
    assert made.duration_seconds >= enough - 1.1 / made.fps


TUBE = Tube(np.array([1.0, 2.0]), np.array([[0.0, 0, 10, 10], [10, 0, 20, 10]]))


@pytest.mark.parametrize(
    ("time", "picture_time", "left"),
    [
        (0.9, 0.9, None),  # gone before the tube begins
        (0.97, 0.97, 0.0),  # still on screen when it begins
        (1.0, 1.0, 0.0),
        (1.5, 1.5, 5.0),
        (1.5, 1.2, 2.0),  # the box stays with the picture that stays
        (1.5, 0.2, 0.0),
        (2.0, 2.0, 10.0),
        (2.0015, 2.0015, 10.0),  # rounding
        (2.04, 2.0, None),
    ],
)
def test_box_on_screen(time: float, picture_time: float, left: float | None) -> None:
    box = box_on_screen(TUBE, time, picture_time, CutPlan(0.0, Fraction(25), 100))
    assert (None if box is None else pytest.approx(box[0])) == left


def test_no_tube_no_box() -> None:
    assert box_on_screen(None, 1.0, 1.0, CutPlan(0.0, Fraction(25), 100)) is None
