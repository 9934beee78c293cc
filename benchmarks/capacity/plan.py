"""From a thousand to ten million videos a day: machines, latency, money.

Days are simulated whole for up to :data:`CELL` videos; more are as many cells of that
size beside each other, which share nothing, so one stands for all. How many cards the
busiest time needs is searched for with a burst in it, up to :data:`POOL` videos a day
in one pool.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from benchmarks.capacity.instances import PROCESSORS, Instance, StoragePrices
from benchmarks.capacity.line import FloatArray, Line, Outcome, Scaling, Stage
from benchmarks.capacity.measured import Measured
from benchmarks.capacity.model import (
    SECONDS_PER_HOUR,
    Workload,
    demand_of,
    flows_of,
    rent,
    videos_per_gpu_hour,
    workers_for,
)
from benchmarks.capacity.simulate import simulate
from benchmarks.capacity.workload import Day, peak, services

#: Videos a day of the largest day and of the largest busiest time that is simulated.
CELL, POOL = 10**5, 10**6
SCALES = (10**3, 10**4, 10**5, 10**6, 10**7)
#: Videos of a simulated busiest time, and its bounds in hours.
_PEAK_VIDEOS, _PEAK_HOURS = 20_000, (0.5, 12.0)
_MOST_MORE = 40


@dataclass(frozen=True)
class Assumptions:
    """All that was not measured.

    Attributes:
        work: What is asked.
        day: How it is spread; its number of videos is another one each time.
        target_p95_seconds: From a video's arrival to its clip.
        most_refused: Share, at the busiest time.
        spread: As ``workload.services`` has it.
        threads: vCPUs of a reading or finishing worker.
        utilisation: Of reading and finishing at the busiest time, and aimed at.
        room_seconds: The first queue holds what comes in this time, at the busiest.
        mtbf_hours: Of each worker.
        restart_seconds: Until a worker is back, or a new one there; of the model's,
            loading the weights comes on top.
        instance: Where the cards are.
        seed: Of everything that is drawn.
    """

    work: Workload = field(default_factory=Workload)
    day: Day = field(default_factory=lambda: Day(0))
    target_p95_seconds: float = 30.0
    most_refused: float = 0.001
    spread: float = 0.5
    threads: int = 2
    utilisation: float = 0.7
    room_seconds: float = 60.0
    mtbf_hours: float = 24.0
    restart_seconds: float = 180.0
    instance: str = "p5.48xlarge"
    seed: int = 20261126


@dataclass(frozen=True)
class Sized:
    """How many workers the busiest time needs.

    Attributes:
        line: With them.
        tried: Cards, p95 in seconds and share refused of each try.
        peak_rate: Videos a second, without the burst.
    """

    line: Line
    tried: tuple[tuple[int, float, float], ...]
    peak_rate: float

    @property
    def gpus(self) -> int:
        """Cards."""
        return self.line.stages[1].workers


class Planner:
    """Sizes and simulates.

    Args:
        measured: What is known.
        assumed: What is not.
    """

    def __init__(self, measured: Measured, assumed: Assumptions) -> None:
        self.measured = measured
        self.assumed = assumed
        self.demand = demand_of(measured, assumed.work)
        self._sized: dict[int, Sized] = {}
        self._days: dict[tuple[int, bool], Outcome] = {}

    def line(self, rate: float, gpus: int) -> Line:
        """Workers for a rate a second, and queues that hold some of it."""
        a, cpu = self.assumed, self.demand.cpu_seconds
        life, restart = a.mtbf_hours * SECONDS_PER_HOUR, a.restart_seconds
        readers, finishers = (
            workers_for(rate, cpu[name] / a.threads, a.utilisation)
            for name in ("read", "finish")
        )
        loading = restart + self.measured.load_seconds.value
        first = max(2, math.ceil(rate * a.room_seconds))
        return Line(
            (
                Stage(readers, first, life, restart),
                Stage(gpus, 2 * gpus, life, loading),
                Stage(finishers, 2 * finishers, life, restart),
            )
        )

    def size(self, videos: int) -> Sized:
        """See :meth:`_search`; each number is searched for once."""
        if videos not in self._sized:
            self._sized[videos] = self._search(videos)
        return self._sized[videos]

    def _search(self, videos: int) -> Sized:
        """Fewest cards with which the busiest time, burst and all, keeps the target.

        Raises:
            ValueError: No number does: reading and finishing alone take too long.
        """
        a = self.assumed
        day = replace(a.day, videos=videos)
        rng = np.random.default_rng(a.seed)
        hours = _PEAK_VIDEOS / day.peak_rate / SECONDS_PER_HOUR
        arrivals = peak(day, rng, float(np.clip(hours, *_PEAK_HOURS)))
        work = self._services(rng, len(arrivals))
        burst = day.peak_rate * day.burst_factor
        fewest = max(1, math.floor(burst * self.demand.gpu * 0.8))
        tried: list[tuple[int, float, float]] = []
        for gpus in range(fewest, fewest + _MOST_MORE):
            line = self.line(burst, gpus)
            outcome = simulate(line, arrivals, work, a.seed)
            p95, refused = outcome.percentile(95), outcome.refused / outcome.arrived
            tried.append((gpus, p95, refused))
            if p95 <= a.target_p95_seconds and refused <= a.most_refused:
                return Sized(line, tuple(tried), day.peak_rate)
        raise ValueError(f"{tried[-1][0]} GPUs have a p95 of {tried[-1][1]:.0f} s.")

    def _services(self, rng: np.random.Generator, count: int) -> FloatArray:
        a = self.assumed
        return services(self.measured, a.work, rng, count, a.spread, a.threads)

    def whole_day(self, videos: int, *, scaled: bool) -> Outcome:
        """A day with the workers of the busiest time, or with as many as it needs."""
        key = (videos, scaled)
        if key not in self._days:
            line = self.size(videos).line
            self._days[key] = self._day(videos, self.scaled(line) if scaled else line)
        return self._days[key]

    def _day(self, videos: int, line: Line) -> Outcome:
        a = self.assumed
        rng = np.random.default_rng(a.seed + 1)
        arrivals = replace(a.day, videos=videos).arrivals(rng)
        work = self._services(rng, len(arrivals))
        return simulate(line, arrivals, work, a.seed, 24 * SECONDS_PER_HOUR)

    def scaled(self, line: Line) -> Line:
        """The same workers at most, that come and go."""
        a = self.assumed
        first, answer, last = (
            replace(
                stage,
                workers=max(1, stage.workers // 4),
                scaling=Scaling(
                    max(1, stage.workers // 8),
                    math.ceil(1.25 * stage.workers),
                    a.utilisation,
                    stage.restart_seconds,
                ),
            )
            for stage in line.stages
        )
        return replace(line, stages=(first, answer, last))


def machines_usd(
    outcome: Outcome, instance: Instance, processors: Instance, threads: int
) -> dict[str, float]:
    """What the rented time costs: cards by the share of their machine, and the
    processors that those do not bring.

    Args:
        outcome: Of a day.
        instance: Where the cards are.
        processors: Where the others are.
        threads: vCPUs of a worker without card.
    """
    read, answer, finish = outcome.stages
    gpu_hours = answer.rented_seconds / SECONDS_PER_HOUR
    worked = (read.rented_seconds + finish.rented_seconds) / SECONDS_PER_HOUR * threads
    # Each card's own process drives it.
    beside = gpu_hours * (instance.vcpus_per_gpu - 1)
    more = max(0.0, worked - beside)
    return {
        "gpu_hours": gpu_hours,
        "vcpu_hours": worked,
        "gpu_machines_usd": gpu_hours * instance.usd_per_hour / instance.num_gpus,
        "cpu_machines_usd": more * processors.usd_per_hour / processors.vcpus,
    }


def day_report(
    planner: Planner, outcome: Outcome, **prices: Instance
) -> dict[str, Any]:
    """A day in numbers.

    Args:
        planner: Which simulated it.
        outcome: The day.
        prices: ``instance`` and ``processors``.
    """
    names = ("read", "answer", "finish")
    by_name = dict(zip(names, outcome.stages, strict=True))
    return {
        "arrived": outcome.arrived,
        "answered": outcome.answered,
        "refused": outcome.refused,
        "in_flight": outcome.in_flight,
        **{f"p{p}_seconds": outcome.percentile(p) for p in (50, 95, 99)},
        "utilisation": {name: each.utilisation for name, each in by_name.items()},
        "most_workers": {name: each.most_workers for name, each in by_name.items()},
        "work_done_again": sum(each.lost for each in outcome.stages),
        **machines_usd(outcome, **prices, threads=planner.assumed.threads),
    }


def scale_report(
    planner: Planner,
    videos: int,
    instances: dict[str, Instance],
    storage: StoragePrices,
) -> dict[str, Any]:
    """One line of the scale table."""
    a = planner.assumed
    in_cell, in_pool = min(videos, CELL), min(videos, POOL)
    cells, pools = videos // in_cell, videos // in_pool
    cell = planner.size(in_cell)
    pool = cell if in_pool == in_cell else planner.size(in_pool)
    prices = {
        "instance": instances[a.instance],
        "processors": instances[PROCESSORS],
    }
    days = {
        "fixed": planner.whole_day(in_cell, scaled=False),
        "scaled": planner.whole_day(in_cell, scaled=True),
    }
    return {
        "videos_per_day": videos,
        "peak_videos_per_second": cell.peak_rate * cells,
        "cells": cells,
        "gpus_at_peak_in_cells": cell.gpus * cells,
        "gpus_at_peak_in_pools": pool.gpus * pools,
        "vcpus_at_peak": a.threads
        * pools
        * (pool.line.stages[0].workers + pool.line.stages[2].workers),
        "tried": {
            str(n): [list(each) for each in sized.tried]
            for n, sized in ((in_cell, cell), (in_pool, pool))
        },
        "cell_day": {n: day_report(planner, d, **prices) for n, d in days.items()},
        "flows": asdict(flows_of(planner.measured, a.work, videos, storage)),
    }


#: Card, questions about a video, and seats, of each line of the first table.
_CASES = (
    ("H200", 1, 1),
    ("H100", 1, 1),
    ("H100", 8, 1),
    ("H100", 8, 8),
    ("H100", 32, 32),
)


def capacity_report(measured: Measured) -> list[dict[str, Any]]:
    """Videos an hour of a card, for some numbers of questions and seats."""
    return [
        _capacity(measured, Workload(gpu, height, questions, seats))
        for height in measured.videos
        for gpu, questions, seats in _CASES
    ]


def _capacity(measured: Measured, work: Workload) -> dict[str, Any]:
    demand = demand_of(measured, work)
    videos = videos_per_gpu_hour(demand)
    return {
        **{
            name: getattr(work, name)
            for name in ("gpu", "height", "questions", "seats")
        },
        "gpu_seconds": dict(demand.gpu_seconds),
        "cpu_seconds": dict(demand.cpu_seconds),
        "videos_per_gpu_hour": videos,
        "queries_per_gpu_hour": work.questions * videos,
        "balanced_vcpus_per_gpu": demand.balanced_vcpus_per_gpu,
    }


def cost_report(
    measured: Measured, assumed: Assumptions, instances: dict[str, Instance]
) -> list[dict[str, Any]]:
    """Cost of a thousand queries by instance type."""
    found = []
    for each in instances.values():
        if each.num_gpus:
            work = replace(assumed.work, gpu=each.gpu)
            demand = demand_of(measured, work)
            rented = rent(
                each,
                instances[PROCESSORS],
                demand,
                work.questions,
                assumed.utilisation,
            )
            found.append(
                {
                    **asdict(rented),
                    "gpu": each.gpu,
                    "usd_per_hour": each.usd_per_hour,
                    "vcpus_per_gpu": each.vcpus_per_gpu,
                    "price": each.remark,
                }
            )
    return found


def report(
    measured: Measured,
    assumed: Assumptions,
    instances: dict[str, Instance],
    storage: StoragePrices,
    scales: Sequence[int] = SCALES,
) -> dict[str, Any]:
    """All tables."""
    gpu = instances[assumed.instance].gpu
    assumed = replace(assumed, work=replace(assumed.work, gpu=gpu))
    planner = Planner(measured, assumed)
    return {
        "assumed": {**asdict(assumed), "storage": asdict(storage)},
        "measured": [
            {"name": name, "value": value, "source": source}
            for name, value, source in measured.sources()
        ],
        "capacity": capacity_report(measured),
        "cost": cost_report(measured, assumed, instances),
        "scales": [scale_report(planner, n, instances, storage) for n in scales],
    }
