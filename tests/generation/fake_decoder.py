"""A model that is a function, for tests of what is built on one."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Mapping, Sequence
from itertools import pairwise

import numpy as np
import torch
from torch import Tensor

from stablechat.generation.decoder import Reading
from stablechat.generation.sampler import Sampler
from stablechat.generation.tree import DraftTree

#: Words 0..99, then the three coordinate tables.
FIRST = 100
VOCABULARY = FIRST + 300

Model = Callable[[Sequence[int]], int]


def time(value: int) -> int:
    """Id of a time token."""
    return FIRST + value


def height(value: int) -> int:
    """Id of a height token."""
    return FIRST + 100 + value


def width(value: int) -> int:
    """Id of a width token."""
    return FIRST + 200 + value


def scripted(script: Sequence[int]) -> Model:
    """A model that writes a script, and anything at all after another beginning."""

    def after(written: Sequence[int]) -> int:
        count = len(written)
        if count < len(script) and list(written) == list(script[:count]):
            return script[count]
        return zlib.crc32(bytes(str(list(written)), "ascii")) % VOCABULARY

    return after


class FakeDecoder:
    """Answers as a function of the tokens says; remembers what was asked of it."""

    branches = True

    def __init__(self, model: Model, costs: Mapping[int, float] | None = None) -> None:
        self._model = model
        self.costs = costs or {1: 1.0, 16: 1.1, 64: 1.3}
        self.kept: list[int] = []
        self.trees: list[DraftTree] = []
        self.places: list[int] = []

    def read_prompt(self, embeds: Tensor, sampler: Sampler, limit: int) -> Reading:
        self.kept, self.trees, self.places = [], [], []
        return self._reading([[]])

    def read(self, tree: DraftTree, place: int, *, ahead: bool = False) -> Reading:
        self.trees.append(tree)
        self.places.append(place)
        paths: list[list[int]] = []
        for token, parent in zip(tree.tokens, tree.parents, strict=True):
            paths.append([*(paths[parent] if parent >= 0 else self.kept), token])
        return self._reading(paths)

    def keep(self, path: Sequence[int]) -> None:
        tree = self.trees[-1]
        assert path[0] == 0
        for parent, child in pairwise(path):
            assert tree.parents[child] == parent
        self.kept += [tree.tokens[place] for place in path]

    def _reading(self, paths: list[list[int]]) -> Reading:
        tokens = [self._model(path) for path in paths]
        logits = torch.zeros(len(tokens), VOCABULARY)
        logits[range(len(tokens)), tokens] = 5.0
        return Reading(tokens, np.zeros((len(tokens), 8)), logits)
