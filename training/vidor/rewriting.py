"""Saying which one is meant, where a sentence fits several things."""

from __future__ import annotations

from dataclasses import replace

from training.vidor.events import Candidate, Event

#: How far apart the middles of two things must be, in widths of the picture.
_MIN_DISTANCE = 0.1


def say_which(event: Event, index: int, width: int) -> Event | None:
    """The event of one candidate, its side of the picture said in the sentence.

    Args:
        event: Several candidates; its query begins with "the".
        index: The one that is meant.
        width: Of the picture, in pixels.

    Returns:
        An event with that candidate alone; None if it is neither clearly the leftmost
        nor clearly the rightmost, or if one thing is meant at several times.
    """
    middles = [_middle(candidate) for candidate in event.candidates]
    others = [middle for i, middle in enumerate(middles) if i != index]
    away = _MIN_DISTANCE * width
    if all(middles[index] + away < other for other in others):
        side = "left"
    elif all(middles[index] - away > other for other in others):
        side = "right"
    else:
        return None
    name = side if len(middles) == 2 else f"{side}most"
    query = event.query.replace("the ", f"the {name} ", 1)
    return replace(event, query=query, candidates=(event.candidates[index],))


def _middle(candidate: Candidate) -> float:
    """Mean of the box's horizontal middle over time."""
    boxes = candidate.boxes.values()
    return sum((x1 + x2) / 2 for x1, _, x2, _ in boxes) / len(boxes)
