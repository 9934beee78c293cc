"""Small pictures of videos."""

from __future__ import annotations

from pathlib import Path

import pytest
from fake_chat import SPAN_SECONDS, FakeChat
from PIL import Image

from render.boxes import BoxStyle
from ui.pictures import KEY_FRAMES, first_picture, write_key_frames


def test_the_first_picture_is_small_enough_for_the_page(clip: Path) -> None:
    picture = first_picture(clip, 96, 96)
    assert picture is not None and picture.startswith("data:image/jpeg;base64,")
    assert len(picture) < 20_000


def test_what_is_no_video_has_no_picture(tmp_path: Path) -> None:
    path = tmp_path / "notes.mp4"
    path.write_text("not a video")
    assert first_picture(path, 96, 96) is None


def test_key_frames_run_from_the_start_to_the_end_and_show_the_box(
    clip: Path, tmp_path: Path
) -> None:
    answer = FakeChat().ground(clip, "x")
    style = BoxStyle(color_rgb=(255, 0, 255), line_scale=4)
    frames = write_key_frames(answer, tmp_path, style)
    assert len(frames) == KEY_FRAMES
    assert frames[0].time_seconds == SPAN_SECONDS[0]
    assert frames[-1].time_seconds == SPAN_SECONDS[1]
    assert answer.tube is not None
    for frame in (frames[0], frames[-1]):
        with Image.open(frame.path) as picture:
            assert picture.format == "JPEG" and picture.size == (240, 135)
            box = answer.tube.at(frame.time_seconds)
            assert box is not None
            left, middle = box[0] * 240 / 320, (box[1] + box[3]) / 2 * 135 / 180
            red, green, blue = picture.getpixel((round(left), round(middle)))  # type: ignore[misc]
        assert (red, green, blue) == pytest.approx((255, 0, 255), abs=90)
