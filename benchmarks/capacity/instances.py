"""Machines to rent. What they have is published; what they cost is assumed.

Prices change monthly, and what is written about them disagrees by a factor of two, so
every one can be given on the command line (``--price``). The ones here are list prices
for a machine on demand in the cheapest region, as remembered in November 2026 and not
checked with the vendor: for the order of magnitude.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

AS_OF = "2026-11"


@dataclass(frozen=True)
class Instance:
    """A machine.

    Attributes:
        name: The vendor's.
        gpu: Card; empty without.
        num_gpus: Cards.
        vcpus: Threads of its processors.
        memory_gib: Of the host.
        network_gbps: Nominal.
        usd_per_hour: Assumed.
        remark: What is known of the price.
    """

    name: str
    gpu: str
    num_gpus: int
    vcpus: int
    memory_gib: int
    network_gbps: float
    usd_per_hour: float
    remark: str = "assumed"

    def __post_init__(self) -> None:
        if self.usd_per_hour < 0 or self.vcpus < 1 or self.num_gpus < 0:
            raise ValueError(f"{self.name} has numbers that can't be: {self}")

    @property
    def vcpus_per_gpu(self) -> float:
        """Threads beside each card; infinite without cards."""
        return self.vcpus / self.num_gpus if self.num_gpus else float("inf")


_SECOND_HAND = "assumed; figures of 31 to 98 USD are found second-hand"
INSTANCES = {
    each.name: each
    for each in (
        Instance("p5.48xlarge", "H100", 8, 192, 2048, 3200, 55.04, _SECOND_HAND),
        Instance("p5.4xlarge", "H100", 1, 16, 256, 100, 6.88),
        Instance("p5en.48xlarge", "H200", 8, 192, 2048, 3200, 63.30),
        Instance(
            "a3-highgpu-8g", "H100", 8, 208, 1872, 1000, 88.49,
            "assumed; 88.49 USD is found second-hand",
        ),
        Instance("c7a.8xlarge", "", 0, 32, 64, 12.5, 1.642),
    )
}  # fmt: skip
#: Where reading and cutting go that find no room beside the cards.
PROCESSORS = "c7a.8xlarge"


@dataclass(frozen=True)
class StoragePrices:
    """Of an object store; assumed, as the machines' are.

    Attributes:
        usd_per_gb_month: Kept.
        usd_per_gb_out: Sent to the internet, at the first tier.
    """

    usd_per_gb_month: float = 0.023
    usd_per_gb_out: float = 0.09


def priced(prices: Mapping[str, float]) -> dict[str, Instance]:
    """The machines, with other prices where they are known.

    Args:
        prices: Name -> USD an hour.

    Raises:
        ValueError: A name is unknown.
    """
    unknown = set(prices) - set(INSTANCES)
    if unknown:
        raise ValueError(f"There is no {', '.join(sorted(unknown))}.")
    return {
        name: replace(each, usd_per_hour=prices[name], remark="given")
        if name in prices
        else each
        for name, each in INSTANCES.items()
    }
