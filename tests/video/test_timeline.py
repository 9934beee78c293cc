"""Which packets are which pictures."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from stablechat.video import _timeline as module
from stablechat.video._inspect import inspect_here
from stablechat.video._timeline import _Scan, _step_ticks, paired_fields
from stablechat.video.limits import VideoLimits


def scan_of(packets: list[tuple[int, int, bool]]) -> _Scan:
    """Packets of ``(pts, duration, is a key picture)``, in file order."""
    return _Scan(
        pts=[pts for pts, _, _ in packets],
        durations=[duration for _, duration, _ in packets],
        key_ticks=[pts for pts, _, is_key in packets if is_key],
        key_bytes=[place for place, (_, _, is_key) in enumerate(packets) if is_key],
    )


@pytest.mark.parametrize(
    ("packets", "trial", "pictures", "keys"),
    [
        # A camcorder's: key, then a picture ahead of the two that come before it.
        (
            "0k+ 1501 9009 10510 3003 4505 6006 7507 12012k+ 13513k",
            [0, 3003, 6006, 9009],
            [(0, 3002), (9009, 3002), (3003, 3002), (6006, 3002), (12012, 3002)],
            [0, 12012],
        ),
        # Fields and whole pictures in turn.
        (
            "0k 1501 3003* 6006 7507 9009*",
            [0, 3003, 6006, 9009],
            [(0, 3002), (3003, 3003), (6006, 3002), (9009, 3003)],
            [0],
        ),
        # A field that lost its other one.
        (
            "0k 1501 3003 6006 7507",
            [0, 3003, 6006],
            [(0, 3002), (3003, 1501), (6006, 3002)],
            [0],
        ),
    ],
)
def test_fields_are_paired(
    packets: str, trial: list[int], pictures: list[tuple[int, int]], keys: list[int]
) -> None:
    parts = [
        (int(p.strip("k+*")), 3003 if "*" in p else 1501, "k" in p)
        for p in packets.split()
    ]
    found = paired_fields(scan_of(parts), trial)
    assert list(zip(found.pts, found.durations, strict=True)) == pictures
    assert found.key_ticks == keys and len(found.key_bytes) == len(keys)


@pytest.mark.parametrize(
    "trial", [[0, 40, 80], [0], [None, 40], [0, 80, 160], [0, 1, 2]], ids=str
)
def test_whole_pictures_are_not_paired(trial: list[int | None]) -> None:
    length = max(trial[1:2], default=40) or 40  # the clock ticks once a picture, too
    scan = scan_of([(k * length, length, k == 0) for k in range(9)])
    assert paired_fields(scan, trial) is scan


def test_times_that_are_missing_are_not_paired() -> None:
    scan = scan_of([(0, 20, True), (20, 20, False), (40, 20, False), (60, 20, False)])
    scan.pts[1] = None
    assert paired_fields(scan, [0, 40]) is scan


@pytest.mark.parametrize(
    ("guessed", "average", "duration", "step"),
    [
        (1, 25, 40, 40),  # H.264 in a program stream: the guess is nonsense
        (50, 25, 40, 40),
        (50, 25, 20, 20),
        (25, 30, 0, 40),  # packets that say nothing
        (None, 25, 7, 40),
        (None, None, 33, 33),
        (None, None, 0, 1),
    ],
)
def test_the_step_where_there_are_no_times(
    guessed: int | None, average: int | None, duration: int, step: int
) -> None:
    stream = SimpleNamespace(guessed_rate=guessed, average_rate=average)
    source: Any = SimpleNamespace(stream=stream, time_base=Fraction(1, 1000))
    assert _step_ticks(source, scan_of([(0, duration, True)])) == step


def test_a_camcorders_fields_need_no_decoding(
    shared_videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "COUNT_BUDGET_PIXELS", 0)  # as if it lasted an hour
    path = shared_videos / "real" / "sindresorhus+file-type" / "fixture-raw.mts"
    timeline = inspect_here(path, VideoLimits()).timeline
    assert timeline.by_time and len(timeline) == 31
    np.testing.assert_allclose(
        timeline.seconds, np.arange(31) * 1001 / 30000, atol=1e-3
    )
    assert timeline.end_seconds == pytest.approx(31 * 1001 / 30000, abs=1e-3)
    assert timeline.key_indices.tolist() == [0, 18]
