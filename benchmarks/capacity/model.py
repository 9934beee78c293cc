"""From measured seconds to videos an hour, machines, money and bytes. Pure sums.

A GPU second is a second in which a card is taken by one video; the measured stages are
those of the product, host included. A CPU second is a second of one vCPU.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.capacity.instances import Instance, StoragePrices
from benchmarks.capacity.measured import Measured

SECONDS_PER_DAY = 86400
SECONDS_PER_HOUR = 3600
_GB = 1e9
_DAYS_PER_MONTH = 30


@dataclass(frozen=True)
class Workload:
    """What is asked; assumed.

    Attributes:
        gpu: Card; follows from the machine.
        height: Of the videos, one that was measured.
        questions: About each video.
        seats: Answers written at once; 1 for one after the other.
        upload_days, result_days: How long each is kept.
        frames_bytes: What goes from reading to the model.
        result_bytes: JSON of one answer.
    """

    gpu: str = "H100"
    height: int = 1080
    questions: int = 1
    seats: int = 1
    upload_days: float = 1.0
    result_days: float = 30.0
    frames_bytes: int = 100 * 3 * 384 * 384
    result_bytes: int = 10_000

    def __post_init__(self) -> None:
        if self.questions < 1 or self.seats < 1:
            raise ValueError(f"There must be a question and a seat: {self}")


@dataclass(frozen=True)
class Demand:
    """What one video with its questions costs.

    Attributes:
        gpu_seconds: By stage.
        cpu_seconds: By stage.
    """

    gpu_seconds: Mapping[str, float]
    cpu_seconds: Mapping[str, float]

    @property
    def gpu(self) -> float:
        """GPU seconds of all stages."""
        return sum(self.gpu_seconds.values())

    @property
    def cpu(self) -> float:
        """CPU seconds of all stages."""
        return sum(self.cpu_seconds.values())

    @property
    def balanced_vcpus_per_gpu(self) -> float:
        """So many vCPUs keep pace with a card."""
        return self.cpu / self.gpu


def demand_of(measured: Measured, work: Workload) -> Demand:
    """What a video costs.

    Several questions about one share its frames and features; each has its clip. A
    prompt's reading is counted for each question, though what prompts have in common
    is read once: the saving was not measured by itself.
    """
    video = measured.videos[work.height]
    model, asked = measured.model, work.questions
    decode = asked * _decode_seconds(measured, work)
    gpu = {
        "encode": model.encode.value,
        "prefill": asked * model.prefill.value,
        "decode": decode,
    }
    cpu = {
        "read": video.read_seconds,
        # The thread that drives a card is busy while it is.
        "drive": sum(gpu.values()),
        "finish": asked * video.finish_seconds,
    }
    return Demand(gpu, cpu)


def _decode_seconds(measured: Measured, work: Workload) -> float:
    """Of one answer; with seats, the card's time by the answers that share it."""
    if work.seats == 1:
        decode = measured.model.decode[work.gpu]
        return sum(decode) / len(decode)
    if work.gpu != "H100":
        raise ValueError(f"seats were measured on H100 only, not on {work.gpu}.")
    if work.seats not in measured.answers_per_second:
        known = sorted(measured.answers_per_second)
        raise ValueError(f"{work.seats} seats were not measured; {known} were.")
    return 1 / measured.answers_per_second[work.seats]


def videos_per_gpu_hour(demand: Demand) -> float:
    """Of a card that never waits."""
    return SECONDS_PER_HOUR / demand.gpu


@dataclass(frozen=True)
class Rented:
    """What an instance type does.

    Attributes:
        instance: Its name.
        bound: ``"gpu"`` or ``"cpu"``: what is short when all stages run on it.
        videos_per_hour: Of one machine, all stages on it.
        usd_per_1000: Queries, so.
        split_usd_per_1000: Queries, with the processor work that finds no room on it
            done on machines without cards.
        split_vcpus: Of those, for each machine.
    """

    instance: str
    bound: str
    videos_per_hour: float
    usd_per_1000: float
    split_usd_per_1000: float
    split_vcpus: float


def rent(
    instance: Instance,
    processors: Instance,
    demand: Demand,
    questions: int,
    utilisation: float,
) -> Rented:
    """Cost of queries on an instance type.

    Args:
        instance: With cards.
        processors: Without.
        demand: Of a video.
        questions: About it.
        utilisation: Share of the time that what is short is busy.

    Raises:
        ValueError: The first has no card, or the share is none.
    """
    if not instance.num_gpus:
        raise ValueError(f"{instance.name} has no GPU.")
    if not 0 < utilisation <= 1:
        raise ValueError(f"utilisation must be in (0, 1], got {utilisation}.")
    by_gpu = instance.num_gpus / demand.gpu * SECONDS_PER_HOUR * utilisation
    by_cpu = instance.vcpus / demand.cpu * SECONDS_PER_HOUR * utilisation
    whole = min(by_gpu, by_cpu)
    # Videos that its cards do, but its processors don't.
    vcpus = max(0.0, by_gpu - by_cpu) * demand.cpu / SECONDS_PER_HOUR / utilisation
    more = vcpus * processors.usd_per_hour / processors.vcpus
    thousand = 1000 / questions
    return Rented(
        instance.name,
        "gpu" if by_gpu <= by_cpu else "cpu",
        whole,
        instance.usd_per_hour / whole * thousand,
        (instance.usd_per_hour + more) / by_gpu * thousand,
        vcpus,
    )


@dataclass(frozen=True)
class Flows:
    """Bytes of a day, and what they cost.

    Attributes:
        in_gbps, out_gbps: Uploads and clips, at the mean rate.
        frames_gbps: Between reading and the model.
        stored_terabytes: Once as much goes as comes.
        storage_usd_per_day, out_usd_per_day: Of those.
    """

    in_gbps: float
    out_gbps: float
    frames_gbps: float
    stored_terabytes: float
    storage_usd_per_day: float
    out_usd_per_day: float


def flows_of(
    measured: Measured, work: Workload, videos_per_day: float, prices: StoragePrices
) -> Flows:
    """Storage and network of so many videos a day."""
    video = measured.videos[work.height]
    answer = video.clip_bytes + work.result_bytes
    uploads = videos_per_day * video.video_bytes
    answers = videos_per_day * work.questions * answer
    kept = uploads * work.upload_days + answers * work.result_days
    month = kept / _GB * prices.usd_per_gb_month
    frames = videos_per_day * work.frames_bytes
    return Flows(
        _gbps(uploads),
        _gbps(answers),
        _gbps(frames),
        kept / 1e12,
        month / _DAYS_PER_MONTH,
        answers / _GB * prices.usd_per_gb_out,
    )


def _gbps(bytes_per_day: float) -> float:
    return bytes_per_day * 8 / SECONDS_PER_DAY / 1e9


def workers_for(rate_per_second: float, seconds: float, utilisation: float) -> int:
    """Workers that are busy for a share of the time at a steady rate, one at least."""
    return max(1, math.ceil(rate_per_second * seconds / utilisation))
