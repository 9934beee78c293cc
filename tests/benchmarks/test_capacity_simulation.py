"""The simulated line: closed forms, an obvious slow version, and what must hold."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.capacity.line import Line, Outcome, Scaling, Stage
from benchmarks.capacity.queueing import erlang_c, md1_wait_seconds, mmc_wait_seconds
from benchmarks.capacity.simulate import simulate

Floats = np.ndarray[tuple[int, ...], np.dtype[np.float64]]


def only_model(services: Floats) -> Floats:
    """Reading and finishing take no time."""
    nothing = np.zeros_like(services)
    return np.stack([nothing, services, nothing])


def line(workers: int, room: int | None = None) -> Line:
    return Line((Stage(1), Stage(workers, room), Stage(1)))


def test_erlang_c_is_what_the_tables_say() -> None:
    assert erlang_c(1, 0.7) == pytest.approx(0.7)  # M/M/1: the load itself
    assert erlang_c(2, 1.0) == pytest.approx(1 / 3)
    assert erlang_c(10, 8.0) == pytest.approx(0.4092, abs=1e-4)
    assert mmc_wait_seconds(0.5, 1.0, 1) == pytest.approx(1.0)
    assert md1_wait_seconds(0.5, 1.0) == pytest.approx(0.5)
    for wrong in (lambda: erlang_c(2, 2.0), lambda: md1_wait_seconds(2.0, 1.0)):
        with pytest.raises(ValueError, match="load"):
            wrong()


@pytest.mark.parametrize(("servers", "rate"), [(1, 0.6), (3, 2.1), (8, 6.4)])
def test_with_exponential_times_it_is_mmc(servers: int, rate: float) -> None:
    rng = np.random.default_rng(servers)
    count = 30_000
    arrivals = np.cumsum(rng.exponential(1 / rate, count))
    services = rng.exponential(1.0, count)
    outcome = simulate(line(servers), arrivals, only_model(services))
    waited = outcome.latency_seconds.mean() - services.mean()
    assert waited == pytest.approx(mmc_wait_seconds(rate, 1.0, servers), rel=0.15)
    expected = rate / servers
    assert outcome.stages[1].utilisation == pytest.approx(expected, rel=0.03)


def test_with_one_time_it_is_md1() -> None:
    rng = np.random.default_rng(0)
    arrivals = np.cumsum(rng.exponential(1 / 0.7, 30_000))
    outcome = simulate(line(1), arrivals, only_model(np.ones(30_000)))
    waited = outcome.latency_seconds.mean() - 1
    assert waited == pytest.approx(md1_wait_seconds(0.7, 1.0), rel=0.1)


def blocked_line(services: Floats, rooms: tuple[float, float]) -> list[float]:
    """When each piece leaves a line of single workers, by its recursion.

    A worker that is done keeps the piece until there is room for it, which there is
    when the piece ``room + 1`` before it has been taken by the next worker.
    """
    count = services.shape[1]
    starts = np.zeros((3, count))
    leaves = np.zeros((3, count))
    for n in range(count):
        for stage in range(3):
            ready = leaves[stage - 1, n] if stage else 0.0
            free = leaves[stage, n - 1] if n else 0.0
            if stage:  # in the queue as soon as it was made
                ready = starts[stage - 1, n] + services[stage - 1, n]
            starts[stage, n] = max(ready, free)
            done = starts[stage, n] + services[stage, n]
            leaves[stage, n] = done
        for stage in (1, 0):  # a place is kept until the next stage has room
            room = rooms[stage]
            earlier = n - room
            if earlier == n:
                leaves[stage, n] = max(leaves[stage, n], starts[stage + 1, n])
            elif 0 <= earlier:
                taken = starts[stage + 1, int(earlier)]
                leaves[stage, n] = max(leaves[stage, n], taken)
    return [float(each) for each in leaves[2]]


times = st.floats(0.0, 10.0).map(lambda value: round(value, 2))


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(times, times, times), min_size=1, max_size=12),
    st.integers(0, 3),
    st.integers(0, 3),
)
def test_full_queues_hold_up_who_fills_them(
    rows: list[tuple[float, float, float]], first: int, second: int
) -> None:
    services = np.array(rows).T
    stages = (Stage(1), Stage(1, first), Stage(1, second))
    outcome = simulate(Line(stages), np.zeros(len(rows)), services)
    expected = blocked_line(services, (first, second))
    assert sorted(outcome.latency_seconds) == pytest.approx(sorted(expected))


lines = st.builds(
    lambda a, b, c, processors: Line((a, b, c), processors),
    *[
        st.builds(
            Stage,
            workers=st.integers(1, 3),
            room=st.sampled_from([None, 0, 1, 4]),
            mtbf_seconds=st.sampled_from([math.inf, 5.0, 50.0]),
            restart_seconds=st.sampled_from([0.0, 3.0]),
            scaling=st.sampled_from([None, Scaling(1, 4, delay_seconds=5.0)]),
        )
    ]
    * 3,
    processors=st.sampled_from([None, 1, 3]),
)


@settings(max_examples=60, deadline=None)
@given(lines, st.integers(0, 1000), st.sampled_from([10.0, 100.0]))
def test_nothing_is_lost_and_nothing_comes_twice(
    chosen: Line, seed: int, until: float
) -> None:
    rng = np.random.default_rng(seed)
    arrivals = np.sort(rng.uniform(0, 40, 60))
    services = rng.exponential(0.8, (3, 60))
    outcome = simulate(chosen, arrivals, services, seed, until)
    assert outcome.arrived == outcome.answered + outcome.refused + outcome.in_flight
    assert outcome.arrived == np.sum(arrivals < until)
    assert outcome.in_flight >= 0
    done = [stage.done for stage in outcome.stages]
    assert done[0] >= done[1] >= done[2] == outcome.answered
    for stage in outcome.stages:
        assert 0 <= stage.utilisation <= 1 + 1e-9
    again = simulate(chosen, arrivals, services, seed, until)
    assert np.array_equal(again.latency_seconds, outcome.latency_seconds)


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 10_000), st.integers(1, 4))
def test_more_models_are_never_slower(seed: int, workers: int) -> None:
    rng = np.random.default_rng(seed)
    arrivals = np.sort(rng.uniform(0, 50, 60))
    services = only_model(rng.exponential(2.0, 60))
    few, more = (simulate(line(n), arrivals, services) for n in (workers, workers + 1))
    assert more.end_seconds <= few.end_seconds + 1e-9
    assert more.latency_seconds.sum() <= few.latency_seconds.sum() + 1e-9


def busy_hour(**stage: float) -> Outcome:
    rng = np.random.default_rng(7)
    arrivals = np.cumsum(rng.exponential(0.5, 4000))
    stages = (Stage(4, 30), Stage(3, 2, **stage), Stage(4, 2))
    return simulate(Line(stages), arrivals, np.ones((3, 4000)))


def test_failures_are_worked_again_and_cost_time() -> None:
    without, failing = busy_hour(), busy_hour(mtbf_seconds=120.0, restart_seconds=60.0)
    assert without.stages[1].lost == 0 == without.refused
    assert failing.stages[1].lost > 10
    assert failing.stages[1].done == failing.answered
    assert failing.answered + failing.refused == 4000
    assert failing.percentile(99) > without.percentile(99)


def test_the_first_queue_is_bounded() -> None:
    line_of_one = Line((Stage(1, room=2), Stage(1), Stage(1)))
    outcome = simulate(line_of_one, np.zeros(10), np.ones((3, 10)))
    # One in work, two that wait.
    assert (outcome.answered, outcome.refused) == (3, 7)


def test_workers_come_late_and_go() -> None:
    scaling = Scaling(1, 6, delay_seconds=100.0, keep_seconds=60.0)
    stages = (Stage(20), Stage(1, scaling=scaling), Stage(20))
    arrivals = np.concatenate([np.arange(0, 1000, 0.25), np.arange(1000, 4000, 10.0)])
    outcome = simulate(Line(stages), arrivals, only_model(np.ones(len(arrivals))))
    model = outcome.stages[1]
    assert model.most_workers == 6
    assert outcome.percentile(99) > 60  # until they came
    fixed = 6 * outcome.end_seconds
    assert model.rented_seconds < 0.6 * fixed


def test_nothing_comes() -> None:
    outcome = simulate(line(1), [], np.zeros((3, 0)))
    assert (outcome.arrived, outcome.answered) == (0, 0)
    assert outcome.percentile(95) == math.inf
    assert outcome.stages[1].utilisation == 0


@pytest.mark.parametrize(
    "wrong",
    [{"workers": 0}, {"workers": 1, "room": -1}, {"workers": 1, "mtbf_seconds": 0}],
)
def test_a_stage_that_can_not_be(wrong: dict[str, int]) -> None:
    with pytest.raises(ValueError, match="like this"):
        Stage(**wrong)
