"""The folder itself: private, this program's own, and one app's at a time."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock, Timeout

from render.exports.files import write_json
from stablechat.errors import InputError

#: Of the folder and of every file of the state; another one is not read.
VERSION = 1

_MARK = "stablechat.json"
_APP = "stablechat --keep"
#: The mark is some bytes long.
_MAX_MARK_BYTES = 4096


@dataclass(frozen=True)
class KeptFolder:
    """A folder that is this process's while it is open.

    Attributes:
        files: What the page serves.
        state: What is known of each tab.
    """

    files: Path
    state: Path


@contextmanager
def kept_folder(folder: Path) -> Iterator[KeptFolder]:
    """Have the folder that ``--keep`` names; made if it is not there.

    Args:
        folder: Empty, or one that this made before.

    Raises:
        InputError: It is another app's now, somebody else's, of another version, holds
            other files, or can't be written to.
    """
    try:
        folder = _private(folder)
        with _locked(folder):
            _mark(folder)
            yield _parts(folder)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(
            f"--keep {folder} can't be used ({reason}); choose another folder."
        ) from error


def _private(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    folder = folder.resolve()
    if hasattr(os, "getuid") and folder.stat().st_uid != os.getuid():
        raise InputError(f"--keep {folder} is somebody else's; choose another folder.")
    if not (folder / _MARK).exists() and any(folder.iterdir()):
        raise InputError(
            f"--keep {folder} holds other files; choose an empty folder, or a new one."
        )
    folder.chmod(0o700)
    return folder


@contextmanager
def _locked(folder: Path) -> Iterator[None]:
    """The lock is let go by the system when its process ends, however it ends."""
    lock = FileLock(folder / "lock", mode=0o600)
    try:
        lock.acquire(timeout=0)
    except Timeout as error:
        raise InputError(
            f"--keep {folder} is in use by another app; choose another folder."
        ) from error
    try:
        yield
    finally:
        lock.release()


def _mark(folder: Path) -> None:
    mark = folder / _MARK
    if not mark.exists():
        write_json(mark, {"app": _APP, "version": VERSION})
    if _read_mark(mark) != {"app": _APP, "version": VERSION}:
        raise InputError(
            f"--keep {folder} was made by another version or program; choose another "
            "folder."
        )


def _read_mark(mark: Path) -> object:
    with mark.open("rb") as file:
        content = file.read(_MAX_MARK_BYTES)
    try:
        return json.loads(content)
    except ValueError:
        return None


def _parts(folder: Path) -> KeptFolder:
    parts = KeptFolder(folder / "files", folder / "state")
    for part in (parts.files, parts.state):
        part.mkdir(mode=0o700, exist_ok=True)
    return parts
