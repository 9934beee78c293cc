"""The parts of a clip, and how they travel to the process that cuts them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

import numpy as np

from render.plan import CutPlan, plan_cuts
from stablechat.errors import RenderError
from stablechat.grounding import shown_span
from stablechat.types import Generation, Grounding, TimeSpan, Tube, VideoInfo
from stablechat.video import read_timeline
from stablechat.video.isolation import Message


@dataclass(frozen=True)
class ClipPart:
    """A stretch of a video that becomes part of a clip.

    Attributes:
        grounding: The answer; what is drawn on the pictures.
        plan: Which moments become pictures. All parts of a clip have one rate.
    """

    grounding: Grounding
    plan: CutPlan


def plan_parts(
    groundings: Sequence[Grounding], pad_before_seconds: float, pad_after_seconds: float
) -> list[ClipPart]:
    """What of a video becomes a clip.

    Args:
        groundings: The answers, in the order in which they are shown.
        pad_before_seconds, pad_after_seconds: What to add to each.

    Raises:
        RenderError: They are about several videos, or one holds no time and no box.
        VideoError: The video can no longer be read.
    """
    if len({grounding.video.path for grounding in groundings}) != 1:
        raise RenderError("Moments that become one clip must be of one video.")
    video = groundings[0].video
    times = read_timeline(video.path).seconds
    pads = (pad_before_seconds, pad_after_seconds)
    spans = [_wanted_span(grounding, *pads) for grounding in groundings]
    plans = plan_cuts(video, times, spans)
    return [ClipPart(*pair) for pair in zip(groundings, plans, strict=True)]


def _wanted_span(grounding: Grounding, before: float, after: float) -> TimeSpan:
    span = shown_span(grounding)
    if span is None:
        raise RenderError(
            "There is nothing to cut: the answer holds no time and no box."
        )
    return TimeSpan(max(0.0, span.start_seconds - before), span.end_seconds + after)


def whole_plan(parts: Sequence[ClipPart]) -> CutPlan:
    """What all parts together come to: a plan that starts where the first one does."""
    first = parts[0].plan
    return CutPlan(
        first.start_seconds, first.fps, sum(part.plan.num_frames for part in parts)
    )


def parts_to_message(parts: Sequence[ClipPart], data: Mapping[str, Any]) -> Message:
    """Parts, and what else there is to tell, as a message."""
    tubes = [part.grounding.tube for part in parts]
    told = [
        {
            "query": part.grounding.query,
            "plan": {**asdict(part.plan), "fps": str(part.plan.fps)},
            "has_tube": part.grounding.tube is not None,
        }
        for part in parts
    ]
    arrays = [
        array
        for tube in tubes
        if tube is not None
        for array in (tube.times_seconds, tube.xyxy)
    ]
    return Message({**data, "parts": told}, arrays)


def parts_from_message(video: VideoInfo, message: Message) -> list[ClipPart]:
    """The parts again, as much of their answers as is drawn."""
    arrays = iter(message.arrays)
    return [
        ClipPart(
            _grounding(
                video,
                told["query"],
                Tube(*(next(arrays).astype(np.float64) for _ in range(2)))
                if told["has_tube"]
                else None,
            ),
            _plan(told["plan"]),
        )
        for told in message.data["parts"]
    ]


def _grounding(video: VideoInfo, query: str, tube: Tube | None) -> Grounding:
    nothing = Generation("", (), "stop")
    return Grounding(video, query, "stvg", None, tube, "", None, nothing)


def _plan(data: Mapping[str, Any]) -> CutPlan:
    return CutPlan(data["start_seconds"], Fraction(data["fps"]), data["num_frames"])
