"""Where videos lie: on a disk, or in storage that fsspec can reach.

A remote video is downloaded to a temporary folder that goes when it was used, so the
disk holds no more of them than are being worked on.
"""

from __future__ import annotations

import asyncio
import os
import posixpath
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any, BinaryIO, TypeVar
from urllib.parse import urlsplit
from urllib.request import url2pathname

from stablechat.cli.texts import one_line
from stablechat.errors import (
    CancelledError,
    InputError,
    LimitError,
    StorageError,
    VideoError,
)
from stablechat.folders import owned_folder, remove_orphans

Cancelled = Callable[[], bool]
Value = TypeVar("Value")

#: What addresses may begin with. fsspec knows more, some of which run other programs
#: or chain into each other; a list of videos must not choose among those.
PROTOCOLS = ("s3", "s3a", "gs", "gcs", "memory")
#: Times that remote storage is asked, and the first pause between them.
ATTEMPTS = 4
FIRST_PAUSE_SECONDS = 1.0

# What S3's client raises where no answer came; it knows no OSError.
_UNREACHED = {
    f"botocore.exceptions.{name}" for name in ("ConnectionError", "HTTPClientError")
}

_PROTOCOL = re.compile(r"([A-Za-z][A-Za-z0-9+.:-]*?)://")
_FOLDER_PREFIX = "stablechat-batch-"
_CHUNK_BYTES = 1 << 20
_MAX_NAME_BYTES = 150
# Left free on the disk of temporary files: the clip needs some of it.
_SPARE_BYTES = 64 << 20
# These will not get better by waiting.
_DEFINITE = (
    *(FileNotFoundError, PermissionError, IsADirectoryError),
    *(NotADirectoryError, NotImplementedError),
)


def is_remote(address: str) -> bool:
    """Whether an address is not the name of a file here."""
    found = _PROTOCOL.match(address)
    return found is not None and found[1].lower() != "file"


def normalised(address: str) -> str:
    """One text for all ways to write an address.

    Returns:
        The real path of a file here, or ``protocol://...``.

    Raises:
        InputError: It can't be reached from here.
    """
    if is_remote(address):
        filesystem, path = _reach(address)
        return str(filesystem.unstrip_protocol(path))
    return os.path.realpath(local_path(address))


def local_path(address: str) -> str:
    """The name of a file here, of which ``file://`` may stand.

    Raises:
        InputError: It is on another host.
    """
    if not _PROTOCOL.match(address):
        return address
    parts = urlsplit(address)
    if parts.netloc not in ("", "localhost"):
        raise InputError(f"{one_line(address)} is on another host.")
    return url2pathname(parts.path)


def list_remote(address: str, endings: frozenset[str]) -> list[str]:
    """The videos that a remote folder or pattern means; any other address is itself.

    Raises:
        InputError: There is none, or storage refuses.
        StorageError: Storage does not answer.
    """
    import glob

    filesystem, path = _reach(address)

    def find() -> list[str]:
        if glob.has_magic(path):
            return [p for p in filesystem.glob(path) if filesystem.isfile(p)]
        if address.endswith("/") or filesystem.isdir(path):
            names = filesystem.ls(path, detail=False)
            return [n for n in names if posixpath.splitext(n)[1].lower() in endings]
        return [path]

    found = sorted(map(str, retried(find, address)))
    if not found:
        raise InputError(f"There is no video at {one_line(address)}.")
    return [str(filesystem.unstrip_protocol(name)) for name in found]


@contextmanager
def fetched(address: str, cancelled: Cancelled = lambda: False) -> Iterator[Path]:
    """Have a file here for a while.

    Args:
        address: Normalised. A file here is used where it is.
        cancelled: Asked often.

    Raises:
        VideoError: There is no such file, or it may not be read.
        LimitError: It is larger than a video may be, or than the disk has room for.
        StorageError: Storage does not answer.
        CancelledError: ``cancelled`` said so.
    """
    if not is_remote(address):
        yield Path(address)
        return
    _sweep_once()
    with owned_folder(_FOLDER_PREFIX) as folder:
        path = folder / _file_name(address)
        retried(lambda: _download(address, path, cancelled), address, cancelled)
        yield path


@cache
def _sweep_once() -> None:
    remove_orphans(_FOLDER_PREFIX)


def sweep() -> None:
    """Remove what processes that were killed had downloaded."""
    remove_orphans(_FOLDER_PREFIX)


def retried(
    work: Callable[[], Value],
    address: str,
    cancelled: Cancelled = lambda: False,
) -> Value:
    """Do something with remote storage, again where it did not answer.

    Raises:
        StorageError: It did not, :data:`ATTEMPTS` times.
        VideoError: It did, and refuses.
    """
    pause = FIRST_PAUSE_SECONDS
    for attempt in range(1, ATTEMPTS + 1):
        try:
            return work()
        except (InputError, StorageError, CancelledError):
            raise
        except Exception as error:  # each storage has errors of its own
            if not is_transient(error):
                raise _refusal(address, error) from error
            if attempt == ATTEMPTS:
                raise StorageError(
                    f"{one_line(address)} could not be reached ({_told(error)}), "
                    f"{ATTEMPTS} times; try again later."
                ) from error
        _wait(pause, cancelled)
        pause *= 2
    raise AssertionError("unreachable")


def is_transient(error: Exception) -> bool:
    """Whether the same may work later."""
    if isinstance(error, _DEFINITE):
        return False
    if isinstance(error, OSError | TimeoutError | asyncio.TimeoutError):
        return True
    return any(
        base.__module__.partition(".")[0] == "aiohttp" or _name_of(base) in _UNREACHED
        for base in type(error).__mro__
    )


def _name_of(kind: type) -> str:
    return f"{kind.__module__}.{kind.__qualname__}"


def _wait(seconds: float, cancelled: Cancelled) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        if cancelled():
            raise CancelledError("Stopped.")
        time.sleep(min(0.1, seconds))


def _refusal(address: str, error: Exception) -> VideoError:
    if isinstance(error, FileNotFoundError):
        return VideoError(f"There is no {one_line(address)}.")
    return VideoError(f"{one_line(address)} can't be read: {_told(error)}.")


def _told(error: Exception) -> str:
    return one_line(str(error))[:300].rstrip(".") or type(error).__name__


def _reach(address: str) -> tuple[Any, str]:
    found = _PROTOCOL.match(address)
    protocol = found[1].lower() if found else ""
    if protocol not in PROTOCOLS or "::" in address:
        raise InputError(
            f"{one_line(address)} can't be read: an address begins with one of "
            f"{', '.join(f'{each}://' for each in PROTOCOLS)}, or is a file."
        )
    try:
        import fsspec

        filesystem, path = fsspec.core.url_to_fs(protocol + address[len(protocol) :])
    except ImportError as error:
        raise InputError(
            f"{protocol}:// needs another package ({_told(error)}); see docs/batch.md."
        ) from error
    except Exception as error:  # credentials, of which each storage has its own
        raise InputError(f"{one_line(address)} can't be read: {_told(error)}.") from (
            error
        )
    return filesystem, str(path)


def _file_name(address: str) -> str:
    """The file's own name, fit for any disk: results are named after it."""
    name = re.sub(r'[\x00-\x1f\x7f<>:"/\\|?*]', "_", posixpath.basename(address))
    stem, ending = posixpath.splitext(name.encode("utf-8", "replace").decode())
    while len((stem + ending).encode()) > _MAX_NAME_BYTES:
        stem, ending = stem[:-1], ending[:10]
    return (stem.strip(". ") or "video") + ending


def _download(address: str, path: Path, cancelled: Cancelled) -> None:
    from stablechat.video import default_limits

    filesystem, name = _reach(address)
    most = default_limits().max_bytes
    size = filesystem.info(name).get("size")
    _check_size(address, size or 0, most, path.parent)
    with filesystem.open(name, "rb") as source, path.open("wb") as target:
        written = _copy(source, target, cancelled, most, address)
    if size is not None and written != size:
        raise OSError(f"{written} of {size} bytes came")


def _check_size(address: str, size: int, most: int | None, folder: Path) -> None:
    if most is not None and size > most:
        raise LimitError(
            f"{one_line(address)} has {size} bytes, more than max_bytes ({most})."
        )
    if size + _SPARE_BYTES > shutil.disk_usage(folder).free:
        raise StorageError(
            f"There is no room for {one_line(address)}, {size} bytes, in "
            f"{folder.parent}."
        )


def _copy(
    source: BinaryIO,
    target: BinaryIO,
    cancelled: Cancelled,
    most: int | None,
    address: str,
) -> int:
    written = 0
    while chunk := source.read(_CHUNK_BYTES):
        if cancelled():
            raise CancelledError("Stopped.")
        written += len(chunk)
        if most is not None and written > most:
            raise LimitError(f"{one_line(address)} has more than {most} bytes.")
        target.write(chunk)
    return written
