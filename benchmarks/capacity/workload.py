"""When videos come, and how long each stage works on each of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from benchmarks.capacity.measured import Measured
from benchmarks.capacity.model import SECONDS_PER_DAY, Workload, demand_of

FloatArray = npt.NDArray[np.float64]
_STEP_SECONDS = 60


@dataclass(frozen=True)
class Day:
    """How a day's videos are spread; assumed.

    Attributes:
        videos: Expected, bursts included.
        peak_ratio: The busiest hour's rate over the mean; the quietest has as much
            less.
        peak_hour: When that is.
        bursts: Expected a day.
        burst_factor: So many times the usual rate.
        burst_seconds: Mean length; each is drawn.
    """

    videos: float
    peak_ratio: float = 1.8
    peak_hour: float = 20.0
    bursts: float = 4.0
    burst_factor: float = 2.0
    burst_seconds: float = 600.0

    def __post_init__(self) -> None:
        if self.videos < 0 or not 1 <= self.peak_ratio <= 2 or self.burst_factor < 1:
            raise ValueError(f"No day is like this: {self}")

    @property
    def peak_rate(self) -> float:
        """Videos a second at the busiest time, without a burst."""
        share = self.bursts * self.burst_seconds / SECONDS_PER_DAY
        usual = 1 + share * (self.burst_factor - 1)
        return self.videos / SECONDS_PER_DAY * self.peak_ratio / usual

    def rates(self, rng: np.random.Generator) -> FloatArray:
        """Videos a second in each minute of a day, (1440,)."""
        starts = np.arange(0, SECONDS_PER_DAY, _STEP_SECONDS)
        phase = 2 * np.pi * (starts / 3600 - self.peak_hour) / 24
        swing = 1 + (self.peak_ratio - 1) * np.cos(phase)
        rates = self.peak_rate / self.peak_ratio * swing
        return np.asarray(rates * np.where(self._in_burst(rng, starts), 1.0, 0.0)
                          * (self.burst_factor - 1) + rates)  # fmt: skip

    def _in_burst(
        self, rng: np.random.Generator, starts: npt.NDArray[np.int_]
    ) -> npt.NDArray[np.bool_]:
        inside = np.zeros(len(starts), bool)
        for _ in range(rng.poisson(self.bursts)):
            first = rng.uniform(0, SECONDS_PER_DAY)
            last = first + rng.exponential(self.burst_seconds)
            inside |= (starts >= first) & (starts < last)
        return inside

    def arrivals(
        self, rng: np.random.Generator, start_hour: float = 0, hours: float = 24
    ) -> FloatArray:
        """Seconds from a start on at which videos come, in order.

        A Poisson process whose rate is constant within a minute.

        Args:
            rng: Drawn from.
            start_hour: Of the day.
            hours: How long; the day goes round.
        """
        rates = np.roll(self.rates(rng), -round(start_hour * 60))
        rates = np.resize(rates, round(hours * 60))
        counts = rng.poisson(rates * _STEP_SECONDS)
        minutes = np.repeat(np.arange(len(rates)), counts)
        times = (minutes + rng.uniform(size=len(minutes))) * _STEP_SECONDS
        return np.sort(times)


def peak(day: Day, rng: np.random.Generator, hours: float) -> FloatArray:
    """Arrivals around the busiest time, the middle third of it in a burst."""
    rate = day.peak_rate
    seconds = hours * 3600
    usual = rng.uniform(0, seconds, rng.poisson(rate * seconds))
    more = rng.poisson(rate * (day.burst_factor - 1) * seconds / 3)
    burst = rng.uniform(seconds / 3, 2 * seconds / 3, more)
    return np.sort(np.concatenate([usual, burst]))


def services(
    measured: Measured,
    work: Workload,
    rng: np.random.Generator,
    count: int,
    spread: float,
    threads: int,
) -> FloatArray:
    """Seconds of reading, answering and finishing for each video, (3, count).

    Args:
        measured: Means, and the answers that are drawn from.
        work: What is asked.
        rng: Drawn from.
        count: Videos.
        spread: Standard deviation over mean of reading and finishing; log-normal.
        threads: vCPUs of a reading or finishing worker; each does its share.
    """
    demand = demand_of(measured, work)
    cpu = demand.cpu_seconds
    answer = np.full(count, demand.gpu)
    if work.seats == 1:
        drawn = rng.choice(
            measured.model.decode[work.gpu], (work.questions, count)
        ).sum(0)
        answer = drawn + demand.gpu - demand.gpu_seconds["decode"]
    return np.stack(
        [
            log_normal(rng, cpu["read"] / threads, spread, count),
            answer,
            log_normal(rng, cpu["finish"] / threads, spread, count),
        ]
    )


def log_normal(
    rng: np.random.Generator, mean: float, spread: float, count: int
) -> FloatArray:
    """Draws with a mean and a standard deviation over it."""
    variance = np.log1p(spread**2)
    drawn = rng.lognormal(np.log(mean) - variance / 2, np.sqrt(variance), count)
    return np.asarray(drawn)
