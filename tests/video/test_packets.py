"""Reading goes on behind damage, and ends."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from types import SimpleNamespace
from typing import Any

import av
import pytest

from stablechat.video._packets import MAX_READ_ERRORS, read_packets
from stablechat.video.clock import ClockRepair


def packet(dts: int, duration: int = 40) -> Any:
    """What is looked at of a packet."""
    return SimpleNamespace(size=1, pos=0, dts=dts, pts=dts + 80, duration=duration)


def source(*rounds: list[Any], name: str = "mpegts") -> Any:
    """A file whose every ``demux`` gives one list; an exception in it is raised."""
    left = list(rounds)

    def demux(stream: object) -> Iterator[Any]:
        for item in left.pop(0) if left else []:
            if isinstance(item, BaseException):
                raise item
            yield item

    container = SimpleNamespace(demux=demux, format=SimpleNamespace(name=name))
    return SimpleNamespace(
        container=container, stream=None, time_base=Fraction(1, 1000)
    )


BROKEN = av.InvalidDataError(1, "broken")


@pytest.mark.parametrize(
    ("rounds", "expected"),
    [
        ([[packet(0), BROKEN], [packet(40)]], [0, 40]),
        ([[BROKEN]] * MAX_READ_ERRORS + [[packet(0)]], [0]),
        ([[BROKEN]] * (MAX_READ_ERRORS + 1) + [[packet(0)]], []),  # gives up
        # PyAV's flush fails where a stream appeared on the way
        ([[packet(0), IndexError("list index out of range")], [packet(40)]], [0]),
        ([[packet(0), av.error.ExitError(1, "timed out")], [packet(40)]], [0]),
    ],
)
def test_read_errors(rounds: list[list[Any]], expected: list[int]) -> None:
    file = source(*rounds)
    packets = read_packets(file.container, file.stream)
    assert [p.dts for p in packets] == expected


@pytest.mark.parametrize(
    ("times", "repaired", "jumps"),
    [
        ([0, 40, 80], [0, 40, 80], 0),
        ([0, 40, 5000], [0, 40, 5000], 0),  # a pause
        ([0, 40, 1_000_000, 1_000_040], [0, 40, 80, 120], 1),  # a jump ahead
        ([5000, 5040, 0, 40], [5000, 5040, 5080, 5120], 1),  # a new recording
        ([0, 40, 20, 80], [0, 40, 20, 80], 0),  # rounding
    ],
)
def test_clock_jumps(times: list[int], repaired: list[int], jumps: int) -> None:
    clock = ClockRepair(source())
    found = [clock.repaired(packet(time)) for time in times]
    assert [p.dts for p in found] == repaired
    assert [p.pts - p.dts for p in found] == [80] * len(times)
    assert len(clock.jumps) == jumps


def test_only_broadcast_formats_jump() -> None:
    clock = ClockRepair(source(name="matroska,webm"))
    assert [clock.repaired(packet(t)).dts for t in (0, 9_000_000)] == [0, 9_000_000]
