"""Answers to show, made by hand."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from stablechat.types import Generation, Grounding, TimeSpan, Tube, VideoInfo

VIDEO = VideoInfo(
    path=Path("kitchen.mp4"),
    width=320,
    height=180,
    rotation=0,
    fps=Fraction(25),
    num_frames=250,
    duration_seconds=10.0,
    start_seconds=0.0,
    has_audio=False,
    codec="h264",
)
TUBE = Tube(np.array([2.0, 4.0]), np.array([[0.0, 0, 9, 9], [9, 9, 20, 20]]))


def answer(
    start_seconds: float = 2.0,
    end_seconds: float = 4.0,
    *,
    confidence: float | None = None,
    tube: Tube | None = TUBE,
    text: str = "",
) -> Grounding:
    """One that found a span."""
    return Grounding(
        video=VIDEO,
        query="the star",
        task="stvg",
        span=TimeSpan(start_seconds, end_seconds),
        tube=tube,
        prose="",
        confidence=confidence,
        generation=Generation(text, (), "stop"),
    )


def ranked(count: int) -> Grounding:
    """One with others after it, each half a second earlier and less sure."""
    answers = [
        answer(2.0 - rank / 2, 4.0, confidence=0.9 - rank / 10) for rank in range(count)
    ]
    return replace(answers[0], alternatives=tuple(answers[1:]))
