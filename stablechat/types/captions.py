"""What happens in a video, part by part."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from stablechat.types.answers import Generation
from stablechat.types.base import require
from stablechat.types.media import TimeSpan, VideoInfo


@dataclass(frozen=True)
class Caption:
    """What is said about a part of a video, or about neighbouring ones.

    Attributes:
        span: The part's own time: the model saw nothing else, and did not find it.
        text: The words.
        generation: The model's own text about the first of the parts, how it ended.
    """

    span: TimeSpan
    text: str
    generation: Generation

    def __post_init__(self) -> None:
        require(bool(self.text.strip()), "A caption needs words.")


@dataclass(frozen=True)
class Captions:
    """What is said about the parts of a video.

    Attributes:
        video: The video asked about.
        question: What the person typed; empty asks for a description.
        captions: In the video's order, none overlaps another; parts about which the
            model said nothing have none.
        windows: Every part that was looked at, in the video's order.
        model: Name of the model that answered.
        issues: What was odd, one plain sentence each.
        segment: The part of the video that was looked at; None is all of it.
    """

    video: VideoInfo
    question: str
    captions: tuple[Caption, ...]
    windows: tuple[TimeSpan, ...]
    model: str = ""
    issues: tuple[str, ...] = ()
    segment: TimeSpan | None = None

    def __post_init__(self) -> None:
        require(len(self.windows) > 0, "Captions need at least one part.")
        for spans in (self.windows, tuple(each.span for each in self.captions)):
            require(
                all(
                    before.end_seconds <= after.start_seconds
                    for before, after in itertools.pairwise(spans)
                ),
                "Parts must follow one another without overlapping.",
            )
