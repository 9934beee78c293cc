"""A tree of guesses that the model checks in one pass."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from stablechat.errors import InputError

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class DraftTree:
    """Tokens that may come next, each after its parent.

    Attributes:
        tokens: The first is the last token of the answer so far, which the model has
            not read yet; the others are guesses.
        parents: Place of each one's parent; -1 for the first.
    """

    tokens: Sequence[int]
    parents: Sequence[int]

    def __post_init__(self) -> None:
        if not self.tokens or len(self.tokens) != len(self.parents):
            raise InputError("A tree needs a first token, and a parent for each.")
        if self.parents[0] != -1 or not all(
            0 <= parent < place for place, parent in enumerate(self.parents[1:], 1)
        ):
            raise InputError(f"Parents must stand before children: {self.parents}.")

    def __len__(self) -> int:
        return len(self.tokens)

    def child(self, place: int, token: int) -> int | None:
        """Where a token was guessed after another, or None."""
        for at in range(place + 1, len(self.tokens)):
            if self.parents[at] == place and self.tokens[at] == token:
                return at
        return None

    def depths(self) -> list[int]:
        """How many tokens stand before each one in the tree."""
        depths: list[int] = []
        for parent in self.parents:
            depths.append(depths[parent] + 1 if parent >= 0 else 0)
        return depths

    def ancestors(self) -> BoolArray:
        """bool ``(N, N)``: row ``i`` has the path from the first token to ``i``."""
        mask = np.eye(len(self), dtype=np.bool_)
        for place, parent in enumerate(self.parents[1:], 1):
            mask[place] |= mask[parent]
        return mask


def single(token: int) -> DraftTree:
    """A tree without guesses."""
    return DraftTree((token,), (-1,))
