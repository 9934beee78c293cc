"""Messages that cross the boundary, and what pretends to be one."""

from __future__ import annotations

import io
import json
import struct

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from stablechat.video.isolation.wire import (
    MAX_HEADER_BYTES,
    MAX_PAYLOAD_BYTES,
    Message,
    WireError,
    receive,
    send,
)


def packed(header: bytes, payload: bytes = b"", *, length: int | None = None) -> bytes:
    size = len(payload) if length is None else length
    return struct.pack("<IQ", len(header), size) + header + payload


def described(*kinds: object) -> bytes:
    return json.dumps({"__arrays__": kinds}).encode()


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=8,
)


@given(
    st.dictionaries(st.text().filter(lambda key: key != "__arrays__"), json_values),
    st.lists(
        st.tuples(
            st.sampled_from([np.uint8, np.int64, np.float64]),
            st.lists(st.integers(0, 4), min_size=1, max_size=3),
        )
    ),
)
def test_every_message_arrives(
    data: dict[str, object], kinds: list[tuple[type, list[int]]]
) -> None:
    arrays = [np.ones(shape, dtype) for dtype, shape in kinds]
    stream = io.BytesIO()
    send(stream, Message(data, arrays))
    send(stream, Message({"next": 1}))
    stream.seek(0)
    first, second, end = receive(stream), receive(stream), receive(stream)
    assert first is not None and second is not None and end is None
    assert first.data == data
    assert [a.shape for a in first.arrays] == [a.shape for a in arrays]
    assert [a.dtype for a in first.arrays] == [a.dtype for a in arrays]
    assert second.data == {"next": 1}


@pytest.mark.parametrize(
    "raw",
    [
        b"\x01",
        packed(b"{}")[:-1],
        packed(b"[]"),
        packed(b"nonsense"),
        packed(b"[" * 100_000),
        packed(b"{}", b"unclaimed"),
        packed(described(["|u1", [3]]), b"ab"),
        packed(described(["|u1", [3]]), b"ab", length=3),
        packed(described(["|O", [1]]), b"12345678"),
        packed(described(["|u1", [-1, -3]]), b"abc"),
        packed(described(["|u1", [1.0]]), b"a"),
        packed(described(["|u1", [True]]), b"a"),
        packed(described(["|u1"]), b"a"),
        packed(described("|u1"), b"a"),
        struct.pack("<IQ", MAX_HEADER_BYTES + 1, 0),
        struct.pack("<IQ", 2, MAX_PAYLOAD_BYTES + 1),
    ],
)
def test_what_is_not_a_message_is_refused(raw: bytes) -> None:
    with pytest.raises(WireError):
        receive(io.BytesIO(raw))


@given(st.binary(max_size=200))
def test_noise_never_breaks_the_reader(raw: bytes) -> None:
    try:
        receive(io.BytesIO(raw))
    except WireError:
        pass


def test_other_kinds_of_arrays_do_not_leave() -> None:
    with pytest.raises(WireError, match="Arrays must be"):
        send(io.BytesIO(), Message({}, [np.array(["text"])]))
