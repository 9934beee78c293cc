"""A model for tests of ``batch`` that answers at once, and tells what it was asked."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from stablechat.cli.batch.jobs import BatchInput, Plan, digest_of
from stablechat.errors import ModelError
from stablechat.types import FrameSample, Generation, Grounding, SecondLook, TimeSpan
from stablechat.video import probe


class FakeChat:
    """Finds "find..." and nothing else.

    Args:
        log: Gets a line for each question: video, query and process.
        seconds: How long a question takes.
    """

    def __init__(self, log: Path, seconds: float = 0.0) -> None:
        self._log = log
        self._seconds = seconds

    name = "fake"

    def ground(
        self, sample: FrameSample | Path, query: str, **options: Any
    ) -> Grounding:
        """Of a window, find its first half."""
        video = sample.video if isinstance(sample, FrameSample) else probe(sample)
        window = options.get("segment") or TimeSpan(0.5, 1.5)
        with self._log.open("a") as file:
            file.write(f"{video.path.name}\t{query}\t{os.getpid()}\n")
        if query.startswith("kill"):
            self._die(query)
        if query == "bug":
            raise RuntimeError("no error of ours")
        time.sleep(self._seconds)
        middle = (window.start_seconds + window.end_seconds) / 2
        span = TimeSpan(window.start_seconds, middle)
        found = span if query.startswith("find") else None
        said = Generation("said", (1,), "stop", {"decode_seconds": 0.1})
        task = options.get("task", "stvg")
        return Grounding(video, query, task, found, None, "", None, said)

    def apart(self) -> FakeChat:
        """It keeps nothing of a video."""
        return self

    def forget(self) -> None:
        """It keeps nothing of a video."""

    def look_again(
        self, answer: Grounding, sample: FrameSample | None = None, **_: Any
    ) -> Grounding:
        """The later, the better."""
        if answer.span is None:
            return answer
        look = SecondLook("it", 0.5 / (1 + answer.span.start_seconds))
        return replace(answer, second_look=look)

    def _die(self, query: str) -> None:
        """As a process does that is out of memory; "kill once" only the first time."""
        marker = self._log.with_name(f"{query}.died")
        if query == "kill always" or not marker.exists():
            marker.touch()
            os.kill(os.getpid(), signal.SIGKILL)


def no_model() -> FakeChat:
    """Can't be loaded."""
    raise ModelError("There is no such model.")


def questions_in(log: Path) -> list[tuple[str, str]]:
    """What was asked: videos' names and queries."""
    lines = log.read_text().splitlines() if log.exists() else []
    return [(line.split("\t")[0], line.split("\t")[1]) for line in lines]


def small_plan(out: Path, **options: Any) -> Plan:
    """Four frames of 28 pixels."""
    return Plan(out=out, asked="test", num_frames=4, image_size=28, **options)


def inputs_about(videos: list[Path], *queries: str) -> list[BatchInput]:
    """Every query about every video."""
    return [
        BatchInput(digest_of(str(video), query), str(video), query)
        for video in videos
        for query in queries
    ]


def write_videos(folder: Path, count: int) -> list[Path]:
    """The same three seconds, several times: v0.mp4, v1.mp4, ..."""
    import golden_files  # here, so that a cluster's processes need not load torch

    folder.mkdir(parents=True, exist_ok=True)
    first = golden_files.write_clip(folder / "v0.mp4")
    paths = [first]
    for number in range(1, count):
        paths.append(folder / f"v{number}.mp4")
        os.link(first, paths[-1])
    return paths
