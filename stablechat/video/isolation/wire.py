"""Messages between parent and child: JSON and plain arrays, nothing that can run.

A message is ``<header length, payload length>``, the header as JSON, and the bytes of
its arrays one after the other. The child may be in the hands of the file it reads, so
:func:`receive` checks every number before it believes it.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import IO, Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.generic]

_SIZES = struct.Struct("<IQ")
_DTYPES = ("|u1", "<i8", "<f8")
_ARRAYS_KEY = "__arrays__"

MAX_HEADER_BYTES = 8 << 20
MAX_PAYLOAD_BYTES = 1 << 30


class WireError(Exception):
    """What arrived is not a message: the other side is broken or gone."""


@dataclass(frozen=True, eq=False)
class Message:
    """Plain data that crosses the process boundary.

    Attributes:
        data: What JSON can hold.
        arrays: uint8, int64 or float64.
    """

    data: Mapping[str, Any] = field(default_factory=dict)
    arrays: Sequence[Array] = ()


def send(stream: IO[bytes], message: Message) -> None:
    """Write a message.

    Args:
        stream: A pipe.
        message: What to send.

    Raises:
        OSError: If nobody reads any more.
        WireError: If an array is of a kind that may not cross.
    """
    arrays = [np.ascontiguousarray(array) for array in message.arrays]
    kinds = [[array.dtype.str, list(array.shape)] for array in arrays]
    if any(kind not in _DTYPES for kind, _ in kinds):
        raise WireError(f"Arrays must be of {', '.join(_DTYPES)}, got {kinds}.")
    header = json.dumps({**message.data, _ARRAYS_KEY: kinds}).encode("ascii")
    payload = sum(array.nbytes for array in arrays)
    stream.write(_SIZES.pack(len(header), payload) + header)
    for array in arrays:
        stream.write(array.reshape(-1).view(np.uint8).data)
    stream.flush()


def receive(stream: IO[bytes]) -> Message | None:
    """Read a message.

    Args:
        stream: A pipe.

    Returns:
        The message, or None at the end of the stream.

    Raises:
        WireError: If what arrives is not a message.
    """
    start = stream.read(_SIZES.size)
    if not start:
        return None
    if len(start) < _SIZES.size:
        raise WireError("The stream ends inside a message.")
    header_bytes, payload_bytes = _SIZES.unpack(start)
    if header_bytes > MAX_HEADER_BYTES or payload_bytes > MAX_PAYLOAD_BYTES:
        raise WireError("A message is too large.")
    data = _header(_read(stream, header_bytes))
    kinds = data.pop(_ARRAYS_KEY, None)
    return Message(data, _arrays(stream, kinds, payload_bytes))


def _header(raw: bytearray) -> dict[str, Any]:
    try:
        data = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise WireError("A message's header is not JSON.") from error
    if not isinstance(data, dict):
        raise WireError("A message's header is not an object.")
    return data


def _arrays(stream: IO[bytes], kinds: object, payload_bytes: int) -> list[Array]:
    wanted = [_checked_kind(kind) for kind in kinds] if isinstance(kinds, list) else []
    sizes = [np.dtype(dtype).itemsize * math.prod(shape) for dtype, shape in wanted]
    if sum(sizes) != payload_bytes:
        raise WireError("A message's arrays do not fill it.")
    return [
        np.frombuffer(_read(stream, size), dtype).reshape(shape)
        for (dtype, shape), size in zip(wanted, sizes, strict=True)
    ]


def _checked_kind(kind: object) -> tuple[str, tuple[int, ...]]:
    match kind:
        case [str() as dtype, list() as shape] if dtype in _DTYPES and all(
            type(side) is int and 0 <= side <= MAX_PAYLOAD_BYTES for side in shape
        ):
            return dtype, tuple(shape)
    raise WireError("A message's arrays are not described.")


def _read(stream: IO[bytes], size: int) -> bytearray:
    """Exactly ``size`` bytes, into memory that arrays may own and write."""
    raw = bytearray(size)
    view, done = memoryview(raw), 0
    while done < size:
        count = stream.readinto(view[done:])  # type: ignore[attr-defined]
        if not count:
            raise WireError("The stream ends inside a message.")
        done += count
    return raw
