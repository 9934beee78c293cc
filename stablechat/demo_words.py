"""What the demo model understands, said before somebody is disappointed."""

from __future__ import annotations

import re

#: Things of its world, with the other words that it knows for them.
SHAPES = ("circle", "square", "triangle", "star", "cross", "ring")
OTHER_NAMES = ("disc", "ball", "box", "hoop", "plus", "object", "shape", "thing")
COLORS = ("red", "orange", "yellow", "green", "cyan", "blue", "purple", "white")
ACTIONS = (
    *("moves left", "moves right", "moves up", "moves down"),
    *("grows", "shrinks", "blinks", "shakes"),
)
#: Questions that it understands.
QUESTIONS = (
    "the red circle moving left",
    "the blue square that gets bigger",
    "the star blinking",
)

_WORD = re.compile(r"[a-z]+")


def may_understand(question: str) -> bool:
    """Whether a question names a thing of its world."""
    words = _WORD.findall(question.lower())
    things = (*SHAPES, *OTHER_NAMES)
    return any(word in things or word.removesuffix("s") in things for word in words)
