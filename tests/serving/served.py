"""A real server in processes of its own, and how a program talks to it."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PATIENCE_SECONDS = 120.0


@dataclass(frozen=True)
class Reply:
    """An answer over HTTP.

    Attributes:
        status: Of HTTP.
        headers: With names in small letters.
        body: As it came.
    """

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def data(self) -> Any:
        """The body's JSON."""
        return json.loads(self.body)


@dataclass(frozen=True)
class Server:
    """A running server.

    Attributes:
        url: Of the page.
        process: Of ``python -m serving``.
        logs: The folder of its logs.
        temporary: The folder that its own is in.
    """

    url: str
    process: subprocess.Popen[str]
    logs: Path
    temporary: Path

    def connect(self) -> http.client.HTTPConnection:
        """A connection of its own."""
        address = self.url.rpartition("/")[2]
        return http.client.HTTPConnection(address, timeout=PATIENCE_SECONDS)

    def get(self, where: str) -> Reply:
        """Fetch something."""
        return self._reply("GET", where, b"", {})

    def send(self, where: str, video: bytes, **headers: str) -> Reply:
        """Send a video."""
        return self._reply(
            "POST", where, video, {"content-type": "video/mp4", **headers}
        )

    def ask(self, where: str, data: Mapping[str, Any], **headers: str) -> Reply:
        """Ask about a video that was sent before."""
        body = json.dumps(data).encode()
        headers = {"content-type": "application/json", **headers}
        return self._reply("POST", where, body, headers)

    def _reply(
        self, method: str, where: str, body: bytes, headers: Mapping[str, str]
    ) -> Reply:
        connection = self.connect()
        try:
            told = {name.replace("_", "-"): text for name, text in headers.items()}
            connection.request(method, where, body, told)
            answer = connection.getresponse()
            read = {name.lower(): text for name, text in answer.getheaders()}
            return Reply(answer.status, read, answer.read())
        finally:
            connection.close()

    def logged(self, message: str) -> list[dict[str, Any]]:
        """Lines of all logs that say so, with what they say."""
        lines = [
            json.loads(line)
            for path in self.logs.glob("replica_*.log")
            for line in path.read_text().splitlines()
            if f'"message": "{message}"' in line
        ]
        return sorted(lines, key=lambda line: line["timestamp_ns"])

    def model_pid(self, replica: str) -> int:
        """The process of a copy of the model."""
        path = self.logs / f"replica_models_Model_{replica}.log"
        return int(json.loads(path.read_text().splitlines()[0])["process"])


@contextmanager
def running_server(folder: Path, *arguments: str) -> Iterator[Server]:
    """Start ``python -m serving``, and end it politely."""
    logs, temporary = folder / "logs", folder / "temporary"
    temporary.mkdir()
    usual = {
        k: v for k, v in os.environ.items() if not k.startswith(("RAY_", "GRADIO"))
    }
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "serving", "--num-cpus", "2"),
            *("--logs", str(logs), *arguments),
        ],
        cwd=ROOT,
        env={**usual, "TMPDIR": str(temporary)},
        stdout=subprocess.PIPE,
        stderr=(folder / "stderr").open("w"),
        text=True,
    )
    try:
        yield Server(_address(process, folder / "stderr"), process, logs, temporary)
    finally:
        end(process)


def end(process: subprocess.Popen[str]) -> int:
    """End a server politely; returns its exit code."""
    if process.poll() is None:
        process.send_signal(signal.SIGTERM)
    try:
        return process.wait(PATIENCE_SECONDS)
    finally:
        process.kill()
        if process.stdout is not None:
            process.stdout.close()


def wait_for(happened: Callable[[], Any], what: str) -> Any:
    """What something gives once it is true."""
    until = time.monotonic() + PATIENCE_SECONDS
    while time.monotonic() < until:
        if found := happened():
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what}: never")


def _address(process: subprocess.Popen[str], stderr: Path) -> str:
    assert process.stdout is not None
    for line in process.stdout:
        if found := re.match(r"StableChat is at (http://\S+),", line):
            return found[1]
    raise AssertionError(f"It did not start: {stderr.read_text()}")
