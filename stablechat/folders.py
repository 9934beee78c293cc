"""Folders that a command writes to: refused early, and never left half made."""

from __future__ import annotations

import os
import re
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stablechat.errors import InputError

_REMOVAL_SECONDS = 5.0


def checked_folder(name: str) -> Path:
    """The output folder, which need not exist yet.

    Raises:
        InputError: It can't be one.
    """
    folder = Path(name)
    try:
        os.stat(folder)
    except (FileNotFoundError, NotADirectoryError):
        pass  # what is there of it is looked at below
    except (OSError, ValueError) as error:  # too long, not to be entered, a zero byte
        raise _not_writable(folder, error) from error
    # Unlike Path's own methods, those of os.path raise for no name.
    existing = next(
        p for p in (folder, *folder.absolute().parents) if os.path.exists(p)
    )
    if not os.path.isdir(existing):
        raise InputError(f"{existing} is not a folder; choose another --out.")
    if not os.access(existing, os.W_OK | os.X_OK):
        raise InputError(f"{existing} can't be written to; choose another --out.")
    return folder


@contextmanager
def made_folder(folder: Path) -> Iterator[None]:
    """Have a folder; on failure, take away again what was made and stayed empty."""
    missing = [p for p in (folder, *folder.parents) if not os.path.exists(p)]
    try:
        folder.mkdir(parents=True, exist_ok=True)
        yield
    except BaseException as error:
        for made in missing:
            with suppress(OSError):
                made.rmdir()
        if isinstance(error, OSError):
            raise _not_writable(folder, error) from error
        raise


@contextmanager
def owned_folder(prefix: str, parent: Path | None = None) -> Iterator[Path]:
    """A temporary folder that is gone afterwards, and known by its owner's number.

    Args:
        prefix: What its name begins with; :func:`remove_orphans` takes the same.
        parent: Where; by default the system's temporary folder.

    Raises:
        InputError: There is no room for it.
    """
    made = make_owned(prefix, parent or Path(tempfile.gettempdir()))
    try:
        yield made
    finally:
        _remove(made)


def make_owned(prefix: str, parent: Path) -> Path:
    """The same for whoever removes it by itself."""
    try:
        return Path(tempfile.mkdtemp(prefix=f"{prefix}{os.getpid()}-", dir=parent))
    except OSError as error:
        raise InputError(f"{parent} can't be written to ({error.strerror}).") from error


def _remove(folder: Path) -> None:
    """Take a folder away, from processes too that are ending and write to it still."""
    until = time.monotonic() + _REMOVAL_SECONDS
    shutil.rmtree(folder, ignore_errors=True)
    while folder.exists() and time.monotonic() < until:
        time.sleep(0.1)
        shutil.rmtree(folder, ignore_errors=True)


def remove_orphans(prefix: str, parent: Path | None = None) -> None:
    """Remove the folders of owners that were killed and could not do it themselves."""
    parent = parent or Path(tempfile.gettempdir())
    for folder in parent.glob(f"{prefix}*-*"):
        owner = re.fullmatch(rf"{re.escape(prefix)}(\d+)-\w+", folder.name)
        if owner and _is_ours(folder) and not _is_alive(int(owner[1])):
            shutil.rmtree(folder, ignore_errors=True)


def _is_ours(folder: Path) -> bool:
    if folder.is_symlink() or not folder.is_dir():
        return False
    # Windows has no owner ids; its temporary folder is the user's own.
    return not hasattr(os, "getuid") or folder.stat().st_uid == os.getuid()


def _is_alive(pid: int) -> bool:
    if os.name == "nt":
        return True  # os.kill(pid, 0) would end the process there
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _not_writable(folder: Path, error: Exception) -> InputError:
    reason = getattr(error, "strerror", None) or error
    return InputError(f"{folder} can't be written to ({reason}); choose another --out.")
