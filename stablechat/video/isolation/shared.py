"""Memory that a child fills and its parent reads, where the system can lend it safely.

What goes through a pipe is copied in small pieces, and both processes wait for each
other; full-size pictures take as long to arrive as to be made. This memory has no name,
so nothing is left of it, and its size is sealed: a child that could shorten it would
end its parent, which must not touch what is gone.
"""

from __future__ import annotations

import mmap
import os
import sys
from types import TracebackType

import numpy as np

from stablechat.video.isolation.wire import Array


class SharedMemory:
    """Zeroed memory of a fixed size.

    A context manager: it holds a descriptor that a child can inherit. The memory
    itself lives as long as anything refers to its buffer.

    Args:
        num_bytes: How much, at least 1.

    Attributes:
        fd: The descriptor.
        buffer: The memory, writable.

    Raises:
        OSError: If the system can't lend any; only Linux can.
    """

    def __init__(self, num_bytes: int) -> None:
        if sys.platform != "linux":
            raise OSError("memory can't be sealed on this system")
        import fcntl

        flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
        self.fd = os.memfd_create("stablechat-pictures", flags)
        try:
            os.ftruncate(self.fd, num_bytes)
            seals = fcntl.F_SEAL_SHRINK | fcntl.F_SEAL_GROW | fcntl.F_SEAL_SEAL
            fcntl.fcntl(self.fd, fcntl.F_ADD_SEALS, seals)
            self.buffer = mmap.mmap(self.fd, num_bytes)
        except BaseException:
            os.close(self.fd)
            raise

    def __enter__(self) -> SharedMemory:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        os.close(self.fd)


def write_shared(fd: int, array: Array, offset: int) -> None:
    """In the child: put an array into the memory, which need not be mapped for it.

    Args:
        fd: :attr:`SharedMemory.fd`.
        array: Contiguous.
        offset: Where its first byte goes.

    Raises:
        OSError: If it does not fit, or the system is out of memory.
    """
    rest = array.reshape(-1).view(np.uint8).data
    while rest:
        written = os.pwrite(fd, rest, offset)
        rest, offset = rest[written:], offset + written
