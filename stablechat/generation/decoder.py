"""What every decoder does: read a prompt, read trees of tokens, keep a path of one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor

from stablechat.generation.sampler import Sampler
from stablechat.generation.scores import token_scores
from stablechat.generation.tree import DraftTree
from stablechat.types import FloatArray


@dataclass(frozen=True, eq=False)
class Reading:
    """What the model would write after each token that it read.

    Attributes:
        tokens: The picked token after each.
        scores: float64 ``(N, 8)``, as :func:`scores.token_scores` has them.
        logits: ``(N, vocabulary)`` on the model's device; valid until the next pass.
    """

    tokens: Sequence[int]
    scores: FloatArray
    logits: Tensor


class Decoder(Protocol):
    """A language model with its memory of what it has read."""

    @property
    def costs(self) -> Mapping[int, float]:
        """Size of a tree -> time of a pass over it, relative to one token's."""

    @property
    def branches(self) -> bool:
        """Whether a tree may have several guesses for one place."""

    def read_prompt(
        self, inputs_embeds: Tensor, sampler: Sampler, max_new_tokens: int
    ) -> Reading:
        """Forget everything and read a prompt.

        Args:
            inputs_embeds: ``(1, L, hidden)``.
            sampler: Picks the answer's tokens.
            max_new_tokens: How much will be read after it.

        Returns:
            What comes after its last token, N = 1.
        """

    def read(self, tree: DraftTree, place: int, *, ahead: bool = False) -> Reading:
        """Read a tree; what was kept before it stays as it is.

        Args:
            tree: Tokens to read.
            place: How many tokens of the answer stand before the one after the tree's
                first.
            ahead: Whether the one token that comes after this one will be read next,
                so that a device may begin at once.
        """

    def keep(self, path: Sequence[int]) -> None:
        """Keep some tokens of the last tree, and forget its others.

        Args:
            path: Places in the tree, each the child of the one before, from its first.
        """


def pick_with_scores(
    logits: Tensor, places: Tensor, sampler: Sampler, first_coordinate: int
) -> Tensor:
    """Pick tokens, and keep what is worth keeping of their scores.

    Args:
        logits: ``(N, vocabulary)``.
        places: int64 ``(N,)``, places in the answer.
        sampler: Picks.
        first_coordinate: Id of ``<TEMP-000>``.

    Returns:
        float32 ``(N, 9)``: the token, which float32 holds exactly up to 16 million,
        and its scores.
    """
    tokens = sampler.pick(logits, places)
    scores = token_scores(logits, tokens, first_coordinate)
    return torch.cat([tokens.unsqueeze(1).float(), scores], dim=1)


def reading(picked: Tensor, logits: Tensor) -> Reading:
    """A :class:`Reading` from :func:`pick_with_scores`, on the host."""
    numbers = picked.double().numpy()
    return Reading(numbers[:, 0].astype(int).tolist(), numbers[:, 1:], logits)
