"""Read -> answer -> finish, event by event (SimPy).

Each stage has workers, and a queue before it whose room is bounded: a worker that is
done keeps its place until what it made fits there, so that a slow stage slows those
before it, as in ``batch`` and in serving. What comes to a full first queue is refused.
A worker that fails drops its work, which is done again by whoever is free, and is back
after a while. More workers are ordered by what came lately, and come later.

Left out: a finished piece that waits for room is never lost.
"""

from __future__ import annotations

import itertools
import math
from collections import deque
from collections.abc import Generator, Sequence
from typing import Any

import numpy as np
import simpy

from benchmarks.capacity.line import (
    FloatArray,
    Line,
    Outcome,
    Scaling,
    Stage,
    StageOutcome,
)

Events = Generator[simpy.Event, Any, Any]

#: Ends the worker that takes it; last in every queue.
_RETIRE = math.inf


def simulate(
    line: Line,
    arrivals: Sequence[float] | FloatArray,
    services: FloatArray,
    seed: int = 0,
    until_seconds: float | None = None,
) -> Outcome:
    """Run it.

    Args:
        line: Workers and queues.
        arrivals: Seconds at which videos come, in order, (N,).
        services: Seconds of work of each, by stage, (3, N).
        seed: Of the failures.
        until_seconds: When to stop; None for when all is done.

    Returns:
        The same for the same arguments.
    """
    run = _Run(line, np.asarray(arrivals, float), services, seed)
    return run.run(until_seconds)


class _Desk:
    """A stage at work.

    Args:
        env: The clock.
        stage: How many workers, and so on.
        services: Seconds of each piece.
        rng: Of the failures.
    """

    def __init__(
        self,
        env: simpy.Environment,
        stage: Stage,
        services: FloatArray,
        rng: np.random.Generator,
    ) -> None:
        self.stage = stage
        self.services: list[float] = services.tolist()
        self.mean_seconds = float(services.mean()) if services.size else 0.0
        self.inbox = simpy.PriorityStore(env)
        self.room: simpy.Container | None = None
        if stage.room is not None:
            self.room = simpy.Container(env, init=stage.room)
        self.wanted = 0
        self.busy_seconds = self.rented_seconds = 0.0
        self.done = self.lost = self.most = 0
        self.ordered: dict[int, float] = {}
        self._leaving = 0
        self._returned: set[float] = set()
        self._rng = rng

    @property
    def waiting(self) -> int:
        """Pieces in the queue that no idle worker is about to take; below 0 if more
        are idle."""
        return len(self.inbox.items) - len(self.inbox.get_queue) - self._leaving

    @property
    def is_full(self) -> bool:
        """Whether one more would find neither room nor a worker."""
        most = self.stage.room
        return most is not None and self.waiting >= most

    def taken(self, number: float) -> None:
        """A worker has a piece; its place in the queue is free, once."""
        if number in self._returned:
            self._returned.discard(number)
        elif self.room is not None:
            self.room.put(1)

    def put_back(self, number: int) -> None:
        """A worker can't do what it has taken."""
        self._returned.add(number)
        self.inbox.put(number)

    def retire(self) -> None:
        """One worker goes, once nothing waits."""
        self.wanted -= 1
        self._leaving += 1
        self.inbox.put(_RETIRE)

    def retired(self) -> None:
        """It is gone."""
        self._leaving -= 1

    def fails_after(self) -> float:
        """Seconds that a worker will live."""
        mean = self.stage.mtbf_seconds
        return math.inf if math.isinf(mean) else float(self._rng.exponential(mean))

    def outcome(self, now: float) -> StageOutcome:
        """What became of it."""
        rented = self.rented_seconds + sum(now - at for at in self.ordered.values())
        return StageOutcome(self.busy_seconds, rented, self.done, self.lost, self.most)


class _Run:
    def __init__(
        self, line: Line, arrivals: FloatArray, services: FloatArray, seed: int
    ) -> None:
        self._env = simpy.Environment()
        rng = np.random.default_rng(seed)
        self._arrivals: list[float] = arrivals.tolist()
        self._desks = [
            _Desk(self._env, stage, row, rng)
            for stage, row in zip(line.stages, services, strict=True)
        ]
        self._processors: simpy.PriorityResource | None = None
        if line.processors is not None:
            self._processors = simpy.PriorityResource(self._env, line.processors)
        self._latencies: list[float] = []
        self._came = self._refused = 0
        self._names = itertools.count()
        self._all_done = self._env.event()

    def run(self, until: float | None) -> Outcome:
        """To the end."""
        for place, desk in enumerate(self._desks):
            for _ in range(desk.stage.workers):
                self._order(place, 0.0)
            if desk.stage.scaling is not None:
                self._env.process(self._scale(place, desk.stage.scaling))
        self._env.process(self._arrive())
        if self._arrivals or until is not None:
            self._env.run(self._all_done if until is None else until)
        now = self._env.now
        return Outcome(
            arrived=self._came,
            refused=self._refused,
            in_flight=self._came - self._refused - len(self._latencies),
            latency_seconds=np.array(self._latencies),
            end_seconds=now,
            stages=tuple(desk.outcome(now) for desk in self._desks),
        )

    def _arrive(self) -> Events:
        first = self._desks[0]
        for number, at in enumerate(self._arrivals):
            if at > self._env.now:
                yield self._env.timeout(at - self._env.now)
            self._came += 1
            if first.is_full:
                self._refused += 1
            else:
                first.inbox.put(number)
        self._see_whether_done()

    def _see_whether_done(self) -> None:
        through = self._refused + len(self._latencies)
        if through == len(self._arrivals) and not self._all_done.triggered:
            self._all_done.succeed()

    def _order(self, place: int, delay: float) -> None:
        desk = self._desks[place]
        desk.wanted += 1
        desk.most = max(desk.most, desk.wanted)
        self._env.process(self._worker(place, delay))

    def _worker(self, place: int, delay: float) -> Events:
        desk, env = self._desks[place], self._env
        me = next(self._names)
        desk.ordered[me] = env.now
        if delay:
            yield env.timeout(delay)
        fails_at = env.now + desk.fails_after()
        while (number := (yield desk.inbox.get())) != _RETIRE:
            desk.taken(number)
            done = False
            if env.now < fails_at:
                done = yield from self._work(place, number, fails_at)
            else:  # it failed while nobody looked
                desk.put_back(number)
            if not done:
                back_at = fails_at + desk.stage.restart_seconds
                yield env.timeout(max(0.0, back_at - env.now))
                fails_at = env.now + desk.fails_after()
        desk.retired()
        desk.rented_seconds += env.now - desk.ordered.pop(me)

    def _work(self, place: int, number: int, fails_at: float) -> Events:
        """Whether a piece was done; if not, somebody else does it."""
        desk, env = self._desks[place], self._env
        held = None
        if self._processors is not None and place != 1:
            # What is nearly done goes first.
            held = self._processors.request(priority=-place)
            yield held
        started = env.now
        seconds = desk.services[number]
        ends = min(started + seconds, max(fails_at, started))
        yield env.timeout(ends - started)
        if held is not None and self._processors is not None:
            self._processors.release(held)
        desk.busy_seconds += env.now - started
        if started + seconds > fails_at:
            desk.lost += 1
            desk.put_back(number)
            return False
        desk.done += 1
        yield from self._hand_on(place, number)
        return True

    def _hand_on(self, place: int, number: int) -> Events:
        if place + 1 == len(self._desks):
            self._latencies.append(self._env.now - self._arrivals[number])
            self._see_whether_done()
            return
        following = self._desks[place + 1]
        following.inbox.put(number)
        if following.room is not None:
            yield following.room.get(1)

    def _scale(self, place: int, scaling: Scaling) -> Events:
        desk, first = self._desks[place], self._desks[0]
        lately: deque[int] = deque(
            maxlen=max(1, round(scaling.keep_seconds / scaling.every_seconds))
        )
        came = 0
        while True:
            yield self._env.timeout(scaling.every_seconds)
            rate = (self._came - came) / scaling.every_seconds
            came = self._came
            waiting = sum(max(0, each.waiting) for each in {desk, first})
            lately.append(_workers_for(desk, scaling, rate, waiting))
            for _ in range(lately[-1] - desk.wanted):
                self._order(place, scaling.delay_seconds)
            for _ in range(desk.wanted - max(lately)):
                desk.retire()


def _workers_for(desk: _Desk, scaling: Scaling, rate: float, waiting: int) -> int:
    work = rate / scaling.utilisation + waiting / scaling.drain_seconds
    return min(scaling.most, max(scaling.least, math.ceil(work * desk.mean_seconds)))
