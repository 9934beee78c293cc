"""The values that flow from a video and a question to an answer.

Three coordinate spaces never mix inside one type:

* **bins**: int 0..99, what the model reads and writes;
* **unit**: float 0..1, ``bin / 99``;
* **native**: seconds on the video's own clock, pixels of the displayed frame.

Seconds count from the start of the container, the zero of a player's slider, so a
video track that starts late has its first picture at ``start_seconds > 0``.
All types are frozen and check themselves; this package needs numpy only.
"""

from stablechat.types.answers import (
    CoordinateTokens,
    Generation,
    GenerationConfig,
    ParsedAnswer,
)
from stablechat.types.base import (
    NEIGHBOUR_REACH,
    NUM_BINS,
    BoxBins,
    FinishReason,
    FloatArray,
    FrameArray,
    IntArray,
    SpanBins,
    Task,
)
from stablechat.types.captions import Caption, Captions
from stablechat.types.groundings import Description, Grounding, SecondLook, Tube
from stablechat.types.media import Clip, FrameSample, TimeSpan, VideoInfo
from stablechat.types.moments import Moment, Moments, SearchProgress, WindowAnswer

__all__ = [
    "NEIGHBOUR_REACH",
    "NUM_BINS",
    "BoxBins",
    "Caption",
    "Captions",
    "Clip",
    "CoordinateTokens",
    "Description",
    "FinishReason",
    "FloatArray",
    "FrameArray",
    "FrameSample",
    "Generation",
    "GenerationConfig",
    "Grounding",
    "IntArray",
    "Moment",
    "Moments",
    "ParsedAnswer",
    "SearchProgress",
    "SecondLook",
    "SpanBins",
    "Task",
    "TimeSpan",
    "Tube",
    "VideoInfo",
    "WindowAnswer",
]
