"""Limits: how they are chosen, and that a child is bound by them."""

from __future__ import annotations

from pathlib import Path

import pytest

from stablechat.errors import CancelledError, InputError, LimitError
from stablechat.video import (
    VideoLimits,
    default_limits,
    frames_at,
    limits_from_texts,
    probe,
    sample_frames,
    set_default_limits,
)
from stablechat.video import limits as module
from tests.video.video_clips import write_clip


def test_limits_are_read_from_a_command_line() -> None:
    limits = limits_from_texts(["max_frames=10", "max_duration_seconds=1.5"])
    assert limits.max_frames == 10
    assert limits.max_duration_seconds == 1.5
    assert limits.max_bytes == VideoLimits().max_bytes
    assert limits_from_texts(["max_bytes=NONE"]).max_bytes is None


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("max_frame=1", "is not a limit; use NAME=NUMBER with one of max_bytes"),
        ("max_frames", "max_frames must be a whole number or none, got ''"),
        ("max_frames=1.5", "whole number"),
        ("max_frames=-1", "max_frames must be a positive number"),
        ("max_decode_seconds=nan", "positive"),
        ("max_decode_seconds=inf", "positive"),
        ("max_pixels=none", "max_pixels must be a positive number"),
    ],
)
def test_what_is_no_limit_is_refused(text: str, told: str) -> None:
    with pytest.raises(InputError, match=told):
        limits_from_texts([text])


def test_the_process_has_limits_of_its_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_default", default_limits())  # put back at the end
    clip = write_clip(tmp_path / "x.mp4", 25)
    set_default_limits(VideoLimits(max_frames=10))
    with pytest.raises(LimitError, match=r"^x\.mp4 has more than 10 pictures"):
        probe(clip)
    assert probe(clip, VideoLimits()).num_frames == 25


def test_decoding_has_a_time_limit(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "x.mp4", 25)
    info = probe(clip)
    with pytest.raises(LimitError, match=r"^x\.mp4 took longer than .* 0\.001"):
        sample_frames(info, 2, limits=VideoLimits(max_decode_seconds=1e-3))


def test_probing_can_be_stopped(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "x.mp4", 25)
    with pytest.raises(CancelledError):
        probe(clip, cancelled=lambda: True)


def test_frames_at_takes_what_is_on_screen(tmp_path: Path) -> None:
    clip = write_clip(tmp_path / "x.mp4", 25)  # 25 a second
    sample = frames_at(clip, [-1.0, 0.0, 0.079, 0.08, 0.08, 0.5, 99.0])
    assert sample.indices.tolist() == [0, 0, 1, 2, 2, 12, 24]
    assert sample.frames.shape[0] == 7
    assert (sample.frames[3] == sample.frames[4]).all()
    for times in ([], [0.2, 0.1], [[0.0]]):
        with pytest.raises(InputError):
            frames_at(clip, times)  # type: ignore[arg-type]
