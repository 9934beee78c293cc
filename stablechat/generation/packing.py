"""Trees of several answers in one array, as the CUDA kernels read them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from stablechat.generation.tree import DraftTree

_SEAT_COLUMNS = 3
#: Columns of a token before its mask.
HEAD_COLUMNS = 3


@dataclass(frozen=True, eq=False)
class Packed:
    """What a pass reads; one array, so that it is sent at once.

    Attributes:
        numbers: int32, all of it; the others are views of it.
        seats: ``(seats, 3)``: the first of its tokens, how many it has, and how many
            its cache holds.
        tokens: ``(N, 3 + M)``: token, position, seat, and which of its tree's tokens it
            sees. What fills the pass up is of seat -1.
    """

    numbers: Tensor
    seats: Tensor
    tokens: Tensor

    def to(self, device: torch.device) -> Packed:
        """A twin elsewhere."""
        num_seats, (num_tokens, columns) = len(self.seats), self.tokens.shape
        numbers = self.numbers.to(device)
        return _views(numbers, num_seats, num_tokens, columns)


def room_for(
    num_seats: int, num_tokens: int, tallest: int, *, pinned: bool = False
) -> Packed:
    """A place on the host for trees to come.

    Args:
        num_seats: Caches.
        num_tokens: Of all trees, N.
        tallest: Tokens of one tree, M.
        pinned: Whether a card copies from it.
    """
    columns = HEAD_COLUMNS + tallest
    size = num_seats * _SEAT_COLUMNS + num_tokens * columns
    numbers = torch.zeros(size, dtype=torch.int32, pin_memory=pinned)
    return _views(numbers, num_seats, num_tokens, columns)


def _views(numbers: Tensor, num_seats: int, num_tokens: int, columns: int) -> Packed:
    seats, tokens = torch.split(
        numbers, [num_seats * _SEAT_COLUMNS, num_tokens * columns]
    )
    return Packed(numbers, seats.view(num_seats, -1), tokens.view(num_tokens, columns))


def pack(trees: Mapping[int, DraftTree], lengths: Sequence[int], into: Packed) -> None:
    """Write down trees; those of one answer each, one after the other.

    Args:
        trees: By seat.
        lengths: What each seat's cache holds.
        into: Where they go, on the host.
    """
    seats, tokens = into.seats.numpy(), into.tokens.numpy()
    seats[:] = 0
    tokens[:] = 0
    tokens[:, 2] = -1
    first = 0
    for seat, tree in trees.items():
        count, length = len(tree), lengths[seat]
        seats[seat] = first, count, length
        own = tokens[first : first + count]
        own[:, 0] = tree.tokens
        own[:, 1] = length + np.array(tree.depths(), tokens.dtype)
        own[:, 2] = seat
        own[:, HEAD_COLUMNS : HEAD_COLUMNS + count] = tree.ancestors()
        first += count
