"""Sheets of key frames, time lines, and saving them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from render_clips import RED, red_extent, regular, write_source

from render.boxes import BoxStyle
from render.timeline import (
    contact_sheet,
    format_time,
    save_picture,
    timeline_picture,
)
from stablechat.errors import InputError, RenderError
from stablechat.types import Generation, Grounding, TimeSpan, Tube
from stablechat.video import probe

STYLE = BoxStyle(color_rgb=RED, corners=False)


def answer(path: Path, span: TimeSpan | None, tube: Tube | None) -> Grounding:
    generation = Generation("", (), "stop")
    return Grounding(probe(path), "q", "stvg", span, tube, "", None, generation)


def test_sheet_shows_the_boxes_of_its_moments(tmp_path: Path) -> None:
    source = write_source(tmp_path / "a.mp4", regular(25, 2))
    tube = Tube(np.array([1.0, 2.0]), np.array([[20.0, 20, 60, 60], [60, 20, 100, 60]]))
    sheet = contact_sheet(
        answer(source, TimeSpan(0.5, 1.5), tube), count=3, columns=2, style=STYLE
    )
    gap = 8
    assert sheet.shape == (2 * (120 + gap) + gap, 2 * (160 + gap) + gap, 3)
    tiles = [
        sheet[y : y + 120, x : x + 160]
        for y, x in ((gap, gap), (gap, 160 + 2 * gap), (120 + 2 * gap, gap))
    ]
    assert red_extent(tiles[0]) is None
    assert np.allclose(red_extent(tiles[1]), (20, 20, 60, 60), atol=2)
    assert np.allclose(red_extent(tiles[2]), (40, 20, 80, 60), atol=2)


def test_sheet_of_a_tall_video_with_one_moment(tmp_path: Path) -> None:
    source = write_source(tmp_path / "a.mp4", regular(25, 1), width=120, height=160)
    tube = Tube(np.array([0.4]), np.array([[20.0, 20, 60, 60]]))
    sheet = contact_sheet(answer(source, None, tube), count=1, tile_side=80)
    assert sheet.shape == (80 + 8, 60 + 8, 3)


def test_nothing_to_show(tmp_path: Path) -> None:
    source = write_source(tmp_path / "a.mp4", regular(25, 1))
    with pytest.raises(RenderError, match="nothing to show"):
        contact_sheet(answer(source, None, None))
    with pytest.raises(InputError):
        contact_sheet(answer(source, TimeSpan(0, 1), None), count=0)


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0:00.0"),
        (4.24, "0:04.2"),
        (59.96, "1:00.0"),
        (61.5, "1:01.5"),
        (3599.99, "1:00:00.0"),
        (3723.4, "1:02:03.4"),
    ],
)
def test_times(seconds: float, text: str) -> None:
    assert format_time(seconds) == text
    assert format_time(seconds, tenths=False) == text[:-2]


@pytest.mark.parametrize(
    ("span", "columns"),
    [
        (TimeSpan(0, 5), (28, 480)),
        (TimeSpan(5, 10), (480, 932)),
        (TimeSpan(5, 5), (478, 482)),
        (TimeSpan(9, 99), (842, 932)),
    ],
)
def test_span_lies_where_it_is(span: TimeSpan, columns: tuple[int, int]) -> None:
    picture = timeline_picture(10.0, span, style=STYLE)
    assert picture.shape == (64, 960, 3)
    seen = red_extent(picture[35:38])
    assert seen is not None
    assert np.allclose((seen[0], seen[2]), columns, atol=2)


@pytest.mark.parametrize("seconds", [0.01, 0.7, 95.0, 4000.0, 360_000.0])
def test_any_length(seconds: float) -> None:
    assert red_extent(timeline_picture(seconds, None, style=STYLE)) is None


@pytest.mark.parametrize(("seconds", "width"), [(0, 960), (float("nan"), 960), (1, 9)])
def test_bad_lines(seconds: float, width: int) -> None:
    with pytest.raises(InputError):
        timeline_picture(seconds, None, width=width)


def test_pictures_are_saved_whole_or_not_at_all(tmp_path: Path) -> None:
    picture = np.full((20, 30, 3), 77, np.uint8)
    for name in ("a.png", "a.jpg", "a.webp"):
        save_picture(tmp_path / name, picture)
        with Image.open(tmp_path / name) as saved:
            assert np.allclose(np.asarray(saved), picture, atol=3)
    with pytest.raises(RenderError, match="must end in"):
        save_picture(tmp_path / "a.exe", picture)
    (tmp_path / "b.png").mkdir()
    with pytest.raises(RenderError, match="can't be written"):
        save_picture(tmp_path / "b.png", picture)
    names = sorted(p.name for p in tmp_path.iterdir())
    assert names == ["a.jpg", "a.png", "a.webp", "b.png"]
