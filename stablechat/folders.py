"""Folders that a command writes to: refused early, and never left half made."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stablechat.errors import InputError


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


def _not_writable(folder: Path, error: Exception) -> InputError:
    reason = getattr(error, "strerror", None) or error
    return InputError(f"{folder} can't be written to ({reason}); choose another --out.")
