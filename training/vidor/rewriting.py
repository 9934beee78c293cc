"""Saying which one is meant, where a sentence fits several things."""

from __future__ import annotations

import re
from dataclasses import replace

from training.vidor.annotations import VidorVideo
from training.vidor.events import Candidate, Event, name_of

#: How far apart the middles of two things must be, in widths of the picture.
_MIN_DISTANCE = 0.1


def say_which(event: Event, index: int, video: VidorVideo) -> Event | None:
    """The event of one candidate, its side of the picture said in the sentence.

    Args:
        event: Several candidates.
        index: The one that is meant.
        video: Where they are.

    Returns:
        An event with that candidate alone; None if it is neither clearly the leftmost
        nor clearly the rightmost, if one thing is meant at several times, or if the
        sentence does not begin with it ("the dog ..."): nobody knows then which of its
        words the side belongs to.
    """
    kind = name_of(video.categories[event.candidates[index].tid])
    begins = re.match(rf"(the )({re.escape(kind)}\b)", event.query, re.IGNORECASE)
    if begins is None:
        return None
    middles = [_middle(candidate) for candidate in event.candidates]
    others = [middle for i, middle in enumerate(middles) if i != index]
    away = _MIN_DISTANCE * video.width
    if all(middles[index] + away < other for other in others):
        side = "left"
    elif all(middles[index] - away > other for other in others):
        side = "right"
    else:
        return None
    name = side if len(middles) == 2 else f"{side}most"
    query = f"{begins[1]}{name} {event.query[begins.start(2) :]}"
    return replace(event, query=query, candidates=(event.candidates[index],))


def _middle(candidate: Candidate) -> float:
    """Mean of the box's horizontal middle over time."""
    boxes = candidate.boxes.values()
    return sum((x1 + x2) / 2 for x1, _, x2, _ in boxes) / len(boxes)
