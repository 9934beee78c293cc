"""Runs jobs in child processes that may crash, hang or eat memory.

A hang or crash ends the child and its children and becomes the job's answer; the other
jobs go on in a new child.
"""

from __future__ import annotations

import json
import os
import queue
import select
import signal
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]

NUM_WORKERS = 2
POLL_SECONDS = 0.2
END_SECONDS = 10.0  # for a worker without jobs to end by itself

#: In the environment of a worker and so of all its children, however they are related.
_MARK = "STABLECHAT_CORPUS_WORKER"


@dataclass(frozen=True)
class Job:
    """One call in a worker.

    Attributes:
        key: Names the job.
        function: ``"module:name"``; its arguments and value are JSON.
        arguments: What it is called with.
        limit_seconds: How long it may take.
        max_bytes: Most memory of the worker and its children together.
    """

    key: str
    function: str
    arguments: tuple[Any, ...]
    limit_seconds: float
    max_bytes: int | None = None


@dataclass
class Answer:
    """How a job ended.

    Attributes:
        key: The job's.
        value: What the function returned.
        failure: What happened instead: "hang", "crash (signal 11)", "memory", or the
            exception.
        details: Its traceback, or what the worker wrote last.
        seconds: How long it took.
        peak_bytes: Most memory that was seen.
        num_fds: Open files of the worker afterwards.
        worker: Which worker it ran in.
    """

    key: str
    value: Any = None
    failure: str = ""
    details: str = ""
    seconds: float = 0.0
    peak_bytes: int = 0
    num_fds: int = 0
    worker: int = 0


def run_jobs(
    jobs: Iterable[Job], folder: Path, num_workers: int = NUM_WORKERS
) -> Iterator[Answer]:
    """Run jobs, in any order, and give their answers as they come.

    Args:
        jobs: What to run; each is taken when a worker is free.
        folder: For the workers' current and temporary folders.
        num_workers: How many run at a time.

    Yields:
        One answer for each job; at last one with the key "" for each process or file
        that was left behind.
    """
    todo = _Source(iter(jobs))
    done: queue.SimpleQueue[Answer | None] = queue.SimpleQueue()
    stop = threading.Event()
    threads = [
        threading.Thread(target=_serve, args=(todo, done, folder / f"worker-{k}", stop))
        for k in range(num_workers)
    ]
    for thread in threads:
        thread.start()
    running = len(threads)
    try:
        while running:
            answer = done.get()
            if answer is None:
                running -= 1
            else:
                yield answer
    finally:
        stop.set()
        for thread in threads:
            thread.join()


@dataclass
class _Source:
    """Gives each job to one thread."""

    jobs: Iterator[Job]
    lock: threading.Lock = field(default_factory=threading.Lock)

    def take(self) -> Job | None:
        """The next job, or None if there is none."""
        with self.lock:
            return next(self.jobs, None)


def _serve(
    todo: _Source,
    done: queue.SimpleQueue[Answer | None],
    folder: Path,
    stop: threading.Event,
) -> None:
    child: _Child | None = None
    try:
        while not stop.is_set() and (job := todo.take()) is not None:
            child = child or _Child(folder)
            answer = child.do(job, stop)
            done.put(answer)
            if child.ended:
                child = None
    finally:
        if child is not None:
            for text in child.close():
                done.put(Answer(key="", failure=text))
        done.put(None)


@dataclass
class _Child:
    """A worker process with folders of its own."""

    folder: Path
    mark: str = field(default_factory=lambda: uuid.uuid4().hex)
    ended: bool = False

    def __post_init__(self) -> None:
        for name in ("cwd", "tmp"):
            (self.folder / name).mkdir(parents=True, exist_ok=True)
        environment = os.environ | {
            "PYTHONPATH": str(ROOT),
            "TMPDIR": str(self.folder / "tmp"),
            _MARK: self.mark,
        }
        self._log = (self.folder / "log").open("w+b")
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.corpus.worker"],
            cwd=self.folder / "cwd",
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            start_new_session=True,
        )

    def do(self, job: Job, stop: threading.Event) -> Answer:
        """Run a job; afterwards :attr:`ended` says whether this worker is gone."""
        began = time.monotonic()
        line = json.dumps({"function": job.function, "arguments": job.arguments})
        answer = Answer(job.key, worker=self._process.pid)
        with suppress(BrokenPipeError):
            assert self._process.stdin is not None
            self._process.stdin.write(line.encode("ascii") + b"\n")
            self._process.stdin.flush()
        reply = b""
        while not reply.endswith(b"\n") and not answer.failure:
            part = self._read()
            if part == b"":
                status = self._process.wait()
                reason = f"signal {-status}" if status < 0 else f"status {status}"
                answer.failure = f"crash ({reason})"
            reply += part or b""
            answer.seconds = time.monotonic() - began
            answer.peak_bytes = max(answer.peak_bytes, self._memory())
            if answer.seconds > job.limit_seconds or stop.is_set():
                answer.failure = "hang"
            if job.max_bytes is not None and answer.peak_bytes > job.max_bytes:
                answer.failure = f"memory ({answer.peak_bytes >> 20} MiB)"
        if answer.failure:
            answer.details = self._last_words()
            self.kill()
        else:
            told = json.loads(reply)
            answer.value, answer.num_fds = told.get("value"), told["num_fds"]
            answer.failure = told.get("error", "")
            answer.details = told.get("traceback", "")
        return answer

    def _read(self) -> bytes | None:
        """What the worker says, nothing at its end, None if it says nothing yet."""
        assert self._process.stdout is not None
        ready, _, _ = select.select([self._process.stdout], [], [], POLL_SECONDS)
        return os.read(self._process.stdout.fileno(), 1 << 16) if ready else None

    def _memory(self) -> int:
        """Bytes that the worker and its children hold."""
        return sum(map(_resident_bytes, _descendants(self._process.pid)))

    def _last_words(self) -> str:
        self._log.flush()
        text = (self.folder / "log").read_text(errors="replace")
        return text[-2000:]

    def kill(self) -> None:
        """End the worker and all its children at once."""
        self._process.kill()
        self._process.wait()
        for pid in self._marked():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._close_files()

    def close(self) -> list[str]:
        """Let the worker end; say what it left behind."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        try:
            self._process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill()
            return ["the worker does not end"]
        left = [f"process left behind: {_command(pid)}" for pid in self._marked()]
        left += [
            f"file left behind: {path.relative_to(self.folder)}"
            for name in ("cwd", "tmp")
            for path in (self.folder / name).rglob("*")
        ]
        self.kill()
        return left

    def _close_files(self) -> None:
        self.ended = True
        for pipe in (self._process.stdin, self._process.stdout, self._log):
            if pipe is not None:
                with suppress(BrokenPipeError):
                    pipe.close()

    def _marked(self) -> list[int]:
        """Processes that the worker started, also those that it no longer knows."""
        mark = f"{_MARK}={self.mark}".encode()
        found = []
        for name in os.listdir("/proc"):
            if name.isdigit() and name != str(self._process.pid):
                with suppress(OSError):
                    if mark in Path(f"/proc/{name}/environ").read_bytes():
                        found.append(int(name))
        return found


def _descendants(pid: int) -> list[int]:
    found = [pid]
    for parent in found:
        with suppress(OSError):
            for task in Path(f"/proc/{parent}/task").iterdir():
                found += map(int, (task / "children").read_text().split())
    return found


def _resident_bytes(pid: int) -> int:
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except OSError:
        return 0
    return pages * os.sysconf("SC_PAGE_SIZE")


def _command(pid: int) -> str:
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return f"{pid} (gone)"
    return raw.replace(b"\0", b" ").decode("utf-8", "replace")[:200]
