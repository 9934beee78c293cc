"""How much of what happens a description names, and how much of it is true."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from training.synthetic import language
from training.synthetic.world import ACTIONS, COLORS, SHAPES

Kinds = tuple[int, int, int]

_KINDS: dict[str, Kinds] = {
    language.caption(color, shape, action): (color, shape, action)
    for color in range(len(COLORS))
    for shape in range(len(SHAPES))
    for action in range(len(ACTIONS))
}
# The longest first, so that no caption is taken for the beginning of another.
_CAPTIONS = re.compile(
    "|".join(sorted(map(re.escape, _KINDS), key=len, reverse=True)), re.IGNORECASE
)


@dataclass(frozen=True)
class Naming:
    """What one description got right, each a share from 0 to 1.

    A thing that is not there counts as much against it as one that is not named: what
    is shared, over the larger number of things, there or said.

    Attributes:
        objects: Shapes.
        colors: Shapes in their own colour.
        actions: Shapes in their own colour, doing what they do.
    """

    objects: float
    colors: float
    actions: float


def read_kinds(text: str) -> list[Kinds]:
    """Colour, shape and action of everything that a description names."""
    return [_KINDS[found.group().lower()] for found in _CAPTIONS.finditer(text)]


def judge(truth: str, answer: str) -> Naming:
    """Compare a description with the true one."""
    there, said = read_kinds(truth), read_kinds(answer)
    return Naming(
        objects=_share([kinds[1:2] for kinds in there], [kinds[1:2] for kinds in said]),
        colors=_share([kinds[:2] for kinds in there], [kinds[:2] for kinds in said]),
        actions=_share(there, said),
    )


def _share(there: Sequence[tuple[int, ...]], said: Sequence[tuple[int, ...]]) -> float:
    shared = (Counter(there) & Counter(said)).total()
    return shared / max(len(there), len(said), 1)
