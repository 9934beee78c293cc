"""What StableChat keeps, and how it is stopped and shared."""

from __future__ import annotations

import dataclasses
import os
import shutil
import threading
from pathlib import Path
from typing import Any

import golden_files
import pytest
import torch

from stablechat import encoding
from stablechat import turn as turn_module
from stablechat.chat import StableChat
from stablechat.errors import (
    CancelledError,
    OutOfMemoryError,
    VideoError,
)
from stablechat.types import GenerationConfig, TimeSpan

SHORT = GenerationConfig(max_new_tokens=4)


# --- features are kept ----------------------------------------------------------


def test_a_video_is_encoded_once(
    chat: StableChat, clip: Path, encoded: list[int], say: Any
) -> None:
    say("")
    prompts = say("")
    for query in ("the square", "the circle"):
        chat.ground(clip, query)
    chat.describe(clip)
    link = clip.with_name("link.mp4")
    link.unlink(missing_ok=True)
    link.symlink_to(clip)
    assert chat.describe(link).video.path == link
    assert encoded == [100]
    assert len(prompts) == 4


def test_the_kept_features_give_the_same_answer(clip: Path) -> None:
    chat = golden_files.new_chat()
    config = GenerationConfig(max_new_tokens=12)
    first = chat.ground(clip, "the square", config=config)
    again = chat.ground(clip, "the square", config=config)
    assert again.generation.token_ids == first.generation.token_ids
    assert again.generation.timings["encode_seconds"] == 0
    assert first.generation.timings["encode_seconds"] > 0


def test_other_segments_and_changed_files_are_encoded_anew(
    chat: StableChat, clip: Path, encoded: list[int], say: Any, tmp_path: Path
) -> None:
    say("")
    path = Path(shutil.copy(clip, tmp_path / "clip.mp4"))
    chat.describe(path)
    chat.describe(path, segment=TimeSpan(0, 1))
    chat.describe(path, segment=TimeSpan(0, 1))
    assert len(encoded) == 2
    status = path.stat()
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    chat.describe(path)
    assert len(encoded) == 3


def test_few_videos_are_kept(
    chat: StableChat, clip: Path, encoded: list[int], say: Any
) -> None:
    say("")
    segments = [TimeSpan(0, 1 + i / 10) for i in range(encoding.MAX_KEPT_VIDEOS + 1)]
    for segment in segments:
        chat.describe(clip, segment=segment)
        chat.describe(clip, segment=segments[1])  # used all the time
    assert len(chat._cache) == encoding.MAX_KEPT_VIDEOS
    encoded.clear()
    chat.describe(clip, segment=segments[1])
    assert encoded == []
    chat.describe(clip, segment=segments[0])
    assert encoded == [100]


def test_pixels_are_not_kept(
    chat: StableChat, clip: Path, encoded: Any, say: Any
) -> None:
    say("")
    chat.describe(clip)
    (kept,) = chat._cache._kept.values()
    held = [getattr(kept, field.name) for field in dataclasses.fields(kept)]
    assert max(getattr(value, "nbytes", 0) for value in held) == 1620 * 64 * 4


# --- progress, Stop, threads ----------------------------------------------------


def test_stages_come_in_order_and_never_go_back(chat: StableChat, clip: Path) -> None:
    seen: list[tuple[str, float]] = []
    chat.ground(
        clip,
        "the square",
        config=SHORT,
        on_progress=lambda stage, fraction: seen.append((stage, fraction)),
    )
    assert list(dict(seen)) == ["read", "encode", "answer"]
    order = {"read": 0, "encode": 1, "answer": 2}
    assert seen == sorted(seen, key=lambda s: (order[s[0]], s[1]))
    for stage in order:
        fractions = [fraction for name, fraction in seen if name == stage]
        assert fractions[0] == 0
        assert fractions[-1] == 1
        assert len(fractions) > 4


@pytest.mark.parametrize("stage", ["read", "encode", "answer"])
def test_stop_works_in_every_stage(chat: StableChat, clip: Path, stage: str) -> None:
    reached, later = [], []

    def report(name: str, fraction: float) -> None:
        if reached:
            later.append((name, fraction))
        elif name == stage and fraction >= 0.01:
            reached.append(fraction)

    with pytest.raises(CancelledError):
        chat.ground(
            clip, "the square", on_progress=report, cancelled=lambda: bool(reached)
        )
    assert reached[0] < 0.5
    assert len(later) <= 1
    # The model is free again, and nothing half-done was kept.
    assert chat.describe(clip, config=SHORT).generation.token_ids


def test_generate_gives_what_was_written_when_it_is_stopped(chat: StableChat) -> None:
    seen: list[tuple[str, float]] = []
    frames = golden_files.case_frames("rec")
    config = GenerationConfig(max_new_tokens=100)
    whole = chat.generate(frames, "What?", SHORT)
    cut = chat.generate(
        frames,
        "What?",
        config,
        on_progress=lambda stage, fraction: seen.append((stage, fraction)),
        cancelled=lambda: ("answer", 3 / 100) in seen,
    )
    assert cut.finish_reason == "cancelled"
    assert cut.token_ids == whole.token_ids[:3]
    assert ("answer", 1.0) not in seen
    never = chat.generate(frames, "What?", cancelled=lambda: True)
    assert (never.text, never.token_ids, never.finish_reason) == ("", (), "cancelled")


def test_stopped_before_it_began(chat: StableChat, clip: Path, encoded: Any) -> None:
    with pytest.raises(CancelledError):
        chat.describe(clip, cancelled=lambda: True)
    assert encoded == []


def test_a_waiting_request_can_be_stopped(chat: StableChat, clip: Path) -> None:
    with chat._lock, pytest.raises(CancelledError):
        chat.describe(clip, cancelled=lambda: True)


def test_threads_take_turns(chat: StableChat, clip: Path) -> None:
    config = GenerationConfig(max_new_tokens=16)
    queries = ["the square", "the circle", "the dog", "the cat"]
    alone = [chat.ground(clip, q, config=config).generation.token_ids for q in queries]
    fresh = golden_files.new_chat()
    answers: dict[str, tuple[int, ...]] = {}

    def ask(query: str) -> None:
        answers[query] = fresh.ground(clip, query, config=config).generation.token_ids

    threads = [threading.Thread(target=ask, args=(query,)) for query in queries]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [answers[query] for query in queries] == alone


def test_an_error_frees_the_model(chat: StableChat, clip: Path, tmp_path: Path) -> None:
    with pytest.raises(VideoError):
        chat.describe(tmp_path / "missing.mp4")
    assert not chat._lock.locked()


def test_bugs_are_no_shortage(
    chat: StableChat, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        raise RuntimeError("shapes do not fit")

    monkeypatch.setattr(turn_module, "encode_frames", fail)
    with pytest.raises(RuntimeError, match="shapes do not fit"):
        chat.describe(clip)


@pytest.mark.parametrize("kind", ["cuda", "cpu"])
def test_memory_errors_are_plain(
    kind: str, chat: StableChat, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any, **__: Any) -> None:
        if kind == "cpu":
            torch.empty(1 << 60)
        raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate ...")

    monkeypatch.setattr(turn_module, "encode_frames", fail)
    with pytest.raises(OutOfMemoryError, match=r"ran out of memory.*--device cpu"):
        chat.describe(clip)
    assert not chat._lock.locked()
