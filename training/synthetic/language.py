"""Words of the synthetic world: questions about an object, and what happens."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from training.synthetic.world import ACTIONS, COLORS, SHAPES

#: Index that stands for "not said" in a colour, shape or action.
UNSAID_COLOR = len(COLORS)
UNSAID_SHAPE = len(SHAPES)
UNSAID_ACTION = len(ACTIONS)

_GENERIC = ("object", "shape", "thing")
_COLOR_WORDS = {"purple": ("purple", "purple", "violet")}
_SHAPE_WORDS = {
    "circle": ("circle", "circle", "disc", "ball"),
    "square": ("square", "square", "box"),
    "ring": ("ring", "ring", "hoop"),
    "cross": ("cross", "cross", "plus"),
}


@dataclass(frozen=True)
class _Verb:
    """An action's words: third person and participle, in parallel, plainest first."""

    finite: tuple[str, ...]
    participle: tuple[str, ...]


def _moves(direction: str) -> _Verb:
    to = (
        f"to the {direction}" if direction in ("left", "right") else f"{direction}wards"
    )
    return _Verb(
        (
            f"moves {direction}",
            f"moves {to}",
            f"goes {direction}",
            f"slides {direction}",
            f"drifts {direction}",
        ),
        (
            f"moving {direction}",
            f"moving {to}",
            f"going {direction}",
            f"sliding {direction}",
            f"drifting {direction}",
        ),
    )


_VERBS = {
    "move_left": _moves("left"),
    "move_right": _moves("right"),
    "move_up": _moves("up"),
    "move_down": _moves("down"),
    "grow": _Verb(
        ("grows", "gets bigger", "gets larger", "expands"),
        ("growing", "getting bigger", "getting larger", "expanding"),
    ),
    "shrink": _Verb(
        ("shrinks", "gets smaller", "contracts"),
        ("shrinking", "getting smaller", "contracting"),
    ),
    "blink": _Verb(
        ("blinks", "flashes", "flickers", "turns on and off"),
        ("blinking", "flashing", "flickering", "turning on and off"),
    ),
    "shake": _Verb(
        ("shakes", "trembles", "vibrates", "wobbles"),
        ("shaking", "trembling", "vibrating", "wobbling"),
    ),
}


def caption(color: int, shape: int, action: int) -> str:
    """What an object does, in the plainest words: "a red circle moves left"."""
    verb = _VERBS[ACTIONS[action]].finite[0]
    article = "an" if COLORS[color][0] in "aeiou" else "a"
    return f"{article} {COLORS[color]} {SHAPES[shape]} {verb}"


def describe(captions: Sequence[str]) -> str:
    """One sentence out of several captions."""
    if len(captions) == 1:
        sentence = captions[0]
    elif len(captions) == 2:
        sentence = f"{captions[0]} while {captions[1]}"
    else:
        sentence = f"{', '.join(captions[:-1])} and {captions[-1]}"
    return f"{sentence[0].upper()}{sentence[1:]}."


def query(color: int, shape: int, action: int, rng: random.Random) -> str:
    """One wording of a question.

    Args:
        color, shape, action: Indices of the world's tables, or the ``UNSAID_*`` ones.
        rng: Chooses the words.

    Returns:
        For example "the red circle moving left" or "a square that blinks".
    """
    noun = _noun(color, shape, rng)
    article = rng.choice(("the", "the", "the", "a", ""))
    if article == "a" and noun[0] in "aeiou":
        article = "an"
    thing = f"{article} {noun}".strip()
    if action == UNSAID_ACTION:
        return thing
    verb = _VERBS[ACTIONS[action]]
    plain = rng.random() < 0.5
    finite = verb.finite[0] if plain else rng.choice(verb.finite)
    participle = verb.participle[0] if plain else rng.choice(verb.participle)
    form = rng.randrange(6)
    if form < 3:
        return f"{thing} {participle}"
    if form == 3:
        return f"{thing} {rng.choice(('that', 'which'))} {finite}"
    if form == 4:
        return f"{thing} that is {participle}"
    return f"{thing} {finite}"


def _noun(color: int, shape: int, rng: random.Random) -> str:
    words = []
    if color != UNSAID_COLOR:
        name = COLORS[color]
        words.append(rng.choice(_COLOR_WORDS.get(name, (name,))))
    if shape == UNSAID_SHAPE:
        words.append(rng.choice(_GENERIC))
    else:
        name = SHAPES[shape]
        words.append(rng.choice(_SHAPE_WORDS.get(name, (name,))))
    return " ".join(words)
