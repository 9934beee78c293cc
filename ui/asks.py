"""What can be asked: the modes, and a question that was checked."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from stablechat.types import TimeSpan
from stablechat.windows import DEFAULT_PART_SECONDS

Mode = Literal["ground", "describe", "svg", "elc", "tvg", "rec", "captions"]

#: The modes that come first, and those that are folded away.
SIMPLE_MODES: tuple[Mode, ...] = ("ground", "describe")
OTHER_MODES: tuple[Mode, ...] = ("svg", "elc", "tvg", "rec", "captions")


@dataclass(frozen=True)
class Ask:
    """A question that was checked.

    Attributes:
        video: The uploaded file; for ``rec`` a still image will do.
        question: What was typed; empty for a plain description.
        mode: ``"ground"`` finds and clips, ``"describe"`` says what happens,
            ``"captions"`` says it part by part; the others are the tasks that
            :meth:`stablechat.StableChat.ground` explains.
        number: Tells two equal questions apart.
        candidates: How many answers to choose from.
        span: The time that ``svg`` asks about.
        region: xyxy in pixels, the thing that ``elc`` asks about.
        start_seconds: From when on.
        at_seconds: The picture of a video that ``rec`` asks about.
        segment: The part of the video to look at; None is all of it.
        num_windows: In how many parts the video is looked at, one after another.
        part_seconds: Length of the parts that ``captions`` tells of.
    """

    video: Path
    question: str
    mode: Mode
    number: str = ""
    candidates: int = 1
    span: TimeSpan | None = None
    region: tuple[float, float, float, float] | None = None
    start_seconds: float | None = None
    at_seconds: float | None = None
    segment: TimeSpan | None = None
    num_windows: int = 1
    part_seconds: float = DEFAULT_PART_SECONDS

    @property
    def num_answers(self) -> int:
        """How many answers the model gives."""
        return self.num_windows if self.num_windows > 1 else self.candidates
