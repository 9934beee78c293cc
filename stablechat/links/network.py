"""Connections that are made to checked addresses only, and that can be given up.

httpcore does the HTTP; this is the network below it. A host's addresses are looked up
once and checked, and the connection goes to the very address that was checked: a name
server that answers differently the second time (DNS rebinding) gains nothing. No proxy
of the environment is asked, since behind one the check would mean nothing.
"""

from __future__ import annotations

import queue
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import httpcore

from stablechat.errors import CancelledError, InputError
from stablechat.links.addresses import is_public

#: Whether to give up; may raise what is to be told instead.
Cancelled = Callable[[], bool]
#: Host and port to IP addresses.
Resolve = Callable[[str, int], Sequence[str]]
Result = TypeVar("Result")

#: How often a wait asks whether it was cancelled.
POLL_SECONDS = 0.2
_CONNECT_SECONDS = 10.0
#: Addresses of a host that are tried.
_MOST_ADDRESSES = 4


def resolve(host: str, port: int) -> list[str]:
    """The addresses of a host, by the system's resolver.

    Raises:
        OSError: There are none.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    return list(dict.fromkeys(str(entry[4][0]) for entry in found))


class CheckedNetwork(httpcore.NetworkBackend):
    """Connects to hosts whose every address is allowed.

    Args:
        cancelled: Asked often.
        resolve: Looks a host up.
        is_allowed: Says whether an address may be connected to.
    """

    def __init__(
        self,
        cancelled: Cancelled,
        *,
        resolve: Resolve = resolve,
        is_allowed: Callable[[str], bool] = is_public,
    ) -> None:
        self._cancelled = cancelled
        self._resolve = resolve
        self._is_allowed = is_allowed
        self._network = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Connect to a host.

        Raises:
            InputError: It is not on the open internet.
            CancelledError: ``cancelled`` said so.
            httpcore.ConnectError: It is not there.
        """
        # A resolver may take half a minute, and can't be interrupted.
        stream = _given_up(lambda: self._connect(host, port), self._cancelled, _close)
        return _Stream(stream, self._cancelled)

    def _connect(self, host: str, port: int) -> httpcore.NetworkStream:
        try:
            addresses = self._resolve(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(str(error)) from error
        if not addresses or not all(self._is_allowed(each) for each in addresses):
            raise InputError(
                "{host} is not on the open internet; only videos there can be fetched.",
                host=host,
            )
        failure: Exception = httpcore.ConnectError("no address")
        for address in addresses[:_MOST_ADDRESSES]:
            try:
                return self._network.connect_tcp(address, port, _CONNECT_SECONDS)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure

    def connect_unix_socket(
        self,
        path: str,
        timeout: float | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.NetworkStream:
        """Never.

        Raises:
            httpcore.UnsupportedProtocol: Always.
        """
        raise httpcore.UnsupportedProtocol("no sockets of this machine")

    def sleep(self, seconds: float) -> None:
        """Wait."""
        time.sleep(seconds)


class _Stream(httpcore.NetworkStream):
    """A connection that can be given up while it is silent."""

    def __init__(self, stream: httpcore.NetworkStream, cancelled: Cancelled) -> None:
        self._stream = stream
        self._cancelled = cancelled

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        deadline = None if timeout is None else time.monotonic() + timeout
        while True:
            _check(self._cancelled)
            try:
                return self._stream.read(max_bytes, POLL_SECONDS)
            except httpcore.ReadTimeout:
                if deadline is not None and time.monotonic() > deadline:
                    raise

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        _check(self._cancelled)
        self._stream.write(buffer, timeout)

    def close(self) -> None:
        self._stream.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        stream = _given_up(
            lambda: self._stream.start_tls(ssl_context, server_hostname, timeout),
            self._cancelled,
            _close,
        )
        return _Stream(stream, self._cancelled)

    def get_extra_info(self, info: str) -> Any:
        return self._stream.get_extra_info(info)


def _close(stream: httpcore.NetworkStream) -> None:
    stream.close()


def _check(cancelled: Cancelled) -> None:
    if cancelled():
        raise CancelledError("Stopped.")


def _given_up(
    work: Callable[[], Result],
    cancelled: Cancelled,
    discard: Callable[[Result], None],
) -> Result:
    """What work gives; when cancelled, it is left to end by itself.

    Args:
        work: May block.
        cancelled: Asked often.
        discard: Takes what comes too late.
    """
    answers: queue.Queue[tuple[Result | None, BaseException | None]] = queue.Queue(1)
    lock, waited, left = threading.Lock(), threading.Event(), False

    def run() -> None:
        try:
            result = work()
        except BaseException as error:  # handed over, and raised there
            answers.put((None, error))
            waited.set()
            return
        with lock:
            if not left:
                answers.put((result, None))
                waited.set()
                return
        discard(result)

    threading.Thread(target=run, name="stablechat-connect", daemon=True).start()
    try:
        while answers.empty():
            _check(cancelled)
            waited.wait(POLL_SECONDS)
    except BaseException:
        with lock:
            left = True
        if not answers.empty():  # it came in between
            late, _ = answers.get_nowait()
            if late is not None:
                discard(late)
        raise
    result, error = answers.get_nowait()
    if error is not None:
        raise error
    return result  # type: ignore[return-value]
