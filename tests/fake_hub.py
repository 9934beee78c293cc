"""A model hub on this machine: just enough of its protocol to download from."""

from __future__ import annotations

import hashlib
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit

COMMITS = ("a" * 40, "b" * 40)


@dataclass
class Repository:
    """A folder that is served as every commit of a model."""

    folder: Path
    main: str = COMMITS[0]

    def files(self) -> dict[str, bytes]:
        """Every file's content by its path."""
        return {
            path.relative_to(self.folder).as_posix(): path.read_bytes()
            for path in sorted(self.folder.rglob("*"))
            if path.is_file()
        }


@dataclass
class FakeHub:
    """What is served, and what was asked.

    Attributes:
        repositories: By ``org/name``.
        gated: Repositories that want their terms accepted.
        status: Answer everything with this error instead.
        asked: ``METHOD path`` of every request.
        tokens: Authorization headers that came.
    """

    repositories: dict[str, Repository] = field(default_factory=dict)
    gated: set[str] = field(default_factory=set)
    status: int | None = None
    asked: list[str] = field(default_factory=list)
    tokens: list[str] = field(default_factory=list)
    url: str = ""

    def downloaded(self) -> set[str]:
        """Names of the files whose content was fetched."""
        gets = (line for line in self.asked if line.startswith("GET"))
        return {line.split("/resolve/")[1][41:] for line in gets if "/resolve/" in line}


def closed_url() -> str:
    """An address where nobody listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return f"http://127.0.0.1:{listener.getsockname()[1]}"


@contextmanager
def serve() -> Iterator[FakeHub]:
    """A running hub, stopped at the end."""
    hub = FakeHub()

    class Handler(_Handler):
        state = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    state: FakeHub

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def log_message(self, format: str, *args: object) -> None:
        pass

    def _answer(self, with_body: bool) -> None:
        path = unquote(urlsplit(self.path).path)
        self.state.asked.append(f"{self.command} {path}")
        if "Authorization" in self.headers:
            self.state.tokens.append(self.headers["Authorization"])
        status, headers, body = self._respond(path)
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        if with_body:
            self.wfile.write(body)

    def _respond(self, path: str) -> tuple[int, dict[str, str], bytes]:
        if self.state.status is not None:
            return self.state.status, {}, b"{}"
        parts = path.removeprefix("/api/models").strip("/").split("/")
        name = "/".join(parts[:2])
        if name not in self.state.repositories:
            return 404, {"X-Error-Code": "RepoNotFound"}, b"{}"
        if name in self.state.gated:
            return 403, {"X-Error-Code": "GatedRepo"}, b"{}"
        return self._serve(self.state.repositories[name], name, parts[2:])

    def _serve(
        self, repository: Repository, name: str, parts: list[str]
    ) -> tuple[int, dict[str, str], bytes]:
        kind, revision = parts[0] if parts else "revision", parts[1:2] or ["main"]
        commit = repository.main if revision[0] == "main" else revision[0]
        if commit not in COMMITS:
            return 404, {"X-Error-Code": "RevisionNotFound"}, b"{}"
        files = repository.files()
        if kind == "resolve":
            content = files["/".join(parts[2:])]
            tag = hashlib.sha1(content).hexdigest()
            return 200, {"ETag": f'"{tag}"', "X-Repo-Commit": commit}, content
        if kind == "tree":
            listing = [
                {
                    "type": "file",
                    "path": path,
                    "size": len(content),
                    "oid": hashlib.sha1(content).hexdigest(),
                }
                for path, content in files.items()
            ]
            return 200, {}, json.dumps(listing).encode()
        siblings = [
            {"rfilename": path, "size": len(content)} for path, content in files.items()
        ]
        info = {"id": name, "modelId": name, "sha": commit, "siblings": siblings}
        return 200, {}, json.dumps(info).encode()
