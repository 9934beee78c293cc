"""The time of an answer that may hold boxes only."""

from __future__ import annotations

from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np

from stablechat.grounding import shown_span
from stablechat.types import Generation, Grounding, TimeSpan, Tube, VideoInfo

VIDEO = VideoInfo(Path("a.mp4"), 64, 48, 0, Fraction(10), 50, 5.0, 0.0, False, "h264")
TUBE = Tube(np.array([-0.1, 2.0]), np.array([[0.0, 0, 9, 9], [0, 0, 9, 9]]))
NOTHING = Grounding(
    VIDEO, "it", "stvg", None, None, "", None, Generation("", (), "stop")
)


def test_the_answers_own_time_else_that_of_its_boxes() -> None:
    asked = TimeSpan(1.0, 2.0)
    assert shown_span(NOTHING) is None
    assert shown_span(replace(NOTHING, span=asked, tube=TUBE)) == asked
    # A saved tube may begin before the container does.
    assert shown_span(replace(NOTHING, tube=TUBE)) == TimeSpan(0.0, 2.0)
