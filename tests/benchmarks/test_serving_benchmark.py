"""The load test's clients, against a server that answers as it is told."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from benchmarks import serving
from benchmarks._processes import family_of, memory_bytes
from benchmarks._served import Client, Question, Reply, Server, asking

QUESTIONS = [
    Question(Path(f"{name}.mp4"), name * 64, f"the {name}", f"{name} is there")
    for name in "ab"
]


class Scripted(ThreadingHTTPServer):
    """Answers rightly, but for what the script says of a request by its number."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.script: dict[int, tuple[int, Any]] = {}
        self.count = 0


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Scripted

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        number, self.server.count = self.server.count, self.server.count + 1
        usual = {"text": f"{asked['query'][4:]} is there"}
        if asked["clip"]:
            usual["files"] = {"clip": "/clip"}  # type: ignore[assignment]
        status, told = self.server.script.get(number, (200, usual))
        if status == 0:
            self.close_connection = True
            return
        self._send(status, json.dumps(told).encode())

    def do_GET(self) -> None:
        self._send(200, b"\0\0\0\x18ftypisom")

    def _send(self, status: int, body: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        if status == 503:
            self.send_header("Retry-After", "0.2")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        """Nobody reads it."""


@pytest.fixture
def scripted() -> Iterator[Scripted]:
    made = Scripted()
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield made
    made.shutdown()
    thread.join()
    made.server_close()


def server_of(scripted: Scripted) -> Server:
    address = f"127.0.0.1:{scripted.server_address[1]}"
    return Server(address, None, Path())  # type: ignore[arg-type]


def outcomes(scripted: Scripted, count: int, clip_every: int = 0) -> list[str]:
    client = Client(server_of(scripted), QUESTIONS, 0, clip_every)
    client.run(lambda: len(client.replies) == count)
    return [reply.outcome for reply in client.replies]


def test_every_answer_is_compared(scripted: Scripted) -> None:
    scripted.script = {
        1: (200, {"text": "a is there"}),  # b was asked about
        2: (200, {"text": "nothing"}),
        3: (503, {}),
        4: (500, {}),
        5: (0, None),
        6: (200, []),
    }
    found = outcomes(scripted, 9)
    assert found[:5] == [
        *("right", "another's answer", "wrong answer", "refused", "status 500"),
    ]
    assert found[5] == "RemoteDisconnected"
    assert found[6:] == ["TypeError", "right", "right"]


def test_clips_are_fetched(scripted: Scripted) -> None:
    scripted.script = {3: (200, {"text": "b is there", "files": {"clip": "/clip"}})}
    assert outcomes(scripted, 4, clip_every=2) == ["right"] * 4


def test_clients_finish_what_they_asked(scripted: Scripted) -> None:
    with asking(server_of(scripted), QUESTIONS, 3) as clients:
        while min(len(client.replies) for client in clients) < 2:
            pass
    assert sum(len(client.replies) for client in clients) == scripted.count


def test_latencies_are_those_of_right_answers() -> None:
    replies = [Reply(0.0, seconds, "right") for seconds in (1.0, 2.0, 3.0)]
    replies += [Reply(0.0, 0.001, "refused"), Reply(0.0, 9.0, "status 500")]
    found = serving.summary(replies, 10.0)
    assert found["answers_per_second"] == 0.3
    assert (found["p50_seconds"], found["p99_seconds"]) == (2.0, 2.98)
    assert found["outcomes"] == {"refused": 1, "right": 3, "status 500": 1}
    assert serving.summary([], 1.0) == {"answers_per_second": 0.0, "outcomes": {}}


def test_figures_are_read() -> None:
    text = 'x_total{a="1"} 2.0\nx_total{a="2"} 3.0\nx_created{a="1"} 9.0\ny_total{} 4\n'
    assert serving._counter(text, "x") == 5
    minutes = [(1.0, 1 << 20), (59.0, 3 << 20), (61.0, 7 << 20)]
    assert serving._by_minute(minutes) == [2, 7]


def test_memory_of_a_family() -> None:
    family = family_of(os.getpid())
    assert os.getpid() in family
    assert memory_bytes({os.getpid()}) > 10 << 20
    assert memory_bytes(set()) == 0
