"""What was measured: read from the committed results, each number with its source."""

from __future__ import annotations

import json
import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from benchmarks._timing import RESULTS


@dataclass(frozen=True)
class Figure:
    """A measured number.

    Attributes:
        value: In the unit that the name of its field says.
        source: The committed file, and the place in it.
    """

    value: float
    source: str


@dataclass(frozen=True)
class ModelSeconds:
    """How long a card is taken, by stage; full size, FP16, a question alone.

    Attributes:
        encode: 100 frames as small as the vision tower sees them, resized there; on an
            H200, and taken for an H100, which multiplies as fast.
        prefill: Video and question; as before.
        decode: By card, of each answer that was replayed (time and boxes of one thing),
            or their mean.
        source_decode: Where those stand, by card.
    """

    encode: Figure
    prefill: Figure
    decode: Mapping[str, tuple[float, ...]]
    source_decode: Mapping[str, str]


@dataclass(frozen=True)
class VideoWork:
    """What a minute of video and ten seconds of clip cost the processors.

    Attributes:
        title: The video.
        duration_seconds, video_bytes: Of it.
        read_seconds, finish_seconds: Processor seconds, all threads together.
        clip_bytes: Of the finished clip.
        source: The file.
    """

    title: str
    duration_seconds: float
    video_bytes: int
    read_seconds: float
    finish_seconds: float
    clip_bytes: int
    source: str


@dataclass(frozen=True)
class Measured:
    """All that the plan stands on.

    Attributes:
        model: Of one question at a time.
        answers_per_second: By seats, batched generation on an H100; the prompts are
            read before.
        load_seconds: Reading the weights onto a card.
        peak_gibibytes: Of the card, by what was done.
        videos: By height in pixels.
    """

    model: ModelSeconds
    answers_per_second: Mapping[int, float]
    load_seconds: Figure
    peak_gibibytes: Mapping[str, Figure]
    videos: Mapping[int, VideoWork]

    def sources(self) -> list[tuple[str, float, str]]:
        """Name, value and source of what is used, for the report."""
        single = {
            "encode_seconds": self.model.encode,
            "prefill_seconds": self.model.prefill,
            "load_seconds": self.load_seconds,
            **{f"peak_gibibytes, {n}": f for n, f in self.peak_gibibytes.items()},
        }
        found = [(name, each.value, each.source) for name, each in single.items()]
        for gpu, decode in self.model.decode.items():
            source = self.model.source_decode[gpu]
            name = f"decode_seconds, mean, {gpu}"
            found.append((name, statistics.fmean(decode), source))
        for seats, rate in self.answers_per_second.items():
            name = f"answers_per_second, {seats} seats"
            found.append((name, rate, "batch_decoding_cuda.json: seats"))
        for work in self.videos.values():
            for name in ("read_seconds", "finish_seconds", "video_bytes", "clip_bytes"):
                value = getattr(work, name)
                found.append((f"{name}, {work.title}", value, work.source))
        return found


def load(folder: Path = RESULTS) -> Measured:
    """Read the committed results.

    Args:
        folder: Where they are.

    Raises:
        OSError: One is missing.
        KeyError: One is of another form.
    """
    stages = _read(folder, "stages_cuda.json")
    encoding = _read(folder, "encoding_cuda.json")["stages"]
    batch = _read(folder, "batch_decoding_cuda.json")
    memory = _read(folder, "memory_cuda.json")["schemes"]["none"]["phases"]
    stage = "encode ours, device, 640x360"
    alone = batch["alone"]["rows_ahead"]
    decode = [r["decode_seconds"] for r in stages["replays"] if r["task"] == "stvg"]
    return Measured(
        ModelSeconds(
            Figure(encoding[stage]["wall_ms"] / 1e3, f"encoding_cuda.json: {stage}"),
            Figure(stages["prefill_seconds"], "stages_cuda.json: prefill_seconds"),
            {"H200": tuple(decode), "H100": (1 / alone["answers_per_second"],)},
            {
                "H200": "stages_cuda.json: replays of stvg",
                "H100": "batch_decoding_cuda.json: alone, rows_ahead",
            },
        ),
        {s["seats"]: s["rows_ahead"]["answers_per_second"] for s in batch["seats"]},
        Figure(memory["load"]["seconds"], "memory_cuda.json: none, load"),
        {
            "one question": _peak(stages, "stages_cuda.json"),
            "32 seats": _peak(batch, "batch_decoding_cuda.json"),
        },
        {each["height"]: each["work"] for each in _videos(folder)},
    )


def _peak(report: Mapping[str, Any], name: str) -> Figure:
    return Figure(report["peak_gibibytes"], f"{name}: peak_gibibytes")


def _videos(folder: Path) -> list[dict[str, Any]]:
    name = "capacity_cpu.json"
    return [
        {
            "height": int(each["video"].split(",")[0].split("x")[1]),
            "work": VideoWork(
                each["video"],
                each["duration_seconds"],
                each["video_bytes"],
                each["read"]["processor_seconds"],
                each["finish"]["processor_seconds"],
                each["clip_bytes"],
                f"{name}: {each['video']}",
            ),
        }
        for each in _read(folder, name)["videos"]
    ]


@cache
def _read(folder: Path, name: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((folder / name).read_text(encoding="utf-8"))
    return found
