"""Going through windows: order, progress, the time that is left."""

from __future__ import annotations

import pytest

from stablechat.errors import InputError
from stablechat.search import check_top, search_windows
from stablechat.turn import Progress
from stablechat.types import SearchProgress, TimeSpan

WINDOWS = [TimeSpan(0, 10), TimeSpan(10, 20), TimeSpan(20, 30)]


def test_every_query_is_asked_before_a_window_is_left() -> None:
    events: list[object] = []

    def ask(window: TimeSpan, query: str, report: Progress) -> tuple[float, str]:
        events.append((window.start_seconds, query))
        return window.start_seconds, query

    answers = search_windows(
        WINDOWS,
        ["a", "b"],
        ask,  # type: ignore[arg-type]
        lambda: events.append("released"),
    )
    assert events == [
        *[(0, "a"), (0, "b"), "released"],
        *[(10, "a"), (10, "b"), "released"],
        *[(20, "a"), (20, "b"), "released"],
    ]
    assert answers == [
        [(0, "a"), (10, "a"), (20, "a")],
        [(0, "b"), (10, "b"), (20, "b")],
    ]


def test_progress_never_goes_back_and_tells_the_time_that_is_left() -> None:
    seen: list[SearchProgress] = []
    now = 100.0

    def ask(window: TimeSpan, query: str, report: Progress) -> None:
        nonlocal now
        for stage in ("read", "encode", "answer"):
            for fraction in (0.0, 0.5, 1.0):
                report(stage, fraction)
            now += 2.0

    search_windows(
        WINDOWS,
        ["a", "b"],
        ask,  # type: ignore[arg-type]
        None,
        seen.append,
        clock=lambda: now,
    )
    fractions = [each.fraction for each in seen]
    assert fractions == sorted(fractions)
    assert (fractions[0], fractions[-1]) == (0.0, 1.0)
    assert {each.window for each in seen} == {1, 2, 3}
    assert {each.num_windows for each in seen} == {3}
    first = [each for each in seen if each.window == 1]
    assert {each.remaining_seconds for each in first} == {None}
    # A window takes 12 seconds: 24 are left when the first is done, 22 a stage later.
    second = [each.remaining_seconds for each in seen if each.window == 2]
    assert second[0] == pytest.approx(24)
    assert second[3] == pytest.approx(22)
    assert seen[-1].remaining_seconds == pytest.approx(2)


def test_a_window_that_takes_longer_than_expected_has_no_time_below_0_left() -> None:
    seen: list[SearchProgress] = []
    now = 0.0

    def ask(window: TimeSpan, query: str, report: Progress) -> None:
        nonlocal now
        now += 1.0 if window.start_seconds == 0 else 1000.0
        report("answer", 1.0)

    search_windows(
        WINDOWS[:2],
        ["a"],
        ask,  # type: ignore[arg-type]
        None,
        seen.append,
        clock=lambda: now,
    )
    assert seen[-1].remaining_seconds == 0.0


def test_an_impossible_number_of_moments_is_refused() -> None:
    check_top(None)
    check_top(1)
    with pytest.raises(InputError, match="1 or more"):
        check_top(0)
