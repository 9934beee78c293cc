"""Clips by frame number, and a benchmark's own questions to the golden model."""

from __future__ import annotations

from copy import deepcopy
from pathlib import Path
from typing import Any

import golden_files
import numpy as np
import pytest
import torch
from eval_samples import annotation

from evaluation.asking import BenchmarkChat, last_row, segment_of
from evaluation.datasets import Sample, read_sample
from evaluation.frames import sampled_frames
from stablechat import turn as turn_module
from stablechat.encoding import MAX_KEPT_VIDEOS
from stablechat.errors import InputError, VideoError
from stablechat.questions import Question
from stablechat.types import GenerationConfig, Task, TimeSpan
from stablechat.video import sample_frames

SHORT = GenerationConfig(max_new_tokens=6)


def sample(split: tuple[int, int], task: Task = "stvg") -> Sample:
    """A question about an event on frames 10 to 12."""
    meta = {"split": list(split), "time_token": {"<s>": 10, "<e>": 12}}
    row = annotation(meta=meta)
    row["conversations"][0]["value"] = "Between {<s>,<e>}, where is it? "
    return read_sample(0, row, task)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """30 pictures, 10 a second."""
    return golden_files.write_clip(tmp_path_factory.mktemp("clips") / "square.mp4")


@pytest.mark.parametrize("split", [(0, 29), (0, 28), (3, 17), (28, 29), (1, 29)])
def test_the_model_sees_the_clip_and_nothing_else(
    clip: Path, split: tuple[int, int]
) -> None:
    seen = sample_frames(clip, 100, span=segment_of(clip, split))
    assert set(seen.indices.tolist()) == sampled_frames(split)


def test_the_whole_video_needs_no_segment(clip: Path) -> None:
    assert segment_of(clip, (0, 29)) is None


def test_a_clip_that_the_video_does_not_have(clip: Path) -> None:
    with pytest.raises(InputError, match=r"frame 30 and square.mp4 has 30 frames"):
        segment_of(clip, (0, 30))
    with pytest.raises(VideoError, match="no file"):
        segment_of(clip.with_name("gone.mp4"), (0, 29))


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Numbers of frames of every run of the encoder, which is not run."""
    runs: list[int] = []

    def encode(model: Any, frames: Any, **_: Any) -> torch.Tensor:
        runs.append(len(frames))
        return torch.zeros(1620, 64)

    monkeypatch.setattr(turn_module, "encode_frames", encode)
    return runs


def test_a_clip_is_encoded_once(clip: Path, encoded: list[int]) -> None:
    chat = BenchmarkChat(golden_files.loaded())
    first = chat.ask(clip, sample((0, 29)), SHORT)
    again = chat.ask(clip, sample((0, 29)), SHORT)
    assert encoded == [100]
    assert first.token_ids == again.token_ids and len(first.token_ids) > 0
    chat.ask(clip, sample((3, 17)), SHORT)
    assert encoded == [100, 100]


def test_many_clips_are_kept_for_asking_again(clip: Path, encoded: list[int]) -> None:
    chat = BenchmarkChat(golden_files.loaded())
    clips = [(start, 29) for start in range(MAX_KEPT_VIDEOS + 1)]
    chat.keep_videos(len(clips))
    for split in (*clips, *clips):
        chat.ask(clip, sample(split), SHORT)
    assert len(encoded) == len(clips)


def test_models_that_see_alike_share_what_is_encoded(
    clip: Path, encoded: list[int]
) -> None:
    first = BenchmarkChat(golden_files.loaded())
    first.ask(clip, sample((0, 29)), SHORT)
    taught, other = (deepcopy(golden_files.loaded()) for _ in range(2))
    with torch.no_grad():
        taught.model.language_model.model.layers[0].mlp.up_proj.weight.zero_()
        next(other.model.projector.parameters()).zero_()
    later = BenchmarkChat(taught)
    assert later.share_videos(first)
    later.ask(clip, sample((0, 29)), SHORT)
    assert encoded == [100]
    stranger = BenchmarkChat(other)
    assert not stranger.share_videos(first)
    stranger.ask(clip, sample((0, 29)), SHORT)
    assert encoded == [100, 100]


def test_the_task_is_told_so_that_the_answer_can_be_guessed(
    clip: Path, encoded: list[int]
) -> None:
    """The golden model answers nonsense, so only a grammar shows that it was."""
    chat = BenchmarkChat(golden_files.loaded())
    config = GenerationConfig(max_new_tokens=40, grammar=True)
    for task, beginning in (("stvg", "During the span of {<TEMP-"), ("elc", "Ends in")):
        asked = sample((0, 29), task)
        assert chat.ask(clip, asked, config).text.startswith(beginning)
        assert not chat.ask(clip, asked, SHORT).text.startswith(beginning)


def test_the_question_reaches_the_model_as_it_is(
    clip: Path, encoded: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded = golden_files.loaded()
    prompts: list[str] = []
    encode = loaded.tokenizer.encode_prompt

    def heard(prompt: str, **kwargs: Any) -> Any:
        prompts.append(prompt)
        return encode(prompt, **kwargs)

    monkeypatch.setattr(loaded.tokenizer, "encode_prompt", heard)
    asked = sample((0, 29), "svg")
    BenchmarkChat(loaded).ask(clip, asked, SHORT)
    assert prompts == [asked.prompt]
    assert asked.prompt.startswith("Between {<t0.345>,<t0.414>}, where is it?")


def test_an_answer_ends_with_the_box_of_the_last_frame() -> None:
    """As in the product, whose questions know when an answer is complete."""
    pts_seconds = np.linspace(0.0, 2.9, 100)
    region, span = (1, 1, 2, 2), TimeSpan(1.0, 1.2)
    questions: dict[Task, Question] = {
        "stvg": Question("it", "stvg"),
        "svg": Question("it", "svg", span=span),
        "elc": Question("", "elc", region=region, start_seconds=1.0),
    }
    for task, question in questions.items():
        expected = question.last_row(7, pts_seconds)
        assert last_row(sample((0, 29), task), 7) == expected
