"""Overlaps, by hand and by properties."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from evaluation.metrics import (
    Box,
    TubeOverlap,
    box_iou,
    hits_percent,
    mean,
    span_iou,
    tube_overlap,
    tube_overlaps,
)

NUMBERS = st.integers(-50, 50)


@st.composite
def boxes(draw: st.DrawFn) -> Box:
    x, y = draw(NUMBERS), draw(NUMBERS)
    return x, y, x + draw(st.integers(1, 60)), y + draw(st.integers(1, 60))


def slow_box_iou(a: Box, b: Box) -> float:
    """By counting pixels; corners are whole numbers."""

    def pixels(box: Box) -> set[tuple[int, int]]:
        x1, y1, x2, y2 = map(int, box)
        return {(x, y) for x in range(x1, x2) for y in range(y1, y2)}

    return len(pixels(a) & pixels(b)) / len(pixels(a) | pixels(b))


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ((0.2, 0.5), (0.2, 0.5), 1.0),
        ((0.2, 0.6), (0.4, 0.8), 1 / 3),
        ((0.0, 1.0), (0.25, 0.5), 0.25),
        ((0.0, 0.2), (0.2, 0.4), 0.0),
        ((0.0, 0.1), (0.8, 0.9), 0.0),
        ((0.8, 0.2), (0.2, 0.8), 0.0),  # reversed: no overlap, and no negative one
        ((0.5, 0.5), (0.5, 0.5), 0.0),  # no length to share
    ],
)
def test_spans(a: Box, b: Box, expected: float) -> None:
    assert span_iou(a, b) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ((0, 0, 10, 10), (0, 0, 10, 10), 1.0),
        ((0, 0, 10, 10), (5, 0, 15, 10), 50 / 150),
        ((0, 0, 10, 10), (5, 5, 15, 15), 25 / 175),
        ((0, 0, 10, 10), (2, 2, 4, 4), 0.04),
        ((0, 0, 10, 10), (10, 0, 20, 10), 0.0),
        ((0, 0, 10, 10), (20, 20, 30, 30), 0.0),  # apart on both axes
        ((5, 5, 5, 5), (5, 5, 5, 5), 0.0),
    ],
)
def test_boxes(a: Box, b: Box, expected: float) -> None:
    assert box_iou(a, b) == pytest.approx(expected)


@given(boxes(), boxes())
def test_boxes_agree_with_counting_pixels(a: Box, b: Box) -> None:
    overlap = float(box_iou(a, b))
    assert overlap == pytest.approx(slow_box_iou(a, b))
    assert 0 <= overlap <= 1
    assert overlap == box_iou(b, a)
    assert (overlap == 1) == (a == b)


@given(st.lists(st.tuples(boxes(), boxes()), min_size=1, max_size=9))
def test_many_boxes_at_once_are_as_one_by_one(pairs: list[tuple[Box, Box]]) -> None:
    first, second = zip(*pairs, strict=True)
    together = box_iou(np.array(first), np.array(second))
    assert together.tolist() == [float(box_iou(a, b)) for a, b in pairs]


@given(NUMBERS, st.integers(1, 60), NUMBERS, st.integers(1, 60), NUMBERS)
def test_spans_are_symmetric_and_do_not_depend_on_the_origin(
    a: int, length_a: int, b: int, length_b: int, shift: int
) -> None:
    first, second = (a, a + length_a), (b, b + length_b)
    overlap = float(span_iou(first, second))
    assert 0 <= overlap <= 1
    assert overlap == span_iou(second, first)
    moved = np.add(first, shift), np.add(second, shift)
    assert overlap == span_iou(*moved)
    flat = ((a, 0, a + length_a, 1), (b, 0, b + length_b, 1))
    assert overlap == pytest.approx(float(box_iou(*flat)))


def test_tubes_share_frames_and_span_the_union() -> None:
    whole, half = (0, 0, 10, 10), (0, 0, 10, 5)
    truth = {1: whole, 2: whole, 3: whole}
    answer = {2: half, 3: whole, 4: whole}
    assert tube_overlap(truth, answer) == TubeOverlap(siou=1.5 / 2, stiou=1.5 / 4)


@pytest.mark.parametrize("answer", [{}, {9: (0, 0, 1, 1)}])
def test_tubes_without_common_frames(answer: dict[int, Box]) -> None:
    assert tube_overlap({1: (0, 0, 1, 1)}, answer) == TubeOverlap(0.0, 0.0)
    assert tube_overlap({}, {}) == TubeOverlap(0.0, 0.0)


@st.composite
def tubes(draw: st.DrawFn) -> dict[int, Box]:
    frames = draw(st.lists(st.integers(0, 9), unique=True, max_size=6))
    return {frame: draw(boxes()) for frame in frames}


def slow_overlap(truth: dict[int, Box], answer: dict[int, Box]) -> TubeOverlap:
    """One frame after the other, as the definitions are written."""
    both = [frame for frame in truth if frame in answer]
    either = set(truth) | set(answer)
    total = sum(slow_box_iou(truth[frame], answer[frame]) for frame in both)
    return TubeOverlap(total / max(len(both), 1), total / max(len(either), 1))


@given(st.lists(st.tuples(tubes(), tubes()), max_size=5))
def test_many_tubes_at_once_are_as_frame_by_frame(
    pairs: list[tuple[dict[int, Box], dict[int, Box]]],
) -> None:
    siou, stiou = tube_overlaps([t for t, _ in pairs], [a for _, a in pairs])
    expected = [slow_overlap(truth, answer) for truth, answer in pairs]
    assert siou.tolist() == pytest.approx([e.siou for e in expected])
    assert stiou.tolist() == pytest.approx([e.stiou for e in expected])


def test_a_value_on_the_threshold() -> None:
    values = [0.2, 0.5, 0.7, 0.9]
    assert hits_percent(values, 0.5).tolist() == [0, 100, 100, 100]
    assert hits_percent(values, 0.5, must_exceed=True).tolist() == [0, 0, 100, 100]


def test_nothing_to_average() -> None:
    assert mean([]) == 0.0
    assert mean([0.25, 0.75]) == 0.5
