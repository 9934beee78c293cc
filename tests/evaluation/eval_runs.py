"""Runs of ``python -m evaluation`` with the golden model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import golden_files
from eval_samples import annotation, write_annotations

from evaluation import __main__ as cli


def call(*arguments: object) -> int:
    """Run a command in this process; returns the exit code."""
    try:
        return cli.main([str(argument) for argument in arguments])
    except SystemExit as left:
        return int(left.code or 0)


def write_world(tmp_path: Path) -> Path:
    """Annotations of two videos, one of which is there."""
    videos = tmp_path / "videos"
    videos.mkdir()
    golden_files.write_clip(videos / "there.mp4")
    (videos / "broken.mp4").write_text("no video")
    meta: dict[str, Any] = {"split": [0, 29], "time_token": {"<s>": 20, "<e>": 25}}
    rows = [
        annotation(video_path=f"{name}.mp4", meta=meta)
        for name in ("there", "gone", "broken")
    ]
    write_annotations(tmp_path / "stvg.json", rows)
    return tmp_path


def run_arguments(world: Path, *more: object) -> list[object]:
    return [
        *("run", "--annotations", world / "stvg.json", "--videos", world / "videos"),
        *("--task", "stvg", "--model", golden_files.CHECKPOINT, "--device", "cpu"),
        *("--max-new-tokens", 4, "--out", world / "rows.jsonl", *more),
    ]
