"""Tasks that do what a broken decoder does."""

from __future__ import annotations

import errno
import os
import signal
import subprocess
import sys
import time

import numpy as np

from stablechat.errors import RenderError
from stablechat.video.isolation import Channel, Message, in_child, write_shared


def _double(request: Message, channel: Channel) -> Message:
    for row, array in enumerate(request.arrays):
        channel.send(Message({"row": row}, [array]))
    return Message(
        {"word": request.data["word"] * 2, "in_child": in_child()},
        [array * 2 for array in request.arrays],
    )


def _segfault(request: Message, channel: Channel) -> Message:
    os.kill(os.getpid(), signal.SIGSEGV)
    return Message()


def _killed(request: Message, channel: Channel) -> Message:
    os.kill(os.getpid(), signal.SIGKILL)
    return Message()


def _hang(request: Message, channel: Channel) -> Message:
    time.sleep(600)
    return Message()


def _busy_for_ever(request: Message, channel: Channel) -> Message:
    while True:
        channel.progress(0.5)
        time.sleep(0.01)


def _swell(request: Message, channel: Channel) -> Message:
    kept = [np.ones(1 << 27, np.uint8) for _ in range(64)]  # 8 GiB
    return Message({"kept": len(kept)})


def _bug(request: Message, channel: Channel) -> Message:
    raise KeyError("a mistake of ours")


def _our_error(request: Message, channel: Channel) -> Message:
    raise RenderError("one line")


def _print(request: Message, channel: Channel) -> Message:
    print("from Python")
    os.write(1, b"from C\n" * 100_000)
    os.write(2, b"a warning\n" * 100_000)
    return Message({"fine": True})


def _garbage(request: Message, channel: Channel) -> Message:
    channel._stream.write(b"\xff" * 64)
    channel._stream.flush()
    return Message()


def _with_helper(request: Message, channel: Channel) -> Message:
    helper = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    channel.send(Message({"helper": helper.pid}))
    time.sleep(600)
    return Message()


def _environment(request: Message, channel: Channel) -> Message:
    return Message({"names": sorted(os.environ)})


def _pid(request: Message, channel: Channel) -> Message:
    channel.send(Message({"pid": os.getpid()}))
    time.sleep(600)
    return Message()


def _fill_memory(request: Message, channel: Channel) -> Message:
    write_shared(request.data["memory_fd"], np.arange(50, dtype=np.uint8), 10)
    return Message()


def _shorten_memory(request: Message, channel: Channel) -> Message:
    import fcntl

    fd, errors = request.data["memory_fd"], []
    attempts = (
        lambda: os.ftruncate(fd, 0),
        lambda: os.ftruncate(fd, 1 << 20),
        lambda: fcntl.fcntl(fd, fcntl.F_ADD_SEALS, fcntl.F_SEAL_WRITE),
    )
    for attempt in attempts:
        try:
            attempt()
        except OSError as error:
            errors.append(errno.errorcode[error.errno or 0])
    return Message({"errors": errors})


TASKS = {
    "fill_memory": _fill_memory,
    "shorten_memory": _shorten_memory,
    "double": _double,
    "segfault": _segfault,
    "killed": _killed,
    "hang": _hang,
    "busy": _busy_for_ever,
    "swell": _swell,
    "bug": _bug,
    "our_error": _our_error,
    "print": _print,
    "garbage": _garbage,
    "helper": _with_helper,
    "environment": _environment,
    "pid": _pid,
}
