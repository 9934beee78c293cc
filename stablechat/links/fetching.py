"""A video file by its link: whole and probed, or not there at all."""

from __future__ import annotations

import re
import ssl
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from email.message import Message
from pathlib import Path
from urllib.parse import unquote

import httpcore

from stablechat.errors import InputError, LimitError, StorageError
from stablechat.links.addresses import Link, read_link
from stablechat.links.network import Cancelled, CheckedNetwork
from stablechat.times import format_time
from stablechat.types import VideoInfo
from stablechat.video import probe

#: Called with the bytes that came, and how many there will be if the server says so.
OnProgress = Callable[[int, int | None], None]

_MAX_REDIRECTS = 5
_REDIRECTS = (301, 302, 303, 307, 308)
#: A file's name, its ending included.
_MAX_NAME_CHARACTERS = 100
#: Systems take 255 bytes, the ending and a number included.
_MAX_STEM_BYTES = 180
#: So often room is asked for where the server does not say how much it sends.
_ROOM_BYTES = 64 << 20

_HEADERS = [
    ("User-Agent", "StableChat"),
    ("Accept", "video/*, */*;q=0.5"),
    ("Accept-Encoding", "identity"),
]

#: Makes what connects, of what says when to stop.
Connect = Callable[[Cancelled], httpcore.NetworkBackend]


@dataclass(frozen=True)
class FetchLimits:
    """What a fetch may take.

    Attributes:
        max_bytes: Of the file; None is no limit.
        max_seconds: For all of it.
        max_silent_seconds: Without a byte.
        has_room: Whether so many bytes more may be written.
    """

    max_bytes: int | None = 2 << 30
    max_seconds: float = 3600.0
    max_silent_seconds: float = 30.0
    has_room: Callable[[int], bool] = lambda wanted_bytes: True


@dataclass(frozen=True)
class Fetched:
    """A file that was fetched.

    Attributes:
        path: Where it is.
        video: What it holds.
    """

    path: Path
    video: VideoInfo


def fetch_video(
    link: str,
    folder: Path,
    limits: FetchLimits | None = None,
    *,
    on_progress: OnProgress = lambda done_bytes, total_bytes: None,
    cancelled: Cancelled = lambda: False,
    connect: Connect = CheckedNetwork,
) -> Fetched:
    """Fetch a video from the open internet.

    Args:
        link: Of the file itself, https or http.
        folder: Where it is put, under its own name made safe; a file of that name is
            left alone and the new one numbered.
        limits: None is the usual ones.
        on_progress: Called for each piece.
        cancelled: Asked often; nothing is left then.
        connect: Makes what connects; hosts of the open internet only.

    Raises:
        InputError: The link can't be asked for, or there is no video.
        LimitError: It is larger or slower than is allowed.
        StorageError: The server, or the way there, failed.
        VideoError: The file can't be read as a video.
        CancelledError: ``cancelled`` said so.
    """
    limits = limits or FetchLimits()
    found, deadline = read_link(link), time.monotonic() + limits.max_seconds

    def stopped() -> bool:
        if time.monotonic() > deadline:
            raise LimitError(
                "The file did not come within {time}.",
                time=format_time(limits.max_seconds),
            )
        return cancelled()

    try:
        with tempfile.TemporaryDirectory(prefix=".fetch-", dir=folder) as scratch:
            with _asked(found, connect(stopped), limits) as (response, last):
                path = Path(scratch) / _file_name(response, last)
                with path.open("wb") as file:
                    for piece in _pieces(response, limits, on_progress):
                        file.write(piece)
            if path.stat().st_size == 0:
                raise InputError("{host} sent an empty file.", host=last.host)
            video = probe(path, cancelled=cancelled)
            return _put(path, folder, video)
    except OSError as error:
        raise StorageError(
            "The file can't be written: {reason}.", reason=error.strerror or error
        ) from error


@contextmanager
def _asked(
    link: Link, network: httpcore.NetworkBackend, limits: FetchLimits
) -> Iterator[tuple[httpcore.Response, Link]]:
    """The file's response, and the link that gave it."""
    with httpcore.ConnectionPool(
        ssl_context=ssl.create_default_context(), network_backend=network
    ) as pool:
        for _ in range(_MAX_REDIRECTS + 1):
            with _answer(pool, link, limits) as response:
                if response.status not in _REDIRECTS:
                    _check_response(response, link)
                    yield response, link
                    return
                link = link.follow(_header(response, "location"))
    raise InputError("The link leads on and on; give the file's own address.")


@contextmanager
def _answer(
    pool: httpcore.ConnectionPool, link: Link, limits: FetchLimits
) -> Iterator[httpcore.Response]:
    silent = limits.max_silent_seconds
    timeout = {"connect": silent, "read": silent, "write": silent, "pool": silent}
    try:
        with pool.stream(
            "GET", link.url, headers=_HEADERS, extensions={"timeout": timeout}
        ) as response:
            yield response
    except httpcore.TimeoutException as error:
        raise StorageError(
            "{host} did not answer in time; try again later.", host=link.host
        ) from error
    except (httpcore.NetworkError, httpcore.ProtocolError, ssl.SSLError) as error:
        raise StorageError(
            "{host} can't be reached: {reason}.",
            host=link.host,
            reason=str(error).strip().rstrip(".") or type(error).__name__,
        ) from error


def _header(response: httpcore.Response, name: str) -> str:
    wanted = name.encode("ascii")
    for key, value in response.headers:
        if key.lower() == wanted:
            try:
                return value.decode(
                    "utf-8"
                ).strip()  # as servers send it, if not said so
            except UnicodeDecodeError:
                return value.decode("latin-1").strip()
    return ""


def _check_response(response: httpcore.Response, link: Link) -> None:
    if response.status != 200:
        raise InputError(
            "{host} answered with {status}; is the link right?",
            host=link.host,
            status=response.status,
        )
    if _header(response, "content-type").lower().startswith("text/html"):
        raise InputError(
            "The link leads to a web page, not to a video; give the address of the "
            "file itself."
        )
    if _header(response, "content-encoding").lower() not in ("", "identity"):
        raise InputError(
            "{host} sent the file packed, which was not asked for.", host=link.host
        )


def _pieces(
    response: httpcore.Response, limits: FetchLimits, on_progress: OnProgress
) -> Iterator[bytes]:
    """The file, as long as it keeps within its limits."""
    told = _header(response, "content-length")
    total = int(told) if told.isdecimal() and len(told) < 20 else None
    _check_size(total or 0, limits)
    done, room = 0, total or 0
    _check_room(room, limits)
    # httpcore holds a body to its told length itself, and raises when it is cut short.
    for piece in response.iter_stream():
        done += len(piece)
        _check_size(done, limits)
        if done > room:
            room = done + _ROOM_BYTES
            _check_room(_ROOM_BYTES, limits)
        on_progress(done, total)
        yield piece


def _check_size(size: int, limits: FetchLimits) -> None:
    if limits.max_bytes is not None and size > limits.max_bytes:
        raise LimitError(
            "The file has more than {most:,} bytes; at most that many are taken.",
            most=limits.max_bytes,
        )


def _check_room(wanted_bytes: int, limits: FetchLimits) -> None:
    if not limits.has_room(wanted_bytes):
        raise LimitError("There is no room for the file; try again later.")


def _file_name(response: httpcore.Response, link: Link) -> str:
    """The file's own name, whatever folders and signs it is told with."""
    header = Message()
    header["content-disposition"] = _header(response, "content-disposition")
    told = header.get_filename() or unquote(link.path)
    name = told.replace("\\", "/").rstrip("/").rpartition("/")[2]
    name = re.sub(r"[^\w.() -]+", "_", name)
    stem, dot, ending = name.rpartition(".")
    if not dot:
        stem, ending = name, ""
    ending = ending.strip(" _-")[:10]
    if ending.lower() == "json":
        ending = ""  # a folder's own records are called so
    stem = stem.strip(" ._-")[: _MAX_NAME_CHARACTERS - 11]
    stem = stem.encode()[:_MAX_STEM_BYTES].decode(errors="ignore") or "video"
    return f"{stem}.{ending}" if ending else stem


def _put(path: Path, folder: Path, video: VideoInfo) -> Fetched:
    """Put the file where it stays, beside whatever is there."""
    target, number = folder / path.name, 1
    while True:
        try:
            target.open("xb").close()
            break
        except FileExistsError:
            number += 1
            target = folder / f"{path.stem}_{number}{path.suffix}"
    path.replace(target)
    return Fetched(target, replace(video, path=target))
