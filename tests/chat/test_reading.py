"""Frames read apart from the model give the same answer."""

from __future__ import annotations

import gc
import weakref
from pathlib import Path
from typing import Any

import golden_files
import numpy as np
import pytest
import torch

from stablechat.chat import StableChat
from stablechat.errors import CancelledError, InputError, VideoError
from stablechat.loader import read_config
from stablechat.model.preprocess import preprocess_on_device, to_squares
from stablechat.reading import as_seen, read_picture, read_video
from stablechat.types import GenerationConfig, TimeSpan

SHORT = GenerationConfig(max_new_tokens=12)


def test_small_frames_give_the_same_answer(chat: StableChat, clip: Path) -> None:
    config = read_config(golden_files.CHECKPOINT)
    sample = as_seen(read_video(clip, config.num_frames), config.image_size)
    assert sample.frames.shape[1:3] == (config.image_size, config.image_size)
    apart = chat.ground(sample, "the square", config=SHORT)
    whole = chat.ground(clip, "the square", config=SHORT)
    assert apart.generation.token_ids == whole.generation.token_ids
    assert apart.generation.text == whole.generation.text
    assert apart.video == whole.video and apart.video.width == 96


def test_several_questions_encode_read_frames_once(
    chat: StableChat, clip: Path, encoded: list[int], say: Any
) -> None:
    say("nothing")
    sample = read_video(clip, chat.num_frames)
    for query in ("one", "two"):
        chat.ground(sample, query)
    assert encoded == [chat.num_frames]
    chat.ground(read_video(clip, chat.num_frames), "one")
    assert len(encoded) == 2
    # What is kept of a video is not its frames.
    frames = weakref.ref(sample)
    del sample
    gc.collect()
    assert frames() is None


def test_frames_are_chosen_where_they_are_read(chat: StableChat, clip: Path) -> None:
    sample = read_video(clip, 4, TimeSpan(1.0, 2.0))
    assert sample.pts_seconds[0] >= 1.0 and sample.pts_seconds[-1] <= 2.0
    with pytest.raises(InputError, match="choose frames"):
        chat.ground(sample, "it", segment=TimeSpan(0.0, 1.0))


def test_a_picture_of_a_video(clip: Path) -> None:
    assert read_picture(clip, 1.0).pts_seconds.tolist() == [1.0]


def test_what_cannot_be_read(tmp_path: Path, clip: Path) -> None:
    with pytest.raises(VideoError):
        read_video(tmp_path / "none.mp4", 4)
    with pytest.raises(CancelledError):
        read_video(clip, 4, cancelled=lambda: True)


def test_squares_are_resized_once() -> None:
    frames = np.random.default_rng(1).integers(0, 256, (3, 37, 61, 3), np.uint8)
    squares = to_squares(frames, 28)
    assert np.array_equal(to_squares(squares, 28), squares)
    seen = [preprocess_on_device(torch.from_numpy(f), 28) for f in (frames, squares)]
    assert torch.equal(*seen)
