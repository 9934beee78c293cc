"""StableChat on the golden model: random weights, the real path."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import golden_files
import numpy as np
import pytest
import torch
from PIL import Image

from stablechat import encoding
from stablechat.chat import StableChat
from stablechat.errors import (
    InputError,
    VideoError,
)
from stablechat.prompts import stvg_prompt
from stablechat.types import GenerationConfig, Task, TimeSpan, VideoInfo
from stablechat.video import sample_frames

SHORT = GenerationConfig(max_new_tokens=4)
#: Shared by the tests that ask for real answers, so that the clip is encoded once.
SHARED = golden_files.new_chat()
ELC: dict[str, Any] = {"region": (10, 8, 60, 40), "start_seconds": 0.5}


def test_attributes(chat: StableChat) -> None:
    assert (chat.name, chat.is_demo) == ("checkpoint", False)
    assert (chat.device, chat.dtype) == (torch.device("cpu"), torch.float32)
    assert chat.num_frames == 100


def test_from_pretrained() -> None:
    chat = StableChat.from_pretrained(golden_files.CHECKPOINT, "cpu", "bfloat16")
    assert chat.dtype is torch.bfloat16
    assert chat.generate(golden_files.case_frames("rec"), "What?", SHORT).token_ids


# --- answers --------------------------------------------------------------------

BOX = "[<WIDTH-000><HEIGHT-000><WIDTH-099><HEIGHT-099>]"


def test_bins_become_seconds_and_pixels(
    chat: StableChat, clip: Path, encoded: list[int], say: Any
) -> None:
    say(
        "During the span of {<TEMP-000><TEMP-099>}. Object bounding box: "
        f"<TEMP-000>:{BOX}, <TEMP-099>:{BOX}"
    )
    found = chat.ground(clip, "the red square", config=SHORT)
    assert found.span is not None
    assert found.span.start_seconds == 0
    assert found.span.end_seconds == pytest.approx(2.9)
    assert found.tube is not None
    np.testing.assert_allclose(found.tube.xyxy, [[0, 0, 96, 64]] * 2)
    assert (found.query, found.task, found.model) == (
        "the red square",
        "stvg",
        "checkpoint",
    )
    assert set(found.generation.timings) == {
        "read_seconds",
        "encode_seconds",
        "decode_seconds",
    }


def test_no_answer_is_a_result(
    chat: StableChat, clip: Path, encoded: Any, say: Any
) -> None:
    say("I can't see that.")
    found = chat.ground(clip, "a zebra")
    assert not found.found
    assert found.prose == "I can't see that."


def test_svg_asks_about_its_span(
    chat: StableChat, clip: Path, encoded: Any, say: Any
) -> None:
    say(f"<TEMP-040>:{BOX}")
    found = chat.ground(clip, "the square", "svg", span=TimeSpan(1.0, 2.0))
    assert found.span == TimeSpan(1.0, 2.0)


def test_elc_starts_where_it_was_asked(
    chat: StableChat, clip: Path, encoded: Any, say: Any
) -> None:
    say(f"Ends in <TEMP-060>, it moves right. Object bounding box: <TEMP-030>:{BOX}")
    found = chat.ground(clip, "", "elc", **ELC)
    assert found.span is not None
    assert found.span.start_seconds == 0.5
    assert found.prose == "it moves right"


def test_a_segment_is_all_that_is_seen(
    chat: StableChat, clip: Path, encoded: Any, say: Any
) -> None:
    say("{<TEMP-000><TEMP-099>}")
    part = TimeSpan(1.0, 2.0)
    found = chat.ground(clip, "it", "tvg", segment=part)
    assert found.span == part == found.segment
    assert chat.ground(clip, "it", "tvg").segment is None
    assert chat.describe(clip, segment=part).segment == part
    with pytest.raises(InputError, match="choose at_seconds"):
        chat.ground(clip, "it", "rec", segment=part)


def test_rec_about_a_picture_of_a_video(
    chat: StableChat, clip: Path, encoded: list[int], say: Any
) -> None:
    say(BOX)
    found = chat.ground(clip, "the square", "rec", at_seconds=1.55)
    assert encoded == [1]
    assert found.tube is not None
    # The picture on screen at that moment.
    np.testing.assert_allclose(found.tube.times_seconds, [1.5])


@pytest.mark.parametrize("ending", ["png", "jpg", "webp", "bmp"])
def test_rec_about_an_image_file(
    chat: StableChat, tmp_path: Path, encoded: list[int], say: Any, ending: str
) -> None:
    path = tmp_path / f"photo.{ending}"
    Image.new("RGB", (50, 30), "red").save(path)
    say(BOX)
    found = chat.ground(path, "the red", "rec")
    assert encoded == [1]
    assert found.tube is not None
    np.testing.assert_allclose(found.tube.xyxy, [[0, 0, 50, 30]])


def test_an_image_is_turned_upright(chat: StableChat, tmp_path: Path, say: Any) -> None:
    path = tmp_path / "phone.jpg"
    exif = Image.Exif()
    exif[0x0112] = 6  # turn by 90 degrees
    Image.new("RGB", (50, 30)).save(path, exif=exif)
    say(BOX)
    video = chat.ground(path, "it", "rec").video
    assert (video.width, video.height) == (30, 50)


def test_describe(chat: StableChat, clip: Path, encoded: Any, say: Any) -> None:
    say("A red square moves.<|im_end|>")
    told = chat.describe(clip)
    assert told.text == "A red square moves."
    assert told.question == "Please describe the video."
    assert chat.describe(clip, "  What\nmoves? ").question == "What moves?"


@pytest.mark.parametrize("task", ["stvg", "tvg", "svg", "elc", "rec"])
def test_every_task_runs_for_real(clip: Path, task: Task) -> None:
    options: dict[str, Any] = ELC if task == "elc" else {}
    if task == "svg":
        options = {"span": TimeSpan(1, 2)}
    found = SHARED.ground(clip, "the square", task, config=SHORT, **options)
    assert found.task == task
    assert len(found.generation.token_ids) == 4
    assert any("length limit" in issue for issue in found.issues)


def test_the_answer_is_the_parts(clip: Path) -> None:
    """ground() of a clip equals generate() of its frames."""
    config = GenerationConfig(max_new_tokens=20)
    found = SHARED.ground(clip, "the square", config=config)
    frames = sample_frames(clip).frames
    expected = SHARED.generate(frames, stvg_prompt("the square"), config)
    assert found.generation.token_ids == expected.token_ids


# --- bad input ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "options", "message"),
    [
        ("  ", {}, "question is empty"),
        ("x" * 2000, {}, "limit is 1000"),
        ("it", {"task": "describe"}, "no task 'describe'"),
        ("it", {"task": "nonsense"}, "no task 'nonsense'"),
        ("it", {"task": "svg"}, "needs the span"),
        ("it", {"span": TimeSpan(0, 1)}, "Only task svg takes a span"),
        ("it", {"task": "elc"}, "needs a region"),
        ("it", {"region": (0, 0, 9, 9)}, "Only task elc takes a region"),
        ("it", {"task": "elc", **ELC, "region": (1, 2, 3)}, "four numbers"),
        ("it", {"task": "elc", **ELC, "region": (1, 2, 3, float("nan"))}, "four"),
        ("it", {"task": "elc", **ELC, "start_seconds": -1}, "0 seconds or later"),
        ("it", {"at_seconds": 1.0}, "for task rec"),
        ("it", {"task": "rec", "at_seconds": -1.0}, "for task rec"),
    ],
)
def test_questions_that_can_not_be_asked(
    chat: StableChat,
    clip: Path,
    encoded: list[int],
    query: str,
    options: dict[str, Any],
    message: str,
) -> None:
    with pytest.raises(InputError, match=message):
        chat.ground(clip, query, **options)
    # Nothing slow had begun.
    assert encoded == []


def test_a_start_after_the_end(chat: StableChat, clip: Path, encoded: Any) -> None:
    with pytest.raises(InputError, match=r"start is at 9\.00 seconds"):
        chat.ground(clip, "", "elc", region=(0, 0, 9, 9), start_seconds=9.0)


@pytest.mark.parametrize("name", ["missing.png", "empty.png", "broken.png", "text.jpg"])
def test_images_that_can_not_be_read(
    chat: StableChat, tmp_path: Path, name: str
) -> None:
    path = tmp_path / name
    if name != "missing.png":
        head = {"broken.png": b"\x89PNG\r\n\x1a\n rubbish", "text.jpg": b"hello"}
        path.write_bytes(head.get(name, b""))
    with pytest.raises(VideoError):
        chat.ground(path, "it", "rec")


@pytest.mark.parametrize(
    "frames",
    [
        np.zeros((0, 8, 8, 3), np.uint8),
        np.zeros((2, 8, 0, 3), np.uint8),
        np.zeros((8, 8, 3), np.uint8),
        np.zeros((2, 8, 8, 4), np.uint8),
        np.zeros((2, 8, 8, 3), np.float32),
        [[1, 2, 3]],
    ],
)
def test_frames_of_the_wrong_shape_or_type(chat: StableChat, frames: Any) -> None:
    with pytest.raises(InputError, match="frames must be"):
        chat.generate(frames, "What?")


# --- frames ---------------------------------------------------------------------


def test_other_numbers_of_frames_are_resampled(chat: StableChat) -> None:
    frames = golden_files.video_frames()[:7]
    picked = [round(i / 99 * 6) for i in range(100)]
    expected = chat.generate(frames[picked], "What?", SHORT)
    assert chat.generate(frames, "What?", SHORT).token_ids == expected.token_ids


def test_large_frames_are_read_smaller() -> None:
    def size(width: int, height: int) -> tuple[int, int] | None:
        info = VideoInfo(
            Path("v.mp4"), width, height, 0, Fraction(25), 10, 1.0, 0.0, False, "h264"
        )
        return encoding.bounded_size(info, 100)

    assert size(1920, 1080) is None
    assert size(2160, 1440) is None
    found = size(7680, 4320)
    assert found is not None
    assert found[0] * found[1] * 300 <= encoding.MAX_FRAME_BYTES
    assert found[0] / found[1] == pytest.approx(16 / 9, rel=0.01)
    assert min(found) > 384
