"""Boxes and labels on frames of any size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import render.boxes as boxes
from render.boxes import BoxStyle, draw_box
from render.labels import (
    FONT_PATHS,
    choose_font,
    contrasting_color,
    render_label,
    shorten,
)
from stablechat.errors import InputError, RenderError

RED = (255, 0, 0)
PLAIN = BoxStyle(color_rgb=RED, corners=False)
LONG = "the man in the red jacket who walks past the parked car and turns left " * 5


def gray(width: int, height: int) -> np.ndarray:
    return np.full((height, width, 3), 128, np.uint8)


def changed(before: np.ndarray, after: np.ndarray) -> tuple[int, int, int, int]:
    """Bounds of what differs, ``(x1, y1, x2, y2)``, the last two exclusive."""
    rows, columns = np.nonzero((before != after).any(axis=2))
    return columns.min(), rows.min(), columns.max() + 1, rows.max() + 1


def test_line_lies_on_the_edges_and_the_inside_is_untouched() -> None:
    frame = gray(320, 240)
    drawn = draw_box(frame, np.array([40.0, 50.0, 200.0, 150.0]), style=PLAIN)
    red = (drawn == RED).all(axis=2)
    # The line is 2 pixels thick, half of it on each side of the edge.
    assert red[100, 39:41].any() and red[100, 199:201].any()
    assert red[49:51, 120].any() and red[149:151, 120].any()
    assert np.allclose(changed(frame, drawn), (38, 48, 202, 152), atol=1)
    assert (drawn[55:145, 45:195] == 128).all()


def test_parts_of_a_pixel_move_the_line() -> None:
    centers = []
    for x in (40.0, 40.25, 40.5, 40.75, 41.0):
        drawn = draw_box(gray(320, 240), np.array([x, 50.0, 200.0, 150.0]), style=PLAIN)
        row = drawn[100, 30:50].astype(float)
        weight = np.maximum(0, row[:, 0] - row[:, 1])  # without gray and contour
        centers.append((weight * (np.arange(30, 50) + 0.5)).sum() / weight.sum())
    assert np.allclose(centers, [40.0, 40.25, 40.5, 40.75, 41.0], atol=0.03)


def test_corners_are_thicker() -> None:
    frame = gray(320, 240)
    box = np.array([40.0, 50.0, 200.0, 150.0])
    style = BoxStyle(color_rgb=RED)
    red = (draw_box(frame, box, style=style) == RED).all(axis=2)
    assert red[60, 30:50].sum() > red[100, 30:50].sum()


@pytest.mark.parametrize("value", [0, 46, 128, 255])
def test_visible_on_its_own_colour(value: int) -> None:
    style = BoxStyle(color_rgb=(value, value, value))
    frame = np.full((180, 320, 3), value, np.uint8)
    drawn = draw_box(frame, np.array([100.0, 60.0, 200.0, 150.0]), "label", style)
    contrast = np.abs(drawn.astype(int) - frame).max()
    assert contrast > 60 or value == 0  # dark on black: the line needs no contour
    assert (drawn != frame).any()


@pytest.mark.parametrize(
    "box",
    [
        (-50, -50, 100, 80),
        (250, 150, 900, 700),
        (-1e9, -1e9, 1e9, 1e9),
        (0, 0, 320, 240),
        (120, 90, 120, 90),
        (120, 90, 120, 200),
        (0, 0, 0, 0),
        (320, 240, 320, 240),
        (200, 150, 40, 50),
    ],
    ids=["left", "right", "huge", "whole", "point", "line", "origin", "end", "swapped"],
)
def test_odd_boxes_are_seen_inside_the_frame(box: tuple[float, ...]) -> None:
    frame = gray(320, 240)
    drawn = draw_box(frame, np.array(box, float), style=PLAIN)
    assert ((drawn == RED).all(axis=2)).sum() >= 9


@pytest.mark.parametrize(
    "box", [(400, 0, 500, 100), (-90, 10, -5, 50), (0, 0, np.nan, 5), (0, 0, np.inf, 5)]
)
def test_boxes_outside_or_not_finite_draw_nothing(box: tuple[float, ...]) -> None:
    frame = gray(320, 240)
    assert (draw_box(frame, np.array(box, float), "label") == frame).all()


number = st.floats(-2000, 2000) | st.integers(-100, 500).map(float)


@settings(max_examples=150, deadline=None)
@given(
    size=st.tuples(st.integers(1, 400), st.integers(1, 400)),
    box=st.tuples(number, number, number, number),
    label=st.text(max_size=60)
    | st.sampled_from([LONG, "左边移动的红色圆圈", "🙂", ""]),
    scale=st.sampled_from([0.3, 1.0, 4.0]),
    corners=st.booleans(),
)
def test_any_box_on_any_frame(
    size: tuple[int, int],
    box: tuple[float, float, float, float],
    label: str,
    scale: float,
    corners: bool,
) -> None:
    width, height = size
    frame = gray(width, height)
    frame.flags.writeable = False
    style = BoxStyle(line_scale=scale, label_scale=scale, corners=corners)
    drawn = draw_box(frame, np.array(box), label, style)
    assert drawn.shape == frame.shape and drawn.dtype == np.uint8
    assert (frame == 128).all()
    assert drawn is not frame and not np.shares_memory(drawn, frame)


@settings(max_examples=150, deadline=None)
@given(
    size=st.tuples(st.integers(40, 700), st.integers(40, 700)),
    box=st.tuples(*[st.floats(0, 1)] * 4),
    label=st.sampled_from(["a", "red circle", LONG, "左边移动的红色圆圈"]),
)
def test_label_stays_inside_the_frame(
    size: tuple[int, int], box: tuple[float, float, float, float], label: str
) -> None:
    width, height = size
    xyxy = np.array(box) * (width, height, width, height)
    xyxy = np.concatenate(
        [np.minimum(xyxy[:2], xyxy[2:]), np.maximum(xyxy[:2], xyxy[2:])]
    )
    thickness = boxes.line_thickness(width, height)
    visible = boxes._visible_box(xyxy, width, height, thickness)
    assert visible is not None
    ring = boxes._make_ring(visible, thickness, BoxStyle())
    picture = render_label(label, 11, min(width - 2, 200), RED)
    assert picture is not None
    x, y = boxes._label_place(picture, ring, width, height)
    assert 0 <= x and x + picture.width <= width
    assert 0 <= y and y + picture.height <= height


def test_label_is_above_then_inside_then_below() -> None:
    frame = gray(640, 360)
    style = BoxStyle(color_rgb=RED)

    def label_rows(box: list[float]) -> tuple[int, int]:
        without = draw_box(frame, np.array(box), None, style)
        rows = changed(without, draw_box(frame, np.array(box), "red circle", style))
        return rows[1], rows[3]

    assert label_rows([100, 100, 300, 300])[1] < 100
    top, bottom = label_rows([100, 0, 300, 300])
    assert 0 < top and bottom < 60
    assert label_rows([100, 0, 300, 20])[0] > 20


def test_label_can_be_turned_off() -> None:
    frame, box = gray(320, 240), np.array([40.0, 50.0, 200.0, 150.0])
    silent = BoxStyle(show_label=False)
    assert (draw_box(frame, box, "a", silent) == draw_box(frame, box)).all()


def test_strided_frames_are_fine() -> None:
    frame = gray(320, 240)[::-1, ::2]
    drawn = draw_box(frame, np.array([20.0, 20.0, 90.0, 90.0]))
    assert drawn.flags.c_contiguous and (frame == 128).all()


@pytest.mark.parametrize(
    ("frame", "box"),
    [
        (np.zeros((10, 10), np.uint8), np.zeros(4)),
        (np.zeros((10, 10, 4), np.uint8), np.zeros(4)),
        (np.zeros((10, 10, 3), np.float32), np.zeros(4)),
        (np.zeros((10, 10, 3), np.uint8), np.zeros(3)),
    ],
)
def test_wrong_shapes_are_named(frame: np.ndarray, box: np.ndarray) -> None:
    with pytest.raises(RenderError, match="must be"):
        draw_box(frame, box)


@pytest.mark.parametrize(
    "change",
    [
        {"color_rgb": (0, 0, 256)},
        {"outline_rgb": (0, 0)},
        {"line_scale": 0.0},
        {"label_scale": float("nan")},
    ],
)
def test_bad_styles(change: dict[str, object]) -> None:
    with pytest.raises(InputError):
        BoxStyle(**change)  # type: ignore[arg-type]


def test_long_labels_end_in_an_ellipsis() -> None:
    font, known = choose_font(LONG, 14)
    short = shorten(known, font, 200)
    assert short.endswith("…") and font.getlength(short) <= 200
    assert known.startswith(short[:-1])
    assert shorten("red", font, 200) == "red"
    assert shorten("red", font, 3) == ""


def test_label_is_rendered_once_and_can_not_be_spoiled() -> None:
    first = render_label("red circle", 14, 200, RED)
    assert first is not None
    assert render_label("red circle", 14, 200, RED) is first
    with pytest.raises(ValueError, match="read-only"):
        first.rgb[:] = 0


@pytest.mark.parametrize(
    ("color", "dark"),
    [((255, 255, 0), True), ((46, 213, 255), True), ((0, 0, 160), False)],
)
def test_text_contrasts_with_its_pill(color: tuple[int, int, int], dark: bool) -> None:
    assert (sum(contrasting_color(color)) < 200) is dark
    picture = render_label("MMMM", 20, 300, color)
    assert picture is not None
    inside = picture.rgb[picture.height // 4 : -picture.height // 4, 12:-12].astype(int)
    assert inside.sum(axis=2).max() - inside.sum(axis=2).min() > 250


def test_chinese_has_its_own_pictures() -> None:
    if not any(p for p in FONT_PATHS if "CJK" in p and Path(p).exists()):
        pytest.skip("no font for Chinese is installed")
    one, two = (render_label(t, 20, 300, RED) for t in ("红色", "圆圈"))
    assert one is not None and two is not None
    assert one.rgb.shape == two.rgb.shape and (one.rgb != two.rgb).any()


def test_without_fonts_unknown_characters_are_left_out(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("render.labels.FONT_PATHS", ())
    assert choose_font("red 圆 ball", 14)[1] == "red ball"
    assert choose_font("圆圈", 14)[1] == ""


@pytest.mark.parametrize("label", ["", "   ", "\n\t", "\x00", "\U0010fffe"])
def test_labels_without_anything_to_show(label: str) -> None:
    assert render_label(label, 14, 200, RED) is None
