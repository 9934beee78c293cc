"""The child's side: take one task, do it under limits, send the result, end."""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Mapping
from typing import BinaryIO, TypeAlias

from stablechat.errors import LimitError, StableChatError
from stablechat.video.isolation.wire import Message, receive, send

#: What a module offers: ``TASKS = {"name": function}``.
Task: TypeAlias = "Callable[[Message, Channel], Message]"
Tasks: TypeAlias = "Mapping[str, Task]"

#: Signs of life and progress are sent no more often than this.
REPORT_SECONDS = 0.1

_channel: Channel | None = None


def in_child() -> bool:
    """Whether this process is a child, where files are opened directly."""
    return _channel is not None


def heartbeat() -> None:
    """Tell the parent, if this process has one, that the work goes on.

    Cheap: to be called for every packet and picture.
    """
    if _channel is not None:
        _channel.alive()


class Channel:
    """What a task can say while it works.

    Args:
        stream: The pipe to the parent.
    """

    def __init__(self, stream: BinaryIO) -> None:
        self._stream = stream
        self._lock = threading.Lock()
        self._last_sign = 0.0
        self._last_progress = 0.0

    def send(self, message: Message) -> None:
        """Send a part of the result."""
        with self._lock:
            self._last_sign = time.monotonic()
            send(self._stream, message)

    def alive(self) -> None:
        """Say that the work goes on; cheap, to be called for every picture."""
        if time.monotonic() - self._last_sign >= REPORT_SECONDS:
            self.send(Message())

    def progress(self, fraction: float) -> None:
        """Say how far the work is; cheap, to be called for every picture.

        Args:
            fraction: The share that is done, 0..1.
        """
        if time.monotonic() - self._last_progress >= REPORT_SECONDS:
            self._last_progress = time.monotonic()
            self.send(Message({"progress": fraction}))


def main(module_name: str) -> None:
    """Do the one task that arrives on standard input; the process then ends.

    Args:
        module_name: The module with the ``TASKS`` table.
    """
    global _channel
    requests = sys.stdin.buffer
    _channel = channel = Channel(_private_stdout())
    tasks: Tasks = importlib.import_module(module_name).TASKS
    request = receive(requests)
    if request is None:
        return
    threading.Thread(target=_end_with_parent, args=(requests,), daemon=True).start()
    _set_memory_limit(request.data["max_memory_bytes"])
    channel.send(_outcome(tasks[request.data["task"]], request, channel))
    # Not through the interpreter's end: a decoder's thread may hang in a destructor.
    os._exit(0)


def _private_stdout() -> BinaryIO:
    """The pipe to the parent, out of reach of libraries that print."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    return answers


def _end_with_parent(requests: BinaryIO) -> None:
    """The pipe ends when the parent does, however it died."""
    while os.read(requests.fileno(), 1):  # not its buffer, which has a lock
        pass
    if hasattr(os, "killpg"):
        os.killpg(0, signal.SIGKILL)  # with the encoder, if one runs
    os._exit(1)


def _outcome(task: Task, request: Message, channel: Channel) -> Message:
    try:
        result = task(request, channel)
    except StableChatError as error:
        told = error.sentence.to_data()
        return Message({"error": type(error).__name__, "message": told})
    except MemoryError:
        text = "There is not enough memory for this video; give a smaller one."
        return Message({"error": LimitError.__name__, "message": text})
    return Message({**result.data, "done": True}, result.arrays)


def _set_memory_limit(max_bytes: int | None) -> None:
    """Bound the address space; only POSIX can, and macOS does not enforce it."""
    if sys.platform == "win32":
        return
    import resource

    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if max_bytes is None:
        return
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    if hard != resource.RLIM_INFINITY:
        max_bytes = min(max_bytes, hard)
    try:
        resource.setrlimit(resource.RLIMIT_AS, (max_bytes, hard))
    except (ValueError, OSError):
        if sys.platform == "linux":
            raise
