"""Damage to files: repeatable, and written down so that it can be done again."""

from __future__ import annotations

import random
import struct
from collections.abc import Callable, Sequence

#: ``[kind, number, ...]``; plain lists, because recipes are kept as JSON.
Mutation = list[str | int]

MOST_MUTATIONS = 6
HEADER_BYTES = 4096  # half of the damage goes here, where it matters most
MOST_BLOCK = 65_536
ODD_SIZES = (0, 1, 7, 8, 9, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
BOX_TYPES = (b"free", b"moov", b"trak", b"stbl", b"stsz", b"mdat", b"\0\0\0\0")

#: Boxes of MP4 and MOV that hold boxes.
_FOLDERS = frozenset(
    (b"moov", b"trak", b"mdia", b"minf", b"stbl", b"edts", b"moof", b"traf", b"udta")
)


def draw(data: bytes, rng: random.Random) -> list[Mutation]:
    """Choose how to damage a file.

    Args:
        data: The file.
        rng: Decides.

    Returns:
        One to :data:`MOST_MUTATIONS` mutations, for :func:`apply`.
    """
    boxes = find_boxes(data)
    kinds = [_flip, _flip, _zero, _truncate, _copy, _delete, _number]
    # More often few than many: a file that is refused at once tells little.
    count = min(rng.randint(1, MOST_MUTATIONS), rng.randint(1, MOST_MUTATIONS))
    drawn: list[Mutation] = []
    for _ in range(count):
        if boxes and rng.random() < 0.4:
            drawn.append(_box(boxes, rng))
        else:
            drawn.append(rng.choice(kinds)(len(data), rng))
    return drawn


def apply(data: bytes, mutations: Sequence[Mutation]) -> bytes:
    """Damage a file.

    Args:
        data: The file.
        mutations: What :func:`draw` chose, or some of it.

    Returns:
        The damaged file.
    """
    damaged = bytearray(data)
    for kind, *numbers in mutations:
        _APPLY[str(kind)](damaged, *map(int, numbers))
    return bytes(damaged)


def find_boxes(data: bytes) -> list[int]:
    """Where the boxes of an MP4 or MOV file begin, inner ones included."""
    found: list[int] = []
    _walk(data, 0, len(data), found)
    return found


def _walk(data: bytes, start: int, end: int, found: list[int]) -> None:
    while start + 8 <= end:
        size, kind = struct.unpack(">I4s", data[start : start + 8])
        if not kind.isalnum() or size < 8 or start + size > len(data):
            return
        found.append(start)
        if kind in _FOLDERS:
            _walk(data, start + 8, start + size, found)
        start += size


def _place(length: int, rng: random.Random) -> int:
    near = rng.random() < 0.5
    return rng.randrange(max(1, min(length, HEADER_BYTES) if near else length))


def _block(length: int, rng: random.Random) -> int:
    return int(2 ** rng.uniform(0, 16)) % max(1, min(length, MOST_BLOCK)) + 1


def _flip(length: int, rng: random.Random) -> Mutation:
    return ["flip", _place(length, rng), rng.randrange(1, 256)]


def _zero(length: int, rng: random.Random) -> Mutation:
    return ["zero", _place(length, rng), _block(length, rng)]


def _truncate(length: int, rng: random.Random) -> Mutation:
    return ["truncate", _place(length, rng)]


def _copy(length: int, rng: random.Random) -> Mutation:
    place, block = _place(length, rng), _block(length, rng)
    return ["copy", place, block, _place(length, rng)]


def _delete(length: int, rng: random.Random) -> Mutation:
    return ["delete", _place(length, rng), _block(length, rng)]


def _number(length: int, rng: random.Random) -> Mutation:
    return ["number", _place(length, rng), rng.choice(ODD_SIZES)]


def _box(boxes: list[int], rng: random.Random) -> Mutation:
    place = rng.choice(boxes)
    match rng.randrange(3):
        case 0:
            return ["number", place, rng.choice(ODD_SIZES)]
        case 1:
            kind = rng.choice(BOX_TYPES)
            return ["number", place + 4, int.from_bytes(kind, "big")]
        case _:  # a field inside the box: a count, a size, a time
            return ["number", place + 8 + 4 * rng.randrange(12), rng.choice(ODD_SIZES)]


def _apply_flip(data: bytearray, place: int, bits: int) -> None:
    if place < len(data):
        data[place] ^= bits


def _apply_zero(data: bytearray, place: int, block: int) -> None:
    end = min(len(data), place + block)
    data[place:end] = bytes(max(0, end - place))


def _apply_truncate(data: bytearray, place: int) -> None:
    del data[place:]


def _apply_copy(data: bytearray, place: int, block: int, target: int) -> None:
    data[target:target] = data[place : place + block]


def _apply_delete(data: bytearray, place: int, block: int) -> None:
    del data[place : place + block]


def _apply_number(data: bytearray, place: int, number: int) -> None:
    if place + 4 <= len(data):
        data[place : place + 4] = number.to_bytes(4, "big")


_APPLY: dict[str, Callable[..., None]] = {
    "flip": _apply_flip,
    "zero": _apply_zero,
    "truncate": _apply_truncate,
    "copy": _apply_copy,
    "delete": _apply_delete,
    "number": _apply_number,
}
