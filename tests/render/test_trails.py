"""The way of a box, looked at in pixels."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from render_clips import GRAY, RED, read_clip, regular, write_source

from render.boxes import BoxStyle
from render.clipper import cut_clip
from render.encoding import ClipOptions
from render.trails import trail_patches, trail_points
from stablechat.types import Generation, Grounding, TimeSpan, Tube
from stablechat.video import probe

SIZE = (200, 120)
BLACK = (0, 0, 0)


def tube(*centres: tuple[float, float, float]) -> Tube:
    """Boxes of 20 pixels around ``(time, x, y)``."""
    boxes = [[x - 10, y - 10, x + 10, y + 10] for _, x, y in centres]
    return Tube(np.array([time for time, _, _ in centres]), np.array(boxes))


def drawn(points: np.ndarray, thickness: float = 3) -> np.ndarray:
    canvas = np.full((SIZE[1], SIZE[0], 3), GRAY, np.uint8)
    for patch in trail_patches(points, SIZE, thickness, RED, BLACK):
        patch.lay_on(canvas)
    return canvas


def redness(canvas: np.ndarray) -> np.ndarray:
    values = canvas.astype(int)
    return np.asarray(values[:, :, 0] - values[:, :, 1])


def test_points_go_from_the_oldest_to_now_and_follow_the_bends() -> None:
    bent = tube((0, 20, 20), (1, 120, 20), (2, 120, 100))
    points = trail_points(bent, 1.5, 1.0)
    assert points[0] == pytest.approx([70, 20, 0])
    assert points[-1] == pytest.approx([120, 60, 1])
    assert np.all(np.diff(points[:, 2]) > 0)
    corner = points[np.argmin(np.abs(points[:, 2] - 0.5))]
    assert corner == pytest.approx([120, 20, 0.5])


def test_where_the_box_begins_the_trail_is_short_and_not_older_than_it() -> None:
    straight = tube((1, 20, 20), (2, 120, 20))
    assert trail_points(straight, 0.5, 2.0).shape == (1, 3)
    points = trail_points(straight, 1.5, 2.0)
    assert points[0] == pytest.approx([20, 20, 0.75])
    assert trail_points(straight, 9.0, 0.5)[-1] == pytest.approx([120, 20, 1])


def test_the_line_lies_on_the_centres_and_fades() -> None:
    points = trail_points(tube((0, 20, 60), (1, 180, 60)), 1.0, 1.0)
    red = redness(drawn(points))
    along = red[59:61].max(axis=0)
    assert along[175] > 150 > 80 > along[60] > 0
    # Smoothly: never darker by more than a step, on the way to now.
    assert np.all(np.diff(along[25:175]) > -8)
    rows = np.flatnonzero(red.max(axis=1) > 10)
    assert 57 <= rows.min() and rows.max() <= 62
    assert red[:, :17].max() == 0 and red[:, 184:].max() == 0


def test_a_dark_contour_keeps_it_visible_on_its_own_colour() -> None:
    points = trail_points(tube((0, 20, 60), (1, 180, 60)), 1.0, 1.0)
    beside = drawn(points, 4)[62:65, 150].max(axis=-1)
    assert beside.min() < GRAY - 20


def test_a_box_that_stands_still_leaves_nothing() -> None:
    still = trail_points(tube((0, 50, 50), (1, 50.5, 50)), 1.0, 1.0)
    assert trail_patches(still, SIZE, 3, RED, BLACK) == []
    begun = trail_points(tube((0, 50, 50), (1, 90, 50)), 0.0, 1.0)
    assert trail_patches(begun, SIZE, 3, RED, BLACK) == []


coordinate = st.floats(-500, 700)


@given(st.lists(st.tuples(coordinate, coordinate), min_size=2, max_size=6))
def test_nothing_lies_outside_the_picture(centres: list[tuple[float, float]]) -> None:
    way = tube(*[(float(time), x, y) for time, (x, y) in enumerate(centres)])
    points = trail_points(way, float(len(centres)), 60.0)
    for patch in trail_patches(points, SIZE, 3, RED, BLACK):
        assert patch.left % 2 == 0 and patch.top % 2 == 0
        assert 0 <= patch.left and patch.left + patch.width <= SIZE[0]
        assert 0 <= patch.top and patch.top + patch.height <= SIZE[1]
    drawn(points)


def test_a_clip_shows_the_way_of_its_box(tmp_path: Path) -> None:
    source = write_source(tmp_path / "a.mp4", regular(25, 2))
    way = tube((0.4, 30, 50), (1.6, 130, 50))
    nothing = Generation("", (), "stop")
    answer = Grounding(
        probe(source), "", "stvg", TimeSpan(0.4, 1.6), way, "", None, nothing
    )
    plain = ClipOptions(crf=5, style=BoxStyle(color_rgb=RED))
    seen = {}
    for seconds in (0.0, 0.5):
        options = replace(plain, trail_seconds=seconds)
        clip = cut_clip(answer, tmp_path / f"{seconds}.mp4", options=options)
        seen[seconds] = [redness(frame) for frame in read_clip(clip.path).frames]
    # At 1.6 s the box is at 130; half a second ago it was at 88.
    last_plain, last = seen[0.0][-1], seen[0.5][-1]
    assert last[48:53, 105:115].max() > 60 > 20 > last_plain[48:53, 105:115].max()
    assert last[48:53, 60:80].max() < 20
    first = seen[0.5][0][48:53, 30]
    assert first.max() < 20  # It has come from nowhere yet.


def test_a_label_can_be_written_anew(tmp_path: Path) -> None:
    source = write_source(tmp_path / "a.mp4", regular(25, 1), width=320, height=240)
    box = Tube(np.array([0.0, 1.0]), np.array([[100.0, 120, 200, 200]] * 2))
    nothing = Generation("", (), "stop")
    answer = Grounding(
        probe(source), "x", "stvg", TimeSpan(0, 0.4), box, "", None, nothing
    )
    widths = []
    for text in (None, "a much longer label"):
        options = ClipOptions(style=BoxStyle(color_rgb=RED), label_text=text)
        clip = cut_clip(answer, tmp_path / "out.mp4", options=options)
        above = redness(read_clip(clip.path).frames[0])[:115]
        widths.append(int((above.max(axis=0) > 80).sum()))
    assert 0 < widths[0] < widths[1] / 2
