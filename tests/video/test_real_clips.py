"""Clips of public projects, beside their truth by ffprobe and a reference decode."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from stablechat.errors import VideoError
from stablechat.video import probe, sample_frames

UNREADABLE = {"no_video_stream", "no_decodable_frame"}

MAX_BYTES = 300_000  # of a clip that is decoded here; all are probed

#: Where the reference decode says otherwise, and why we stay with our answer.
KNOWN: dict[str, tuple[set[str], str]] = {
    "dmlc+decord/corrupted.mp4": (
        {"frames"},
        "one of 50 packets is damaged; finding that takes decoding them all",
    ),
    "mozilla+mp4parse-rust/no_timescale.mp4": (
        {"frames", "rotation"},
        "FFmpeg's tool drops 12 damaged pictures that the decoder gives; the matrix "
        "turns by 8 degrees, which no player follows",
    ),
}


def problems(path: Path, truth: dict[str, Any]) -> dict[str, str]:
    """What :func:`probe` says otherwise than the truth."""
    info = probe(path)
    frame = 1.01 / float(info.fps)
    span = info.duration_seconds - info.start_seconds
    size = truth.get("square_pixel_size") or truth["displayed_size"]
    checks = {
        "size": ([info.width, info.height], size),
        "rotation": (info.rotation, truth["rotation_cw"]),
        "frames": (info.num_frames, truth["shown_frames"]),
        "audio": (info.has_audio, truth["has_audio"]),
        "start": (info.start_seconds, pytest.approx(truth["first_pts"], abs=0.002)),
        "span": (span, pytest.approx(truth["shown_span"], abs=frame)),
    }
    return {
        k: f"{got} is not {want}" for k, (got, want) in checks.items() if got != want
    }


def test_every_real_clip(shared_videos: Path) -> None:
    manifest = json.loads((shared_videos / "manifest.json").read_text("utf-8"))
    wrong = {}
    for entry in manifest["files"]:
        path = shared_videos / entry["path"]
        if UNREADABLE & set(entry["tags"]):
            with pytest.raises(VideoError):
                probe(path)
            continue
        allowed, _ = KNOWN.get(entry["path"].removeprefix("real/"), (set(), ""))
        found = problems(path, entry["truth"])
        if set(found) != allowed:
            wrong[entry["path"]] = found
    assert not wrong


def test_small_real_clips_can_be_sampled(shared_videos: Path) -> None:
    manifest = json.loads((shared_videos / "manifest.json").read_text("utf-8"))
    for entry in manifest["files"]:
        if UNREADABLE & set(entry["tags"]) or entry["truth"]["bytes"] > MAX_BYTES:
            continue
        sample = sample_frames(shared_videos / entry["path"], 8, size=(64, 48))
        assert sample.frames.shape == (8, 48, 64, 3), entry["path"]
        assert sample.pts_seconds[-1] <= sample.video.duration_seconds, entry["path"]
