"""What is asked meets the video that it is asked about."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from stablechat.errors import InputError
from stablechat.questions import Question
from stablechat.types import TimeSpan, VideoInfo

VIDEO = VideoInfo(
    path=Path("a.mp4"),
    width=160,
    height=120,
    rotation=0,
    fps=Fraction(10),
    num_frames=30,
    duration_seconds=5.0,
    start_seconds=2.0,
    has_audio=False,
    codec="h264",
    container="mp4",
)
TIMES = np.linspace(2.0, 4.9, 30)
SVG: dict[str, Any] = {"query": "it", "task": "svg"}
ELC: dict[str, Any] = {"query": "", "task": "elc"}
INSIDE = (10, 10, 50, 50)


@pytest.mark.parametrize(
    "question",
    [
        Question(**SVG, span=TimeSpan(0, 2)),
        Question(**SVG, span=TimeSpan(4.95, 80)),
        Question(**ELC, region=INSIDE, start_seconds=0),
        Question(**ELC, region=INSIDE, start_seconds=2.0),
        Question(**ELC, region=(-50, 200, 10, 10), start_seconds=4.9),
    ],
)
def test_what_the_model_sees_can_be_asked_about(question: Question) -> None:
    assert question.prompt(VIDEO, TIMES)


@pytest.mark.parametrize(
    ("question", "said"),
    [
        (Question(**SVG, span=TimeSpan(0, 1.9)), "choose one among them"),
        (Question(**SVG, span=TimeSpan(5, 6)), "choose one among them"),
        (Question(**ELC, region=INSIDE, start_seconds=1.0), "first frame at 2.00"),
        (Question(**ELC, region=INSIDE, start_seconds=5.0), "last frame at 4.90"),
        (Question(**ELC, region=(170, 0, 180, 9), start_seconds=2), "160x120"),
        (Question(**ELC, region=(0, -9, 9, -1), start_seconds=2), "160x120"),
    ],
)
def test_what_it_does_not_see_can_not(question: Question, said: str) -> None:
    with pytest.raises(InputError, match=said):
        question.prompt(VIDEO, TIMES)
