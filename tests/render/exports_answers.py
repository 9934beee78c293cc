"""Answers about a small written video, and what may be said about it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from render_clips import regular, write_source

from stablechat.types import Generation, Grounding, Task, TimeSpan, Tube
from stablechat.video import probe

FPS = 25
SECONDS = 3.0
SPAN = TimeSpan(1.0, 2.0)
QUERY = "the red circle moving left"
#: A query that every format has something against.
NASTY = '=cmd|"/c calc"!A1\n\n1\n00:00:01,000 --> 00:00:02,000\n<b>圆 & {\\an8}</b>'


def source(folder: Path, *, name: str = "影片 (1).mp4", sound: bool = True) -> Path:
    """75 pictures of 160x120, 25 a second."""
    tone = (0.0, SECONDS) if sound else None
    times = regular(FPS, SECONDS)
    return write_source(folder / name, times, rate=FPS, sound=tone)


def answer(
    path: Path,
    query: str = QUERY,
    task: Task = "stvg",
    *,
    span: TimeSpan | None = SPAN,
    boxes: bool = True,
) -> Grounding:
    """A box that moves right from 10 to 60 during the span, if there is one."""
    tube = None
    if span is not None and boxes:
        corners = [[10.0, 20, 50, 60], [60, 20, 100, 60]]
        times = np.array([span.start_seconds, span.end_seconds])
        tube = Tube(times, np.array(corners), np.array([0.5, 1.0]))
    said = Generation("It is there.", (1,), "stop", {"decode_seconds": 0.5})
    return Grounding(
        probe(path), query, task, span, tube, "It is there.",
        0.8 if span else None, said, model="demo",
    )  # fmt: skip
