"""What a child says of a file arrives whole, and is believed only if it can be true."""

from __future__ import annotations

from dataclasses import fields
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from video_clips import write_clip

from stablechat.errors import VideoError
from stablechat.video import probe
from stablechat.video._inspection import (
    Header,
    Inspection,
    Look,
    inspection_from,
    inspection_message,
)
from stablechat.video._timeline import Timeline
from stablechat.video.clock import ClockJump
from stablechat.video.isolation import Message
from stablechat.video.orient import Orientation

FOUND = Inspection(
    Look(
        stored_size=(64, 48),
        aspect=Fraction(4, 3),
        orientation=Orientation(90, True),
        pixel_format="yuv420p",
        trial_ticks=(0, None, 80),
        warnings=("The start is odd.",),
    ),
    Timeline(
        ticks=np.array([0, 40, 80]),
        seconds=np.array([0.5, 0.54, 0.58]),
        end_seconds=0.62,
        tick_seconds=1e-3,
        by_time=True,
        key_ticks=np.array([0, 80]),
        key_bytes=np.array([100, -1]),
        jumps=(ClockJump(500, -3.5),),
        warnings=("The end too.",),
    ),
    Header(
        rates=(Fraction(30000, 1001), Fraction(25)),
        has_audio=True,
        codec="h264",
        container="mov",
        size_bytes=1234,
    ),
)


def test_it_arrives_whole() -> None:
    extra = np.zeros(3, np.uint8)  # what others send along
    message = inspection_message(FOUND)
    found = inspection_from(Message(message.data, [*message.arrays, extra]))
    assert found.look == FOUND.look and found.header == FOUND.header
    for part in fields(Timeline):
        sent = getattr(FOUND.timeline, part.name)
        np.testing.assert_array_equal(getattr(found.timeline, part.name), sent)


NAN, INFINITE = float("nan"), float("inf")


@pytest.mark.parametrize(
    "lie",
    [
        {"stored_size": [64]},
        {"stored_size": [64, 0]},
        {"stored_size": [64.5, 48]},
        {"stored_size": None},
        {"aspect": "0"},
        {"aspect": "1/0"},
        {"aspect": "-4/3"},
        {"aspect": "1e999999999"},  # would take forever to be worked out
        {"rates": ["1" * 21]},
        {"rates": ["fast"]},
        {"rotation": 45},
        {"rotation": INFINITE},
        {"trial_ticks": ["soon"]},
        {"size_bytes": -1},
        {"end_seconds": NAN},
        {"end_seconds": INFINITE},
        {"end_seconds": 0.57},  # before the last picture
        {"tick_seconds": 0},
        {"tick_seconds": NAN},
        {"jumps": [[1]]},
        {"jumps": 5},
    ],
    ids=str,
)
def test_facts_that_can_not_be_true_are_refused(lie: dict[str, Any]) -> None:
    message = inspection_message(FOUND)
    with pytest.raises((ValueError, ArithmeticError)):
        inspection_from(Message({**message.data, **lie}, message.arrays))


@pytest.mark.parametrize("missing", sorted(inspection_message(FOUND).data))
def test_facts_that_are_missing_are_noticed(missing: str) -> None:
    message = inspection_message(FOUND)
    rest = {key: value for key, value in message.data.items() if key != missing}
    with pytest.raises(ValueError, match="makes no sense"):
        inspection_from(Message(rest, message.arrays))


@pytest.mark.parametrize(
    ("place", "array"),
    [
        (0, [0, 80, 40]),
        (0, [0, 40]),
        (0, [[0], [40], [80]]),
        (0, [0.0, 40.0, 80.0]),
        (1, [0.5, NAN, 0.58]),
        (1, [0.5, 0.58, 0.54]),
        (1, [-0.5, 0.54, 0.58]),
        (1, [0, 1, 2]),
        (2, [80, 0]),
        (2, [0, 0]),
        (3, [100]),
    ],
    ids=str,
)
def test_times_that_can_not_be_true_are_refused(place: int, array: list[Any]) -> None:
    message = inspection_message(FOUND)
    arrays = list(message.arrays)
    arrays[place] = np.array(array)
    with pytest.raises(ValueError, match="makes no sense"):
        inspection_from(Message(message.data, arrays))


def test_no_pictures_and_no_arrays_are_refused() -> None:
    message = inspection_message(FOUND)
    for arrays in ([], message.arrays[:3], [a[:0] for a in message.arrays]):
        with pytest.raises(ValueError, match="makes no sense"):
            inspection_from(Message(message.data, arrays))


def test_what_is_said_is_one_line_each() -> None:
    message = inspection_message(FOUND)
    lies = {"codec": "h264\n\x1b[31m", "look_warnings": ["a\nb" * 1000]}
    found = inspection_from(Message({**message.data, **lies}, message.arrays))
    assert found.header.codec == "h264[31m"
    (warning,) = found.look.warnings
    assert warning.startswith("abab") and len(warning) == 600


def test_a_lie_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    message = inspection_message(FOUND)
    answer = Message({**message.data, "end_seconds": NAN}, message.arrays)
    monkeypatch.setattr(
        "stablechat.video._inspect.run_in_child", lambda *_, **__: answer
    )
    with pytest.raises(VideoError, match=r"x\.mp4 can't be read: .* makes no sense"):
        probe(write_clip(tmp_path / "x.mp4", 3))
