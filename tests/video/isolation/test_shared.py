"""What a child does with lent memory is seen by the parent, and can't hurt it."""

from __future__ import annotations

import os
import sys

import numpy as np
import pytest

from stablechat.video.isolation import (
    ChildLimits,
    Message,
    SharedMemory,
    run_in_child,
    write_shared,
)

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="only Linux can seal memory"
)

MODULE = "tests.video.isolation.misbehaving"


def run(task: str, memory: SharedMemory) -> Message:
    return run_in_child(
        MODULE,
        Message({"task": task}),
        subject="x.mp4",
        limits=ChildLimits(),
        memory=memory,
    )


def test_a_child_fills_it() -> None:
    with SharedMemory(100) as memory:
        run("fill_memory", memory)
        assert bytes(memory.buffer) == bytes(10) + bytes(range(50)) + bytes(40)


def test_a_child_can_not_change_its_size() -> None:
    with SharedMemory(100) as memory:
        answer = run("shorten_memory", memory)
        assert answer.data["errors"] == ["EPERM", "EPERM", "EPERM"]
        assert len(memory.buffer) == os.fstat(memory.fd).st_size == 100


def test_writing_behind_the_end_is_an_error() -> None:
    with SharedMemory(100) as memory, pytest.raises(OSError, match="not permitted"):
        write_shared(memory.fd, np.ones(101, np.uint8), 0)


def test_arrays_of_any_kind_are_written_as_bytes() -> None:
    with SharedMemory(64) as memory:
        write_shared(memory.fd, np.arange(6, dtype=np.int64).reshape(2, 3), 8)
        found = np.frombuffer(memory.buffer, np.int64)
        assert found.tolist() == [0, 0, 1, 2, 3, 4, 5, 0]


def test_it_outlives_its_descriptor_and_nothing_else() -> None:
    before = len(os.listdir("/proc/self/fd"))
    with SharedMemory(4096) as memory:
        view = np.frombuffer(memory.buffer, np.uint8)
    view[:] = 7
    assert view.sum() == 7 * 4096
    del view, memory
    assert len(os.listdir("/proc/self/fd")) == before
    assert "stablechat-pictures" not in open("/proc/self/maps").read()


def test_a_refusal_leaves_nothing_open() -> None:
    before = len(os.listdir("/proc/self/fd"))
    with pytest.raises(OSError):
        SharedMemory(1 << 62)
    assert len(os.listdir("/proc/self/fd")) == before
