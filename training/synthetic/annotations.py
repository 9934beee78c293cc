"""Rows in ST-Align's annotation format, with exact truth."""

from __future__ import annotations

import math
import random
from dataclasses import dataclass

from render.exports.st_align import Annotation, Row, st_align_row
from training.synthetic import language
from training.synthetic.language import UNSAID_ACTION, UNSAID_COLOR, UNSAID_SHAPE
from training.synthetic.painter import frame_times
from training.synthetic.video import Format
from training.synthetic.world import Scenes, boxes_of, states_at

_TASKS = ("stvg", "svg", "elc")
# How often a question leaves out the colour, the shape or the action.
_FORMS = (
    ((True, True, True), 12),
    ((False, True, True), 2),
    ((True, False, True), 2),
    ((True, True, False), 3),
    ((False, False, True), 1),
)


@dataclass(frozen=True)
class Event:
    """One object's event in a written video.

    Attributes:
        index: Of the object in its scene.
        kinds: Colour, shape and action.
        first_frame, last_frame: Of the event, inclusive.
        boxes: ``{frame: [x, y, w, h]}`` in pixels.
    """

    index: int
    kinds: tuple[int, int, int]
    first_frame: int
    last_frame: int
    boxes: dict[str, list[float]]


def events_of(scene: Scenes, layout: Format) -> list[Event]:
    """The events of a single scene, in the order in which they start."""
    times = frame_times(layout.num_frames)
    boxes = boxes_of(scene, states_at(scene, times))[0]
    last = layout.num_frames - 1
    found = []
    for k in range(scene.color.shape[1]):
        if not scene.exists[0, k]:
            continue
        first_frame = math.ceil(float(scene.start[0, k]) * last)
        last_frame = math.floor(float(scene.end[0, k]) * last)
        tracks = {
            str(frame): _pixel_box(boxes[frame, k].tolist(), layout)
            for frame in range(first_frame, last_frame + 1)
        }
        kinds = tuple(int(t[0, k]) for t in (scene.color, scene.shape, scene.action))
        found.append(Event(k, kinds, first_frame, last_frame, tracks))  # type: ignore[arg-type]
    return sorted(found, key=lambda event: event.first_frame)


def make_rows(
    video_path: str, events: list[Event], layout: Format, rng: random.Random
) -> dict[str, Row]:
    """One row a task about one event that a question can pick out.

    Args:
        video_path: Relative to the folder of videos.
        events: All events of the video.
        layout: The video's format.
        rng: Chooses the event and the words.

    Returns:
        ``{"stvg": row, "svg": row, "elc": row}``; empty if no event stands out.
    """
    askable = askable_events(events)
    if not askable:
        return {}
    event = rng.choice(askable)
    query = ask_about(event, events, rng)
    return {task: _row(task, video_path, event, query, layout) for task in _TASKS}


def describe_video(events: list[Event]) -> str:
    """What happens in the video, in one sentence."""
    return language.describe([language.caption(*event.kinds) for event in events])


def askable_events(events: list[Event]) -> list[Event]:
    """The events that a full question picks out."""
    return [event for event in events if count_fitting(event.kinds, events) == 1]


def ask_about(event: Event, events: list[Event], rng: random.Random) -> str:
    """A question that picks out one of a video's events."""
    forms, weights = zip(*_FORMS, strict=True)
    mentions = rng.choices(forms, weights)[0]
    unsaid = (UNSAID_COLOR, UNSAID_SHAPE, UNSAID_ACTION)
    said = tuple(
        kind if named else silent
        for kind, named, silent in zip(event.kinds, mentions, unsaid, strict=True)
    )
    if count_fitting(said, events) != 1:
        said = event.kinds
    return language.query(*said, rng)


def count_fitting(said: tuple[int, ...], events: list[Event]) -> int:
    """How many events fit a question, given as kinds or the ``UNSAID_*`` ones."""
    unsaid = (UNSAID_COLOR, UNSAID_SHAPE, UNSAID_ACTION)
    return sum(
        all(
            wanted in (silent, kind)
            for wanted, silent, kind in zip(said, unsaid, event.kinds, strict=True)
        )
        for event in events
    )


def _row(task: str, video_path: str, event: Event, query: str, layout: Format) -> Row:
    return st_align_row(
        task,
        video_path,
        Annotation(
            query=query,
            caption=language.caption(*event.kinds),
            width=layout.width,
            height=layout.height,
            num_frames=layout.num_frames,
            first_frame=event.first_frame,
            last_frame=event.last_frame,
            boxes=event.boxes,
        ),
    )


def _pixel_box(unit: list[float], layout: Format) -> list[float]:
    x1, y1, x2, y2 = unit
    width, height = layout.width, layout.height
    box = (x1 * width, y1 * height, (x2 - x1) * width, (y2 - y1) * height)
    return [round(value, 2) for value in box]
