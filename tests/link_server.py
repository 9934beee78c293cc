"""A web server on loopback that behaves as badly as it is told to."""

from __future__ import annotations

import gzip
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import httpcore

from stablechat.links.network import Cancelled, CheckedNetwork


class LinkServer(ThreadingHTTPServer):
    """Serves one film, well and badly; see :class:`_Handler`.

    Args:
        film: A video.
    """

    daemon_threads = True

    def __init__(self, film: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.film = film.read_bytes()
        self.ending = threading.Event()
        self.asked: list[tuple[str, dict[str, str]]] = []

    def url(self, path: str, host: str = "films.example") -> str:
        """A link to it by a name that only :func:`connect` knows."""
        return f"http://{host}:{self.server_port}{path}"

    def connect(self, cancelled: Cancelled) -> httpcore.NetworkBackend:
        """Takes every name for this server's, which counts as the open internet."""
        return CheckedNetwork(
            cancelled,
            resolve=lambda host, port: ["127.0.0.1"],
            is_allowed=lambda address: address == "127.0.0.1",
        )


@contextmanager
def serving(film: Path) -> Iterator[LinkServer]:
    """A running one."""
    server = LinkServer(film)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.ending.set()
        server.shutdown()
        server.server_close()
        thread.join(5)


class _Handler(BaseHTTPRequestHandler):
    server: LinkServer

    def do_GET(self) -> None:
        """Do what the path says."""
        self.server.asked.append((self.path, dict(self.headers)))
        path = urlsplit(self.path).path
        method = getattr(self, f"_{path.split('/')[1]}", None)
        if method is None:
            self.send_error(404)
        else:
            method()

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""

    def _send(self, body: bytes, length: int | None = None, **headers: str) -> None:
        self.send_response(200)
        for name, value in headers.items():
            self.send_header(name.replace("_", "-"), value)
        if length is not None:
            self.send_header("Content-Length", str(length))
        self.end_headers()
        self.wfile.write(body)

    def _film(self) -> None:
        self._send(self.server.film, len(self.server.film), Content_Type="video/mp4")

    def _unsized(self) -> None:
        self._send(self.server.film)

    def _named(self) -> None:
        told = 'attachment; filename="../../etc/My film; (2).mp4"'
        self._send(self.server.film, len(self.server.film), Content_Disposition=told)

    def _raw(self) -> None:
        """A name in UTF-8, or Latin-1, that is not told as either."""
        kind = "utf-8" if self.path.endswith("8") else "latin-1"
        self.send_response(200)
        told = 'Content-Disposition: attachment; filename="Übung é.mp4"\r\n'
        self.wfile.write(b"".join(self._headers_buffer) + told.encode(kind))
        self._headers_buffer = []
        self.send_header("Content-Length", str(len(self.server.film)))
        self.end_headers()
        self.wfile.write(self.server.film)

    def _sent(self) -> None:
        """To a place that is told in plain UTF-8."""
        self.send_response(302)
        self.wfile.write(b"".join(self._headers_buffer))
        self._headers_buffer = []
        self.wfile.write("Location: /film/Übung.mp4\r\n".encode())
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _cut(self) -> None:
        self._send(self.server.film[:-10], len(self.server.film))

    def _liar(self) -> None:
        self._send(b"", 10**15)

    def _page(self) -> None:
        self._send(b"<html>", 6, Content_Type="text/html; charset=utf-8")

    def _text(self) -> None:
        self._send(b"no video", 8, Content_Type="video/mp4")

    def _empty(self) -> None:
        self._send(b"", 0)

    def _bomb(self) -> None:
        body = gzip.compress(bytes(10**6))
        self._send(body, len(body), Content_Encoding="gzip")

    def _endless(self) -> None:
        self.send_response(200)
        self.end_headers()
        while not self.server.ending.is_set():
            try:
                self.wfile.write(bytes(1 << 16))
            except OSError:
                return

    def _drip(self) -> None:
        """A byte now and then, for ever."""
        self.send_response(200)
        self.end_headers()
        while not self.server.ending.wait(0.05):
            try:
                self.wfile.write(b"x")
                self.wfile.flush()
            except OSError:
                return

    def _silent(self) -> None:
        self.server.ending.wait(30)

    def _headers(self) -> None:
        """A header now and then, for ever."""
        try:
            self.wfile.write(b"HTTP/1.1 200 OK\r\n")
            while not self.server.ending.is_set():
                self.wfile.write(b"X-Y: z\r\n")
                time.sleep(0.05)
        except OSError:
            return

    def _to(self) -> None:
        self.send_response(302)
        self.send_header("Location", urlsplit(self.path).query)
        self.end_headers()

    def _round(self) -> None:
        self.send_response(301)
        self.send_header("Location", "/round")
        self.end_headers()
