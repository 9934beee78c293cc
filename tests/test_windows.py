"""Where a long video is cut into windows."""

from __future__ import annotations

import itertools
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from stablechat.errors import InputError
from stablechat.types import TimeSpan, VideoInfo
from stablechat.windows import MAX_WINDOWS, check_segment, plan_parts, plan_windows


def video(duration: float, start: float = 0.0) -> VideoInfo:
    return VideoInfo(
        Path("v.mp4"), 64, 48, 0, Fraction(25), 100, duration, start, False, "h264"
    )


def pairs(windows: tuple[TimeSpan, ...]) -> list[tuple[float, float]]:
    return [(w.start_seconds, w.end_seconds) for w in windows]


@pytest.mark.parametrize(
    ("duration", "window", "overlap", "expected"),
    [
        (30, 60, 15, [(0, 30)]),
        (60, 60, 15, [(0, 60)]),
        (60.005, 60, 15, [(0, 60.005)]),  # a container's rounding
        (100, 40, 10, [(0, 40), (30, 70), (60, 100)]),
        (90, 40, 10, [(0, 40), (30, 70), (50, 90)]),  # the last one overlaps by more
        (80, 40, 0, [(0, 40), (40, 80)]),
        (61, 60, 0, [(0, 60), (1, 61)]),
    ],
)
def test_windows_of_a_video(
    duration: float, window: float, overlap: float, expected: list[tuple[float, float]]
) -> None:
    assert pairs(plan_windows(video(duration), window, overlap)) == expected


def test_pictures_that_start_late_are_cut_from_there() -> None:
    windows = plan_windows(video(100, 20), 40, 0)
    assert pairs(windows) == [(20, 60), (60, 100)]


def test_a_part_of_a_video_is_cut_like_a_video() -> None:
    def cut(start: float, end: float) -> list[tuple[float, float]]:
        part = TimeSpan(start, end)
        return pairs(plan_windows(video(100, 20), 40, 10, part))

    assert cut(30, 100) == [(30, 70), (60, 100)]
    assert cut(0, 60) == [(20, 60)]  # nothing is shown before
    assert cut(50, 900) == [(50, 90), (60, 100)]
    assert cut(35, 36) == [(35, 36)]
    with pytest.raises(InputError, match=r"begins at 101.00 .* ends at 100.00"):
        cut(101, 102)


def test_a_part_before_the_first_picture_is_refused() -> None:
    with pytest.raises(InputError, match=r"ends at 1.00 .* begins at 2.02"):
        check_segment(video(100, 2.023), TimeSpan(0, 1))


@given(
    duration=st.floats(1, 20_000),
    ends=st.tuples(st.floats(0, 1), st.floats(0, 1)),
    window=st.floats(5, 600),
)
def test_windows_stay_inside_the_part(
    duration: float, ends: tuple[float, float], window: float
) -> None:
    start, end = sorted(duration * share for share in ends)
    assume(start < duration)
    found = plan_windows(video(duration), window, window / 4, TimeSpan(start, end))
    assert found[0].start_seconds == start
    assert found[-1].end_seconds == pytest.approx(end)
    shortest = min(each.duration_seconds for each in found)
    assert shortest == pytest.approx(min(window, end - start), abs=0.011)


@given(
    duration=st.floats(0.1, 20_000),
    start=st.floats(0, 5),
    window=st.floats(5, 600),
    overlap_share=st.floats(0, 0.9),
)
def test_windows_cover_all_and_are_of_one_length(
    duration: float, start: float, window: float, overlap_share: float
) -> None:
    overlap = overlap_share * window
    assume(duration < MAX_WINDOWS * (window - overlap))
    found = plan_windows(video(duration, min(start, duration)), window, overlap)
    assert found[0].start_seconds == min(start, duration)
    assert found[-1].end_seconds == pytest.approx(duration)
    if len(found) > 1:
        lengths = [each.duration_seconds for each in found]
        assert lengths == pytest.approx([window] * len(found))
    for before, after in itertools.pairwise(found):
        assert before.start_seconds < after.start_seconds
        assert before.end_seconds - after.start_seconds > overlap - 0.011


@pytest.mark.parametrize(
    ("window", "overlap", "words"),
    [
        (0, 0, "longer than 0 s"),
        (-5, 0, "longer than 0 s"),
        (float("nan"), 0, "longer than 0 s"),
        (float("inf"), 0, "longer than 0 s"),
        (60, 60, "less than 60 s"),
        (60, -1, "0 s or more"),
        (60, float("nan"), "can overlap by"),
        (0.1, 0, f"the limit is {MAX_WINDOWS}"),
        (1e-320, 0, f"inf windows and the limit is {MAX_WINDOWS}"),
    ],
)
def test_impossible_windows_are_refused(
    window: float, overlap: float, words: str
) -> None:
    with pytest.raises(InputError, match=words) as refused:
        plan_windows(video(3600), window, overlap)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("duration", "part", "within", "expected"),
    [
        (12, 20, None, [(0, 12)]),
        (12, 5, None, [(0, 5), (5, 10), (10, 12)]),
        (11, 5, None, [(0, 5), (5, 11)]),  # what is left is too short to be a part
        (10.005, 5, None, [(0, 5), (5, 10.005)]),
        (100, 10, TimeSpan(12, 35), [(12, 22), (22, 32), (32, 35)]),
        (30, 10, TimeSpan(15, 99), [(15, 25), (25, 30)]),
    ],
)
def test_parts_follow_one_another(
    duration: float,
    part: float,
    within: TimeSpan | None,
    expected: list[tuple[float, float]],
) -> None:
    assert pairs(plan_parts(video(duration), part, within)) == expected


@given(duration=st.floats(0.1, 5000), part=st.floats(1, 600), start=st.floats(0, 5))
def test_parts_cover_all_without_overlap(
    duration: float, part: float, start: float
) -> None:
    found = plan_parts(video(duration, min(start, duration)), part)
    assert found[0].start_seconds == min(start, duration)
    assert found[-1].end_seconds == pytest.approx(duration)
    for before, after in itertools.pairwise(found):
        assert before.end_seconds == after.start_seconds
        assert before.duration_seconds == pytest.approx(part)
    if len(found) > 1:
        assert 0.24 * part <= found[-1].duration_seconds <= 1.26 * part


def test_a_part_of_a_video_is_cut_into_windows() -> None:
    windows = plan_windows(video(100), 40, 10, TimeSpan(20, 90))
    assert pairs(windows) == [(20, 60), (50, 90)]
    with pytest.raises(InputError, match="choose an earlier one"):
        plan_windows(video(100), 40, 10, TimeSpan(100, 110))
