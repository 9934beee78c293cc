"""What is simulated, and what came of it."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Scaling:
    """When workers come and go.

    Attributes:
        least, most: Workers.
        utilisation: Aimed at.
        delay_seconds: From the order to the first work.
        every_seconds: From one look to the next.
        drain_seconds: In which what waits should be done.
        keep_seconds: No worker goes that was wanted so lately.
    """

    least: int
    most: int
    utilisation: float = 0.7
    delay_seconds: float = 180.0
    every_seconds: float = 30.0
    drain_seconds: float = 60.0
    keep_seconds: float = 600.0


@dataclass(frozen=True)
class Stage:
    """One of the three.

    Attributes:
        workers: At the start.
        room: Pieces that may wait before it; None for any number.
        mtbf_seconds: Mean time from a worker's start to its failure.
        restart_seconds: From then until it works again.
        scaling: None for a fixed number.
    """

    workers: int
    room: int | None = None
    mtbf_seconds: float = math.inf
    restart_seconds: float = 0.0
    scaling: Scaling | None = None

    def __post_init__(self) -> None:
        if self.workers < 1 or (self.room or 0) < 0 or self.mtbf_seconds <= 0:
            raise ValueError(f"No stage is like this: {self}")


@dataclass(frozen=True)
class Line:
    """The whole of it.

    Attributes:
        stages: Read, answer, finish.
        processors: That reading and finishing share, a piece each; None where each
            worker has its own.
    """

    stages: tuple[Stage, Stage, Stage]
    processors: int | None = None


@dataclass(frozen=True)
class StageOutcome:
    """What became of a stage.

    Attributes:
        busy_seconds: Of all workers, lost work included.
        rented_seconds: From each worker's order to its end.
        done, lost: Pieces.
        most_workers: At once.
    """

    busy_seconds: float
    rented_seconds: float
    done: int
    lost: int
    most_workers: int

    @property
    def utilisation(self) -> float:
        """Share of the rented time that was worked."""
        return self.busy_seconds / self.rented_seconds if self.rented_seconds else 0.0


@dataclass(frozen=True, eq=False)
class Outcome:
    """What became of all.

    Attributes:
        arrived, refused, in_flight: Videos.
        latency_seconds: From arrival to the clip, of those that were answered.
        end_seconds: When the last one was done, or the time was up.
        stages: Read, answer, finish.
    """

    arrived: int
    refused: int
    in_flight: int
    latency_seconds: FloatArray
    end_seconds: float
    stages: tuple[StageOutcome, ...]

    @property
    def answered(self) -> int:
        """Videos with a clip."""
        return len(self.latency_seconds)

    def percentile(self, percent: float) -> float:
        """Of the latency; infinite where nothing was answered."""
        if not self.answered:
            return math.inf
        return float(np.percentile(self.latency_seconds, percent))
