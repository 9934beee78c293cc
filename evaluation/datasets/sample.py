"""One question of a benchmark, and drawing some of them."""

from __future__ import annotations

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from evaluation.frames import Split, frame_to_unit
from evaluation.metrics import Box
from stablechat.types import Task


@dataclass(frozen=True)
class Sample:
    """One question of a benchmark.

    Attributes:
        index: Its place in the annotation file; stays the same in any subset.
        task: What is asked.
        video_path: As annotated, relative to the folder of videos (REC: images).
        query: The bare query, or the question where there is none.
        prompt: What is put to the model, coordinates written ``<t0.087>``.
        split: First and last frame number of the clip that is asked about.
        width, height: Size in pixels that the boxes refer to.
        true_frames: Start and end of the event; None for TVG and REC.
        true_boxes: ``{frame: box}`` on the frames that the model sees.
        caption: What happens, for ELC.
        true_unit: TVG's span or REC's box, unit values.
        true_track: ``{frame: box}`` on every frame of the event, where the benchmark
            has that and measures it.
        whole_video: Whether the clip is the whole video, however many frames the file
            has; the annotation counted them with another program.
        facts: More about the question, for its result row.
    """

    index: int
    task: Task
    video_path: str
    query: str
    prompt: str
    split: Split = (0, 1)
    width: int = 1
    height: int = 1
    true_frames: tuple[int, int] | None = None
    true_boxes: Mapping[int, Box] = field(default_factory=dict)
    caption: str = ""
    true_unit: tuple[float, ...] = ()
    true_track: Mapping[int, Box] = field(default_factory=dict)
    whole_video: bool = False
    facts: Mapping[str, str | float] = field(default_factory=dict)

    @property
    def asked_end_unit(self) -> float | None:
        """Where the clip's span ends, 0..1, if the question says so."""
        if self.task != "svg" or self.true_frames is None:
            return None
        return frame_to_unit(self.true_frames[1], self.split)

    @property
    def truth(self) -> dict[str, Any]:
        """The ``gt`` of a tube's result row."""
        truth: dict[str, Any] = {
            "svg": {str(frame): list(box) for frame, box in self.true_boxes.items()}
        }
        if self.task != "svg" and self.true_frames is not None:
            truth["tvg"] = list(self.true_frames)
        if self.task == "elc":
            truth["caption"] = self.caption
        if self.true_track:
            boxes = [list(box) for _, box in sorted(self.true_track.items())]
            truth["track"] = {"first": min(self.true_track), "xyxy": boxes}
        return truth

    @property
    def truth_fields(self) -> dict[str, Any]:
        """All fields of a result row that say what is right."""
        if self.task == "tvg":
            return {"gt": list(self.true_unit), **self.facts}
        if self.task == "rec":
            return {"gt_bbox": list(self.true_unit), **self.facts}
        return {
            "split": list(self.split),
            "width": self.width,
            "height": self.height,
            "gt": self.truth,
            **self.facts,
        }


def choose(
    samples: Sequence[Sample], subset: int | None, seed: int, limit: int | None
) -> list[Sample]:
    """A random subset, and the first few of it, in the file's order.

    Args:
        samples: All of them.
        subset: How many to draw; None keeps all. The same seed draws the same.
        seed: For the draw.
        limit: How many of those to keep; None keeps all.
    """
    chosen = list(samples)
    if subset is not None and subset < len(chosen):
        places = random.Random(seed).sample(range(len(chosen)), subset)
        chosen = [chosen[place] for place in sorted(places)]
    return chosen[:limit]
