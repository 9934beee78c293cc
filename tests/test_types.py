"""Every type refuses what it must not hold; a tube interpolates inside its hull."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stablechat.errors import InputError
from stablechat.types import (
    FrameSample,
    Generation,
    GenerationConfig,
    Grounding,
    ParsedAnswer,
    TimeSpan,
    Tube,
    VideoInfo,
)

VIDEO = VideoInfo(Path("a.mp4"), 64, 48, 0, Fraction(30), 60, 2.0, 0.0, False, "h264")


def sample(**changes: Any) -> FrameSample:
    fields: dict[str, Any] = {
        "video": VIDEO,
        "frames": np.zeros((2, 4, 4, 3), np.uint8),
        "indices": np.array([0, 1]),
        "pts_seconds": np.array([0.0, 0.1]),
    }
    return FrameSample(**{**fields, **changes})


def tube(times: Any = (0.0, 1.0), xyxy: Any = ((1, 2, 3, 4),) * 2, **more: Any) -> Tube:
    return Tube(np.array(times, float), np.array(xyxy, float), **more)


def config(**changes: Any) -> GenerationConfig:
    return GenerationConfig(**changes)


def parsed(span: Any = None, boxes: Any = ()) -> ParsedAnswer:
    return ParsedAnswer("stvg", "", span, dict(boxes))


REJECTED: dict[str, tuple[Callable[[], object], str]] = {
    "no width": (lambda: dataclasses.replace(VIDEO, width=0), "0x48"),
    "negative height": (lambda: dataclasses.replace(VIDEO, height=-1), "64x-1"),
    "odd rotation": (lambda: dataclasses.replace(VIDEO, rotation=45), "got 45"),
    "no rate": (lambda: dataclasses.replace(VIDEO, fps=Fraction(0)), "fps"),
    "no duration": (lambda: dataclasses.replace(VIDEO, duration_seconds=0), "got 0"),
    "endless": (
        lambda: dataclasses.replace(VIDEO, duration_seconds=float("inf")),
        "got inf",
    ),
    "gray frames": (lambda: sample(frames=np.zeros((2, 4, 4), np.uint8)), "(2, 4, 4)"),
    "no frames": (
        lambda: sample(
            frames=np.zeros((0, 4, 4, 3), np.uint8),
            indices=np.zeros(0, int),
            pts_seconds=np.zeros(0),
        ),
        "at least one frame",
    ),
    "fewer times": (lambda: sample(pts_seconds=np.array([0.0])), "(1,)"),
    "fewer indices": (lambda: sample(indices=np.array([0])), "(1,)"),
    "time runs back": (lambda: sample(pts_seconds=np.array([1.0, 0.5])), "decrease"),
    "no tokens": (lambda: GenerationConfig(max_new_tokens=0), "got 0"),
    "cold": (lambda: GenerationConfig(temperature=-0.1), "got -0.1"),
    "no number": (lambda: GenerationConfig(temperature=float("nan")), "got nan"),
    "top_p 0": (lambda: GenerationConfig(top_p=0.0), "got 0.0"),
    "top_p above 1": (lambda: GenerationConfig(top_p=1.1), "got 1.1"),
    "reversed bins": (lambda: parsed(span=(5, 4)), "(5, 4)"),
    "bin 100": (lambda: parsed(span=(5, 100)), "(5, 100)"),
    "frame bin 100": (lambda: parsed(boxes={100: (0, 0, 1, 1)}), "100"),
    "box bin -1": (lambda: parsed(boxes={1: (0, -1, 1, 1)}), "-1"),
    "reversed span": (lambda: TimeSpan(2.0, 1.0), "2.0 to 1.0"),
    "before the start": (lambda: TimeSpan(-1.0, 1.0), "-1.0"),
    "endless span": (lambda: TimeSpan(0.0, float("inf")), "inf"),
    "empty tube": (lambda: tube((), np.zeros((0, 4))), "at least one time"),
    "flat tube": (lambda: tube(xyxy=(1, 2, 3, 4)), "(2, 4), got (4,)"),
    "tube stands still": (lambda: tube((1.0, 1.0)), "increase"),
    "tube of nan": (lambda: tube((0.0, float("nan"))), "finite"),
    "box of nan": (lambda: tube(xyxy=((1, 2, 3, np.nan),) * 2), "finite"),
    "box inside out": (lambda: tube(xyxy=((3, 2, 1, 4),) * 2), "x1 <= x2"),
    "times of text": (
        lambda: Tube(["a", "b"], [[1, 2, 3, 4]] * 2),
        "times_seconds must be",
    ),
    "ragged boxes": (lambda: Tube([0], [[1, 2], [3]]), "xyxy must be"),
    "no boxes": (lambda: Tube([0], None), "xyxy must be"),
    "sure beyond 1": (lambda: tube(confidence=[0.5, 1.5]), "0 to 1"),
    "confidence of nan": (lambda: tube(confidence=[0.5, np.nan]), "0 to 1"),
    "span of text": (lambda: TimeSpan("0", 1), "start_seconds must be a number"),
    "span of nothing": (lambda: TimeSpan(0, None), "end_seconds must be a number"),
    "tokens of text": (lambda: config(max_new_tokens="9"), "whole number, got '9'"),
    "half a token": (lambda: config(max_new_tokens=1.5), "whole number, got 1.5"),
    "no temperature": (lambda: config(temperature=None), "temperature must be"),
    "top_p of text": (lambda: config(top_p="1"), "top_p must be a number"),
    "seed of text": (lambda: config(seed="x"), "seed must be a whole number"),
    "one confidence": (lambda: tube(confidence=np.ones(1)), "(2,)"),
}


@pytest.mark.parametrize("case", REJECTED)
def test_rejected_with_the_value(case: str) -> None:
    build, words = REJECTED[case]
    with pytest.raises(InputError) as error:
        build()
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_a_tube_takes_lists() -> None:
    found = Tube([0, 2], [[0, 0, 2, 2], [2, 2, 4, 4]], [0, 1])
    assert found.times_seconds.dtype == found.xyxy.dtype == np.float64
    assert found.confidence is not None and found.confidence.shape == (2,)
    np.testing.assert_array_equal(found.at(1), [1, 1, 3, 3])


def test_numbers_of_numpy_are_numbers() -> None:
    assert TimeSpan(np.float32(0), np.int64(2)).duration_seconds == 2
    assert config(max_new_tokens=np.int64(3), temperature=np.float64(1)).top_p == 1


def test_values_with_arrays_can_be_compared() -> None:
    generation = Generation("", (), "stop")
    found, other = (
        Grounding(VIDEO, "it", "stvg", None, tube(), "", None, generation)
        for _ in range(2)
    )
    assert tube() != tube() and sample() != sample() and found != other
    assert found == dataclasses.replace(found) and sample() not in (None, sample())


def test_types_are_frozen() -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        VIDEO.width = 1  # type: ignore[misc]


def test_span_duration() -> None:
    assert TimeSpan(1.25, 3.5).duration_seconds == 2.25
    assert TimeSpan(1.0, 1.0).duration_seconds == 0.0


@pytest.mark.parametrize(
    ("span", "boxes", "found"),
    [
        (None, None, False),
        (TimeSpan(0, 1), None, True),
        (None, tube(), True),
        (TimeSpan(0, 1), tube(), True),
    ],
)
def test_grounding_found(
    span: TimeSpan | None, boxes: Tube | None, found: bool
) -> None:
    generation = Generation("", (), "stop")
    grounding = Grounding(VIDEO, "a dog", "stvg", span, boxes, "", None, generation)
    assert grounding.found is found


@st.composite
def tubes(draw: st.DrawFn) -> Tube:
    times = draw(
        st.lists(
            st.floats(0, 1e4, allow_subnormal=False),
            min_size=1,
            max_size=9,
            unique=True,
        )
    )
    side = st.floats(0, 4096)
    corners = st.tuples(side, side, side, side).map(
        lambda v: (min(v[0], v[2]), min(v[1], v[3]), max(v[0], v[2]), max(v[1], v[3]))
    )
    boxes = draw(st.lists(corners, min_size=len(times), max_size=len(times)))
    return tube(sorted(times), boxes)


@given(tubes())
def test_tube_is_exact_at_its_knots(drawn: Tube) -> None:
    for moment, expected in zip(drawn.times_seconds, drawn.xyxy, strict=True):
        np.testing.assert_array_equal(drawn.at(float(moment)), expected)


@given(tubes(), st.floats(0, 1))
def test_tube_stays_between_its_neighbours(drawn: Tube, part: float) -> None:
    first, last = drawn.times_seconds[0], drawn.times_seconds[-1]
    moment = min(float(first + part * (last - first)), float(last))
    box = drawn.at(moment)
    assert box is not None and box.shape == (4,)
    after = int(np.searchsorted(drawn.times_seconds, moment))
    around = drawn.xyxy[max(after - 1, 0) : after + 1]
    assert (around.min(0) - 1e-6 <= box).all() and (box <= around.max(0) + 1e-6).all()
    assert box[0] <= box[2] + 1e-6 and box[1] <= box[3] + 1e-6


@given(tubes(), st.floats(min_value=1e-6, max_value=1e6))
def test_tube_ends(drawn: Tube, distance: float) -> None:
    assert drawn.at(float(drawn.times_seconds[0]) - distance) is None
    assert drawn.at(float(drawn.times_seconds[-1]) + distance) is None
    assert drawn.at(float("nan")) is None
