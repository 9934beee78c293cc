"""What a search through a long video found."""

from __future__ import annotations

from dataclasses import dataclass

from stablechat.types.base import require
from stablechat.types.groundings import Grounding
from stablechat.types.media import TimeSpan, VideoInfo


@dataclass(frozen=True)
class WindowAnswer:
    """What was answered about one window of a video.

    Attributes:
        window: The part of the video that the model saw.
        answer: On the whole video's clock.
    """

    window: TimeSpan
    answer: Grounding


@dataclass(frozen=True)
class Moment:
    """One thing that was found, by one window or by several that overlap.

    Attributes:
        grounding: The moment on the whole video's clock; joined from what the windows
            answered where there are several.
        windows: Those that found it, in the video's order.
    """

    grounding: Grounding
    windows: tuple[TimeSpan, ...]

    def __post_init__(self) -> None:
        require(len(self.windows) > 0, "A moment needs the window that found it.")
        require(self.grounding.found, "A moment needs a time or a box.")


@dataclass(frozen=True)
class Moments:
    """All that was found in a video, the likeliest moment first.

    Attributes:
        video: The video asked about.
        query: What the person typed.
        moments: Ranked; empty where no window found anything.
        windows: Every part that was looked at, in the video's order.
        num_moments: How many moments there were before the others were left out.
        model: Name of the model that answered.
        segment: The part of the video that was looked at; None is all of it.
    """

    video: VideoInfo
    query: str
    moments: tuple[Moment, ...]
    windows: tuple[TimeSpan, ...]
    num_moments: int
    model: str = ""
    segment: TimeSpan | None = None

    def __post_init__(self) -> None:
        require(len(self.windows) > 0, "A search needs at least one window.")
        require(
            self.num_moments >= len(self.moments),
            f"num_moments must be {len(self.moments)} or more, got {self.num_moments}.",
        )

    @property
    def groundings(self) -> tuple[Grounding, ...]:
        """The moments as answers, in their order."""
        return tuple(moment.grounding for moment in self.moments)


@dataclass(frozen=True)
class SearchProgress:
    """How far a search is.

    Attributes:
        window: Number of the window that is being looked at, from 1.
        num_windows: How many there are.
        stage: What is done with it: ``"read"``, ``"encode"`` or ``"answer"``.
        fraction: Share of the whole search that is done, 0..1, never decreasing.
        remaining_seconds: How long it will take, by the windows so far; None before the
            first is done.
    """

    window: int
    num_windows: int
    stage: str
    fraction: float
    remaining_seconds: float | None = None
