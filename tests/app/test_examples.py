"""The clips to click."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

from PIL import Image

from ui.examples import Example, example_labels, read_examples, thumbnail_styles
from ui.layout import EXAMPLES_FOLDER
from ui.pictures import first_picture


def test_examples_are_read_and_bad_ones_left_out(tmp_path: Path, clip: Path) -> None:
    (tmp_path / "a.mp4").write_bytes(clip.read_bytes())
    (tmp_path / "examples.json").write_text(
        '[{"video": "a.mp4", "query": "x", "mode": "ground"},'
        ' {"video": "gone.mp4", "query": "x", "mode": "ground"},'
        ' {"video": "a.mp4", "query": null, "mode": "describe"},'
        ' {"video": "a.mp4", "query": "x", "mode": "dance"}]'
    )
    found = read_examples(tmp_path)
    assert [(e.query, e.mode) for e in found] == [("x", "ground"), ("", "describe")]
    assert read_examples(tmp_path / "nowhere") == []


def test_ours_are_in_both_modes_and_have_a_picture() -> None:
    examples = read_examples(EXAMPLES_FOLDER)
    assert {example.mode for example in examples} == {"ground", "describe"}
    assert thumbnail_styles(examples).count("url(data:image/jpeg") == len(examples)


def test_an_example_is_called_by_its_question_or_by_what_is_done(clip: Path) -> None:
    examples = [Example(clip, "a star", "ground"), Example(clip, "", "describe")]
    assert example_labels(examples) == ["a star", "Describe the video"]


def test_a_picture_keeps_its_shape(clip: Path, tmp_path: Path) -> None:
    address = first_picture(clip, 144, 96)
    assert address is not None
    encoded = re.fullmatch(r"data:image/jpeg;base64,(.+)", address)
    assert encoded is not None
    assert Image.open(io.BytesIO(base64.b64decode(encoded[1]))).size == (144, 81)


def test_a_video_without_a_picture_is_no_error(tmp_path: Path) -> None:
    broken = tmp_path / "broken.mp4"
    broken.write_text("not a video")
    assert first_picture(broken, 144, 96) is None
    assert thumbnail_styles([Example(broken, "x", "ground")]) == ""
