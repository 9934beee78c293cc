"""A server of ``python -m serving`` in processes of its own, and its clients."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks._processes import family_of, title_of

_PATIENCE_SECONDS = 180.0
#: The connection broke, or the answer is not what it should be.
_FAULTS = (OSError, http.client.HTTPException, ValueError, TypeError, KeyError)
_REPLICA = "ServeReplica:models:Model"


@dataclass(frozen=True)
class Question:
    """What is asked, and what the model answers when it is asked directly.

    Attributes:
        video: The file.
        digest: Its name at the server.
        query: About it.
        expected: The model's text.
    """

    video: Path
    digest: str
    query: str
    expected: str


@dataclass(frozen=True)
class Reply:
    """How a request ended.

    Attributes:
        ended: Seconds of the monotonic clock.
        seconds: From the request to its end.
        outcome: ``right``, ``refused``, or what was wrong with it.
    """

    ended: float
    seconds: float
    outcome: str


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes:
        address: Host and port.
        process: Of ``python -m serving``.
        temporary: Where its files are.
    """

    address: str
    process: subprocess.Popen[str]
    temporary: Path

    def request(
        self, method: str, where: str, body: bytes = b"", kind: str = "video/mp4"
    ) -> tuple[int, bytes]:
        """One request on a connection of its own; its status and body."""
        connection = http.client.HTTPConnection(self.address, timeout=_PATIENCE_SECONDS)
        try:
            connection.request(method, where, body, {"content-type": kind})
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def send(self, video: Path) -> str:
        """Send a video; returns its name there."""
        status, body = self.request("POST", "/v1/videos", video.read_bytes())
        if status != 200:
            raise RuntimeError(f"{video.name} was not taken: {body!r}")
        name: str = json.loads(body)["video"]
        return name

    def replicas(self) -> list[int]:
        """The processes that hold a model."""
        family = family_of(self.process.pid)
        return sorted(pid for pid in family if _REPLICA in title_of(pid))


@contextmanager
def served(replicas: int, *arguments: str) -> Iterator[Server]:
    """Start a server, and end it politely.

    Raises:
        RuntimeError: It did not start, did not end well, or left something behind.
    """
    with tempfile.TemporaryDirectory(prefix="stablechat-benchmark-") as name:
        folder = Path(name)
        temporary = folder / "temporary"
        temporary.mkdir()
        process = _start(replicas, arguments, temporary, folder / "stderr")
        try:
            address = _address(process, folder / "stderr")
            yield Server(address, process, temporary)
        finally:
            family = family_of(process.pid)
            process.send_signal(signal.SIGTERM)
            try:
                code = process.wait(_PATIENCE_SECONDS)
            finally:
                process.kill()
        _check_gone(code, family, temporary)


def _start(
    replicas: int, arguments: Sequence[str], temporary: Path, stderr: Path
) -> subprocess.Popen[str]:
    command = (sys.executable, "-m", "serving", "--replicas", str(replicas))
    with stderr.open("w") as told:
        return subprocess.Popen(
            [*command, *arguments],
            env={**os.environ, "TMPDIR": str(temporary)},
            stdout=subprocess.PIPE,
            stderr=told,
            text=True,
        )


def _address(process: subprocess.Popen[str], stderr: Path) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.match(r"StableChat is at http://([^\s,/]+),", line):
            return found[1]
    raise RuntimeError(f"The server did not start: {stderr.read_text()}")


def _check_gone(code: int, family: set[int], temporary: Path) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while left := [pid for pid in family if title_of(pid)]:
        if time.monotonic() > until:
            raise RuntimeError(f"Still running: {[title_of(pid) for pid in left]}.")
        time.sleep(0.1)
    files = os.listdir(temporary)
    if code or files:
        raise RuntimeError(f"The server ended with {code} and left {files}.")


class Client:
    """Asks one question after the other, on one connection.

    Args:
        server: Is asked.
        questions: Asked in turn, beginning with another one than other clients.
        number: Of the client.
        clip_every: Each so-manieth question wants a clip, which is fetched; 0 for none.
    """

    def __init__(
        self,
        server: Server,
        questions: Sequence[Question],
        number: int,
        clip_every: int = 0,
    ) -> None:
        self._connection = http.client.HTTPConnection(
            server.address, timeout=_PATIENCE_SECONDS
        )
        self._questions = questions
        self._number = number
        self._clip_every = clip_every
        self._asked = 0
        self.replies: list[Reply] = []

    def run(self, is_over: Callable[[], bool]) -> None:
        """Ask until it is over; the last question is still answered."""
        try:
            while not is_over():
                started = time.monotonic()
                outcome, pause = self._ask()
                ended = time.monotonic()
                self.replies.append(Reply(ended, ended - started, outcome))
                while pause > 0 and not is_over():
                    time.sleep(min(pause, 0.1))
                    pause -= 0.1
        finally:
            self._connection.close()

    def _ask(self) -> tuple[str, float]:
        """Ask one; what came of it, and seconds to wait before the next."""
        question = self._questions[(self._number + self._asked) % len(self._questions)]
        self._asked += 1
        wants_clip = bool(self._clip_every) and self._asked % self._clip_every == 0
        asked = {"video": question.digest, "query": question.query, "clip": wants_clip}
        try:
            status, headers, body = self._exchange("POST", "/v1/ground", asked)
            if status == 503:
                return "refused", float(headers.get("retry-after", "1"))
            if status != 200:
                return f"status {status}", 0.0
            return self._judge(question, json.loads(body), wants_clip), 0.0
        except _FAULTS as error:
            self._connection.close()
            return type(error).__name__, 0.0

    def _judge(self, question: Question, answer: Any, wants_clip: bool) -> str:
        if answer["text"] != question.expected:
            others = {each.expected for each in self._questions}
            return "another's answer" if answer["text"] in others else "wrong answer"
        if wants_clip:
            where = answer["files"]["clip"]
            status, _, body = self._exchange("GET", where, None)
            if status != 200 or body[4:8] != b"ftyp":
                return "no clip"
        return "right"

    def _exchange(
        self, method: str, where: str, data: Any
    ) -> tuple[int, Mapping[str, str], bytes]:
        body = b"" if data is None else json.dumps(data).encode()
        kind = {"content-type": "application/json"}
        self._connection.request(method, where, body, kind)
        answer = self._connection.getresponse()
        headers = {name.lower(): text for name, text in answer.getheaders()}
        return answer.status, headers, answer.read()


@contextmanager
def asking(
    server: Server, questions: Sequence[Question], count: int, clip_every: int = 0
) -> Iterator[list[Client]]:
    """Clients that ask while this is open; at its end they finish."""
    over = threading.Event()
    clients = [Client(server, questions, n, clip_every) for n in range(count)]
    threads = [
        threading.Thread(target=client.run, args=(over.is_set,)) for client in clients
    ]
    for thread in threads:
        thread.start()
    try:
        yield clients
    finally:
        over.set()
        for thread in threads:
            thread.join()
