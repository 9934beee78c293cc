"""Who waits for the model, and for how long."""

from __future__ import annotations

import threading
from contextlib import ExitStack

import pytest

from stablechat.errors import CancelledError
from ui import view
from ui.jobs import Progress
from ui.lane import BusyError, Lane, Place


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


def never() -> bool:
    return False


class Stop(Exception):
    """Ends a wait once its place is known."""


def place_in(lane: Lane) -> Place:
    """The place of somebody who comes now; they leave again."""
    places: list[Place] = []

    def tell(place: Place) -> None:
        places.append(place)
        raise Stop

    with pytest.raises(Stop), lane.turn(never, tell):
        pass
    return places[0]


def test_who_comes_first_is_first() -> None:
    lane, order, waiting = Lane(), [], threading.Semaphore(0)

    def come(name: int) -> None:
        with lane.turn(never, lambda place: waiting.release()):
            order.append(name)

    with lane.turn(never):
        threads = []
        for name in range(4):
            threads.append(threading.Thread(target=come, args=(name,)))
            threads[-1].start()
            assert waiting.acquire(timeout=5)
            while place_in(lane).ahead < name + 2:
                pass
    for thread in threads:
        thread.join(5)
    assert order == [0, 1, 2, 3]


def test_the_time_is_guessed_from_those_before() -> None:
    clock = Clock()
    lane = Lane(clock=clock)
    with lane.turn(never):
        assert place_in(lane) == Place(1, None)
        clock.now += 6
    with lane.turn(never, weight=3):
        clock.now += 4
        assert place_in(lane) == Place(1, 14.0)
        clock.now += 60  # Longer than was thought.
        assert place_in(lane) == Place(1, 0.0)


def test_what_failed_or_was_stopped_is_no_measure() -> None:
    clock = Clock()
    lane = Lane(clock=clock)
    with pytest.raises(ValueError), lane.turn(never):
        clock.now += 50
        raise ValueError
    with lane.turn(never):
        assert place_in(lane) == Place(1, None)


def test_one_that_stops_leaves_the_line() -> None:
    lane = Lane()
    with lane.turn(never):
        with pytest.raises(CancelledError), lane.turn(lambda: True):
            pass
        assert place_in(lane).ahead == 1


def test_too_many_are_refused_in_words() -> None:
    lane, inside = Lane(max_waiting=0), ExitStack()
    with inside:
        inside.enter_context(lane.turn(never))
        with pytest.raises(BusyError, match="waiting for the model"):
            inside.enter_context(lane.turn(never))
        # Another model was loaded already; it is let through.
        with pytest.raises(CancelledError):
            inside.enter_context(lane.turn(lambda: True, weight=0, refusable=False))
    with lane.turn(never, weight=0):
        pass  # There is room again, and this is no measure.


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "Before you: 2.<"),
        (0.0, "in about 0:00.<"),
        (12.0, "in about 0:15."),
        (130.0, "2:30"),
    ],
)
def test_the_page_tells_the_place(seconds: float | None, said: str) -> None:
    told = view.working("en", (), Progress("wait", place=Place(2, seconds)))
    assert "Before you: 2." in told and said in told
    assert "前面还有 2 个" in view.working("zh", (), Progress(place=Place(2, seconds)))
