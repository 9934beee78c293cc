"""Rows in the annotation format of ST-Align (LLaVA-ST), the one that is evaluated on.

A row is about one event of one video: ``meta.split`` are the video's first and last
frame, ``time_token`` the event's, ``spatial_token["<bboxes>"]`` a box ``[x, y, w, h]``
in pixels for each frame of the event; frame numbers are inclusive. Beside these stands
the bare ``query``, as a person would type it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from render.exports.frames import answer_frames
from render.exports.words import BY_HAND, plain_line, title_of
from stablechat import prompts
from stablechat.types import Grounding
from stablechat.video import Timeline

Row = dict[str, Any]
Xywh = Sequence[float]

#: Tasks that the format has rows for.
TASKS = ("stvg", "svg", "elc")

_DECIMALS = 2
_BOXES = "Object bounding box: <bboxes>."
_WHOLE_SPAN = "<t0.000>", "<t1.000>"
_WHOLE_REGION = "[<w0.000>, <h0.000>, <w1.000>, <h1.000>]"


@dataclass(frozen=True)
class Annotation:
    """One event of a video.

    Attributes:
        query: "the red circle moving left"; may be empty for ``elc``.
        caption: "the red circle moves left".
        width: Of the video, in pixels.
        height: Likewise.
        num_frames: Of the video, at least 2.
        first_frame: Of the event.
        last_frame: Of the event, inclusive.
        boxes: ``{frame: [x, y, w, h]}`` in pixels, at least one.
    """

    query: str
    caption: str
    width: int
    height: int
    num_frames: int
    first_frame: int
    last_frame: int
    boxes: Mapping[str, Xywh]


def st_align_row(task: str, video_path: str, event: Annotation) -> Row:
    """One question about an event, with its answer.

    Args:
        task: ``"stvg"``, ``"svg"`` or ``"elc"``.
        video_path: Relative to the folder of videos.
        event: What happens.

    Returns:
        Plain values.

    Raises:
        InputError: A task but ``elc`` needs a query.
    """
    spatial: dict[str, Any] = {"<bboxes>": event.boxes}
    if task == "elc":
        first = min(event.boxes, key=int)
        spatial["<region>"] = {first: event.boxes[first]}
    question, answer = _conversation(task, event)
    return {
        "video_path": video_path,
        **({"query": event.query} if event.query else {}),
        "caption": event.caption,
        "meta": {
            "width": event.width,
            "height": event.height,
            "split": [0, event.num_frames - 1],
            "time_token": {"<s>": event.first_frame, "<e>": event.last_frame},
            "spatial_token": spatial,
        },
        "conversations": [{"value": f"<video>\n{question}"}, {"value": answer}],
    }


def _conversation(task: str, event: Annotation) -> tuple[str, str]:
    """Question and answer; coordinates are the keys of the row's tokens."""
    if task == "stvg":
        question = prompts.stvg_prompt(event.query)
        return question, f"During the span of {{<s>,<e>}}. {_BOXES}"
    if task == "svg":
        question = prompts.svg_prompt(event.query, (0.0, 1.0))
        for unit, key in zip(_WHOLE_SPAN, ("<s>", "<e>"), strict=True):
            question = question.replace(unit, key)
        return question, _BOXES
    question = prompts.elc_prompt(0.0, (0.0, 0.0, 1.0, 1.0))
    question = question.replace(_WHOLE_REGION, "<region>").replace(
        _WHOLE_SPAN[0], "<s>"
    )
    return question, f"Ends in <e>, {event.caption}. {_BOXES}"


def st_align(answers: Sequence[Grounding], timeline: Timeline) -> list[Row]:
    """Answers as if they were annotated.

    Args:
        answers: About one video.
        timeline: When the video shows which picture.

    Returns:
        A row for each answer with times and boxes to one of :data:`TASKS`; the format
        has no others. They are read task by task.
    """
    rows = (_answer_row(a, timeline) for a in answers if has_row(a))
    return [row for row in rows if row is not None]


def has_row(answer: Grounding) -> bool:
    """Whether the format can hold an answer: a question of its, a time and boxes."""
    asked = answer.task == "elc" or bool(plain_line(answer.query))
    return asked and answer.task in TASKS and answer.tube is not None


def _answer_row(answer: Grounding, timeline: Timeline) -> Row | None:
    frames = answer_frames(answer, timeline)
    boxes = {
        str(frame.number): _xywh(frame.xyxy.tolist())
        for frame in frames
        if frame.xyxy is not None
    }
    if not boxes or len(timeline) < 2:  # a clip of one frame has no length
        return None
    video = answer.video
    event = Annotation(
        query=plain_line(answer.query),
        caption=plain_line(answer.prose if answer.task == "elc" else answer.query)
        or title_of(answer),
        width=video.width,
        height=video.height,
        num_frames=len(timeline),
        first_frame=frames[0].number,
        last_frame=frames[-1].number,
        boxes=boxes,
    )
    row = st_align_row(answer.task, plain_line(video.path.name), event)
    return row if answer.original is None else {**row, "source": BY_HAND}


def _xywh(xyxy: Sequence[float]) -> list[float]:
    """A box as the format has it, in hundredths of a pixel."""
    x1, y1, x2, y2 = xyxy
    return [round(value, _DECIMALS) for value in (x1, y1, x2 - x1, y2 - y1)]
