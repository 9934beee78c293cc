"""Trees of several answers in one array."""

from __future__ import annotations

import torch

from stablechat.generation.packing import pack, room_for
from stablechat.generation.tree import DraftTree, single


def test_each_tree_is_of_its_seat() -> None:
    room = room_for(3, 5, 4)
    branching = DraftTree((7, 8, 9), (-1, 0, 0))
    pack({2: branching, 0: single(5)}, [10, 20, 30], room)
    assert room.seats.tolist() == [[3, 1, 10], [0, 0, 0], [0, 3, 30]]
    assert room.tokens.tolist() == [
        [7, 30, 2, 1, 0, 0, 0],
        [8, 31, 2, 1, 1, 0, 0],
        [9, 31, 2, 1, 0, 1, 0],
        [5, 10, 0, 1, 0, 0, 0],
        [0, 0, -1, 0, 0, 0, 0],
    ]


def test_nothing_is_left_of_what_was_packed_before() -> None:
    room = room_for(2, 4, 4)
    pack({0: DraftTree((1, 2, 3, 4), (-1, 0, 1, 2))}, [9, 9], room)
    pack({1: single(6)}, [9, 4], room)
    assert room.seats.tolist() == [[0, 0, 0], [0, 1, 4]]
    assert room.tokens[0].tolist() == [6, 4, 1, 1, 0, 0, 0]
    assert room.tokens[1:, 2].tolist() == [-1, -1, -1]
    assert not room.tokens[1:, 3:].any()


def test_a_twin_is_sent_in_one_piece() -> None:
    room = room_for(2, 2, 1)
    twin = room.to(torch.device("meta"))
    assert (twin.seats.shape, twin.tokens.shape) == ((2, 3), (2, 4))
    twin = room_for(2, 2, 1)
    pack({1: single(3)}, [0, 8], room)
    twin.numbers.copy_(room.numbers)
    assert torch.equal(twin.seats, room.seats)
    assert torch.equal(twin.tokens, room.tokens)
