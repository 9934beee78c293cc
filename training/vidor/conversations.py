"""Questions and answers about one candidate, in the words the model was trained on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from evaluation.frames import Split, frame_of_bin, frame_to_unit
from evaluation.metrics import Box
from stablechat.errors import InputError
from stablechat.prompts import elc_prompt, format_unit, stvg_prompt, svg_prompt
from stablechat.types import NUM_BINS, Task
from training.vidor.annotations import VidorVideo
from training.vidor.events import Candidate, Event

#: Tasks that a candidate can be asked about with.
TASKS: tuple[Task, ...] = ("stvg", "svg", "elc")
_BOXES = "Object bounding box: "


@dataclass(frozen=True)
class Conversation:
    """What is asked, and what the model should say.

    Attributes:
        task: Of the question.
        question: Coordinates as ``<t0.087>`` and the like.
        answer: Likewise.
    """

    task: Task
    question: str
    answer: str


def converse(
    video: VidorVideo,
    event: Event,
    candidate: Candidate,
    task: Task,
    split: Split | None = None,
) -> Conversation:
    """A question whose answer is one candidate.

    Args:
        video: What it is about.
        event: The sentence.
        candidate: What it means.
        task: STVG, SVG or ELC.
        split: First and last frame of the part that is looked at; None is all.

    Raises:
        InputError: The model sees no frame of it, or there is no such task.
    """
    split = split or (0, video.num_frames - 1)
    start, end = (
        frame_to_unit(frame, split)
        for frame in (candidate.first_frame, candidate.last_frame)
    )
    seen = list(_seen_boxes(video, candidate, split))
    if not seen:
        raise InputError(
            f"The model sees no frame of {event.query!r} in {video.video_id}."
        )
    rows = f"{', '.join(_row(time, box) for time, box in seen)}."
    span = f"{{{format_unit('t', start)}{format_unit('t', end)}}}"
    if task == "stvg":
        answer = f"During the span of {span}. {_BOXES}{rows}"
        return Conversation(task, stvg_prompt(event.query), answer)
    if task == "svg":
        return Conversation(task, svg_prompt(event.query, (start, end)), rows)
    if task == "elc":
        ends = f"Ends in {format_unit('t', end)}, {event.caption}. "
        question = elc_prompt(start, seen[0][1])
        return Conversation(task, question, f"{ends}{_BOXES}{rows}")
    raise InputError(f"VidOR has no questions of task {task!r}; use {TASKS}.")


def _seen_boxes(
    video: VidorVideo, candidate: Candidate, split: Split
) -> Iterator[tuple[float, Box]]:
    """Time and box, both 0..1, on each frame that the model sees."""
    for time_bin in range(NUM_BINS):
        box = candidate.boxes.get(frame_of_bin(time_bin, split))
        if box is not None:
            x1, y1, x2, y2 = box
            unit = (
                *(x1 / video.width, y1 / video.height),
                *(x2 / video.width, y2 / video.height),
            )
            yield time_bin / (NUM_BINS - 1), unit


def _row(time: float, box: Box) -> str:
    corners = "".join(
        format_unit(axis, value) for axis, value in zip("whwh", box, strict=True)
    )
    return f"{format_unit('t', time)}:[{corners}]"
