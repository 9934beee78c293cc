"""What the benchmarks with a box on every frame have in common."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from evaluation.datasets.sample import Sample
from evaluation.datasets.values import checked_event, seen_boxes
from evaluation.frames import Split, frame_to_unit
from evaluation.metrics import Box
from stablechat.prompts import stvg_prompt, tvg_prompt
from stablechat.types import Task

#: What can be asked: when and where, or only when.
TASKS: tuple[Task, ...] = ("stvg", "tvg")


@dataclass(frozen=True)
class Clip:
    """The clip of a question.

    Attributes:
        video_path: As annotated.
        split: First and last frame number.
        width, height: In pixels.
        whole_video: Whether nothing of the video is left out.
    """

    video_path: str
    split: Split
    width: int
    height: int
    whole_video: bool
    facts: Mapping[str, str | float] = field(default_factory=dict)


def make_sample(
    index: int,
    task: Task,
    clip: Clip,
    query: str,
    event: tuple[int, int],
    track: Mapping[int, Box],
) -> Sample:
    """A question about an event.

    Args:
        index: Number of the sample.
        task: STVG, or TVG, which needs no boxes.
        clip: What is looked at.
        query: The sentence.
        event: First and last frame, both included.
        track: ``{frame: box}`` on every frame of the event.
    """
    start, end = checked_event(*event, clip.split)
    if task == "tvg":
        unit = frame_to_unit(start, clip.split), frame_to_unit(end, clip.split)
        return Sample(
            index=index,
            task="tvg",
            video_path=clip.video_path,
            query=query,
            prompt=tvg_prompt(query),
            split=clip.split,
            true_unit=unit,
            whole_video=clip.whole_video,
            facts=clip.facts,
        )
    return Sample(
        index=index,
        task="stvg",
        video_path=clip.video_path,
        query=query,
        prompt=stvg_prompt(query),
        split=clip.split,
        width=clip.width,
        height=clip.height,
        true_frames=(start, end),
        true_boxes=seen_boxes(track, clip.split),
        true_track=track,
        whole_video=clip.whole_video,
        facts=clip.facts,
    )
