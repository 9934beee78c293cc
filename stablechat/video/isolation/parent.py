"""The parent's side: start a child for one task, listen, end it whatever happens."""

from __future__ import annotations

import json
import logging
import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

from stablechat import errors
from stablechat.errors import CancelledError, LimitError, StableChatError, VideoError
from stablechat.sentences import Sentence
from stablechat.video.isolation.shared import SharedMemory
from stablechat.video.isolation.wire import Message, WireError, receive, send

#: How often the parent looks at the clock and at Stop.
POLL_SECONDS = 0.05
#: Messages that wait; a child that is faster than its parent then waits too.
MAX_WAITING = 4
EXIT_SECONDS = 5.0  # for a child that has nothing more to say
MAX_PRINTED_BYTES = 16 << 10  # of what it prints (a traceback), for the log
MAX_MESSAGE_LENGTH = 600  # characters of an error line that a child sends

#: What a child may know of the environment: no token, no proxy, no password.
_KEPT_VARIABLES = frozenset(
    "PATH HOME LANG LANGUAGE TZ TMPDIR TEMP TMP SYSTEMROOT WINDIR USERPROFILE "
    "LD_LIBRARY_PATH DYLD_LIBRARY_PATH FFMPEG_BINARY IMAGEIO_FFMPEG_EXE "
    "CUDA_VISIBLE_DEVICES NVIDIA_VISIBLE_DEVICES NVIDIA_DRIVER_CAPABILITIES".split()
)
#: Memory that is only reserved counts against the limit: keep the pools few.
_ADDED_VARIABLES = {
    "MALLOC_ARENA_MAX": "2",
    "OPENBLAS_NUM_THREADS": "1",
    "OMP_NUM_THREADS": "1",
}

_START = (
    "import json, sys; sys.path[:] = json.loads(sys.argv[1]); "
    "from stablechat.video.isolation.child import main; main(sys.argv[2])"
)

logger = logging.getLogger(__name__)

OnMessage = Callable[[Message], None]
Cancelled = Callable[[], bool]


@dataclass(frozen=True)
class ChildLimits:
    """What a child may use.

    Attributes:
        max_seconds: Longest time for the whole task; None for no limit.
        stall_seconds: Longest time without any sign of life.
        max_memory_bytes: Most address space (on Linux); None for no limit.
    """

    max_seconds: float | None = None
    stall_seconds: float = 60.0
    max_memory_bytes: int | None = None


def run_in_child(
    module: str,
    request: Message,
    *,
    subject: str,
    limits: ChildLimits,
    memory: SharedMemory | None = None,
    on_message: OnMessage | None = None,
    cancelled: Cancelled | None = None,
) -> Message:
    """Do one task in a process of its own.

    The child and all that it started are gone when this returns or raises.

    Args:
        module: Name of the module whose ``TASKS`` table is used.
        request: ``data["task"]`` names the task; the rest is for the task.
        subject: What is read, printable, for messages.
        limits: When to give up.
        memory: What the task may write to, at ``data["memory_fd"]``.
        on_message: Gets what the task sends while it works.
        cancelled: Asked often; True stops.

    Returns:
        What the task returned.

    Raises:
        StableChatError: What the task raised.
        VideoError: If the child crashed or stopped giving signs of life.
        LimitError: If it took too long or too much memory.
        CancelledError: If ``cancelled`` said so.
    """
    data = {**request.data, "max_memory_bytes": limits.max_memory_bytes}
    if memory is not None:
        data["memory_fd"] = memory.fd
    process = _start(module, () if memory is None else (memory.fd,))
    listener = _Listener(process)
    code: int | None = None
    try:
        listener.start(Message(data, request.arrays))
        return _result(listener, subject, limits, on_message, cancelled)
    except _EndedEarly:
        with suppress(subprocess.TimeoutExpired):
            code = process.wait(timeout=EXIT_SECONDS)
    finally:
        _kill(process)
        listener.finish()
        process.wait()
    logger.error("Reading %s ended with %s: %s", subject, code, listener.printed)
    raise _end_of_child(code, subject)


def _start(module: str, inherited: tuple[int, ...]) -> subprocess.Popen[bytes]:
    if not sys.executable:
        raise VideoError("No Python was found to read the video with.")
    kept = {
        key: value
        for key, value in os.environ.items()
        if key.upper() in _KEPT_VARIABLES or key.startswith("LC_")
    }
    folders = json.dumps([os.path.abspath(folder) for folder in sys.path])
    try:
        return subprocess.Popen(
            [sys.executable, "-I", "-c", _START, folders, module],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=kept | _ADDED_VARIABLES,
            pass_fds=inherited,
            start_new_session=True,  # its own group, so that its helpers end with it
        )
    except OSError as error:
        raise VideoError(
            "The video can't be read: no process could be started ({reason}).",
            reason=error.strerror,
        ) from error


def _kill(process: subprocess.Popen[bytes]) -> None:
    """End the child and its group; harmless when it is gone."""
    if hasattr(os, "killpg"):
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()


class _Listener:
    """Threads that write the request and read what comes, so that the parent can wait
    with a clock in its hand."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        self._arrived: queue.Queue[Message | None] = queue.Queue(MAX_WAITING)
        self._finished = threading.Event()
        self._printed = b""
        self._threads: list[threading.Thread] = []

    def start(self, request: Message) -> None:
        """Send the request and begin to listen."""
        self._threads = [
            threading.Thread(target=self._write, args=(request,), daemon=True),
            threading.Thread(target=self._read, daemon=True),
            threading.Thread(target=self._read_printed, daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def next(self) -> Message | None:
        """The next message, or None when no more can come.

        Raises:
            queue.Empty: If none came in a moment.
        """
        return self._arrived.get(timeout=POLL_SECONDS)

    def finish(self) -> None:
        """Wait for the threads and close the pipes; the child must be dead."""
        self._finished.set()
        for thread in self._threads:
            thread.join()
        for pipe in (self._process.stdin, self._process.stdout, self._process.stderr):
            if pipe is not None:
                with suppress(OSError):  # what is left of a request has no reader
                    pipe.close()

    @property
    def printed(self) -> str:
        """The last of what the child printed; complete after :meth:`finish`."""
        return self._printed.decode("utf-8", "replace").strip()

    def _read_printed(self) -> None:
        stream = self._process.stderr
        with suppress(OSError, ValueError):
            while stream is not None:
                chunk = os.read(stream.fileno(), MAX_PRINTED_BYTES)
                if not chunk:
                    return
                self._printed = (self._printed + chunk)[-MAX_PRINTED_BYTES:]

    def _write(self, request: Message) -> None:
        if self._process.stdin is not None:
            with suppress(OSError, ValueError):  # it died: the reader sees the end
                send(self._process.stdin, request)

    def _read(self) -> None:
        message: Message | None = None
        while not self._finished.is_set() and self._process.stdout is not None:
            try:
                message = receive(self._process.stdout)
            except (WireError, OSError, ValueError):
                message = None
            self._put(message)
            if message is None:
                return

    def _put(self, message: Message | None) -> None:
        while not self._finished.is_set():
            with suppress(queue.Full):
                return self._arrived.put(message, timeout=POLL_SECONDS)


class _EndedEarly(Exception):
    """The child ended without a result."""


def _result(
    listener: _Listener,
    subject: str,
    limits: ChildLimits,
    on_message: OnMessage | None,
    cancelled: Cancelled | None,
) -> Message:
    started = heard = time.monotonic()
    while True:
        if cancelled is not None and cancelled():
            raise CancelledError("Reading the video was stopped.")
        now = time.monotonic()
        _check_clock(subject, limits, now - started, now - heard)
        try:
            message = listener.next()
        except queue.Empty:
            continue
        heard = time.monotonic()
        if message is None:
            raise _EndedEarly
        if "error" in message.data:
            raise _error_from(message, subject)
        if message.data.get("done") is True:
            return message
        if on_message is not None:
            on_message(message)


def _check_clock(
    subject: str, limits: ChildLimits, total: float, silent: float
) -> None:
    if limits.max_seconds is not None and total > limits.max_seconds:
        raise LimitError(
            "{subject} took longer than the limit of {max_seconds:g} seconds; "
            "cut out the part you ask about.",
            subject=subject,
            max_seconds=limits.max_seconds,
        )
    if silent > limits.stall_seconds:
        raise VideoError(
            "{subject} made the decoder hang for {stall_seconds:g} seconds; "
            "the file may be damaged. Convert it to MP4 or give another file.",
            subject=subject,
            stall_seconds=limits.stall_seconds,
        )


def _end_of_child(code: int | None, subject: str) -> VideoError | LimitError:
    """What it means that the child ended without a result."""
    if code == -getattr(signal, "SIGKILL", 9):
        return LimitError(
            "There was not enough memory to decode {subject}; give a smaller video.",
            subject=subject,
        )
    how = Sentence("code {code}", code=code)
    if code is not None and code < 0:
        how = Sentence("signal {number}", number=-code)
    return VideoError(
        "{subject} made the decoder crash ({how}); the file may be "
        "damaged. Convert it to MP4 or give another file.",
        subject=subject,
        how=how,
    )


def _error_from(message: Message, subject: str) -> StableChatError:
    """The child's error as ours; only our own types, only one line."""
    kind = getattr(errors, str(message.data["error"]), None)
    if not (isinstance(kind, type) and issubclass(kind, StableChatError)):
        kind = VideoError
    told = Sentence.from_data(message.data.get("message"))
    if not told:
        return kind("{subject} can't be read.", subject=subject)
    return kind(told if len(told) <= MAX_MESSAGE_LENGTH else told[:MAX_MESSAGE_LENGTH])
