"""How much of the disk the page takes, and what goes when it is too much."""

from __future__ import annotations

import logging
import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from stablechat.errors import InputError
from ui.runs import Run
from ui.session import MAX_AGE_SECONDS, Sessions
from ui.space import kept_free
from ui.tab import Session

logger = logging.getLogger(__name__)

#: What uploads and results may take together.
DEFAULT_MAX_DISK = "20gb"
#: An upload may still be about to be asked about.
_FRESH_SECONDS = 600
_SIZE = re.compile(r"([1-9]\d{0,8}) ?(b|kb|mb|gb|tb)", re.IGNORECASE)
_UNITS = ("b", "kb", "mb", "gb", "tb")


def parse_size(text: str, option: str) -> int:
    """Bytes of ``"20gb"``.

    Args:
        text: A number and a unit.
        option: Where it was given, for the error.

    Raises:
        InputError: It is no size.
    """
    found = _SIZE.fullmatch(text.strip())
    if found is None:
        raise InputError(
            f"{option} must be a number and a unit, such as 500mb or 2gb, got {text!r}."
        )
    return int(found[1]) << (10 * _UNITS.index(found[2].lower()))


def folder_bytes(folder: Path) -> int:
    """What the files in a folder take; those that vanish meanwhile do not count."""
    total = 0
    for place, _, names in os.walk(folder):
        for name in names:
            try:
                total += os.lstat(os.path.join(place, name)).st_size
            except OSError:
                continue
    return total


class Disk:
    """Keeps what the page takes of the disk below a limit.

    Args:
        sessions: What there is.
        max_bytes: Of uploads and results together.
        examples: The page's own files, which stay.
        usage: Size of their disk and what is free on it, in bytes; for tests.
    """

    def __init__(
        self,
        sessions: Sessions,
        max_bytes: int,
        *,
        examples: Iterable[Path] = (),
        usage: Callable[[], tuple[int, int]] | None = None,
    ) -> None:
        self._sessions = sessions
        self._max_bytes = max_bytes
        self._usage = usage or self._disk_usage
        self._examples = {path.resolve() for path in examples}

    def tidy(self) -> None:
        """Remove what is too much, and uploads about nothing: old or forgotten ones."""
        self.make_room()
        forgotten = self._sessions.forgotten
        for upload in self._unused(self._sessions.all().values(), 0):
            if upload in forgotten or _age(upload) > MAX_AGE_SECONDS:
                upload.unlink(missing_ok=True)

    def make_room(self, wanted_bytes: int = 0) -> bool:
        """Remove what is needed least, until so much more has room.

        First goes what closed tabs left, then old answers that nobody looks at, then
        uploads that no answer is about.

        Returns:
            Whether there is room now.
        """
        lack = self._lack(wanted_bytes)
        for remove in self._removable() if lack > 0 else ():
            remove()
            lack = self._lack(wanted_bytes)
            if lack <= 0:
                break
        return lack <= 0

    def _lack(self, wanted_bytes: int) -> int:
        used = sum(folder_bytes(folder) for folder in self._sessions.folders)
        total, free = self._usage()
        return max(
            used + wanted_bytes - self._max_bytes,
            wanted_bytes + kept_free(total) - free,
        )

    def _disk_usage(self) -> tuple[int, int]:
        usage = shutil.disk_usage(self._sessions.root)
        return usage.total, usage.free

    def _removable(self) -> Iterator[Callable[[], None]]:
        sessions = self._sessions.all()
        left = [
            (each.left, key) for key, each in sessions.items() if each.left is not None
        ]
        for _, key in sorted(left):
            yield lambda key=key: self._sessions.end(key)  # type: ignore[misc]
        there = list(self._sessions.all().values())
        old = [(_age(run.folder), each, run) for each in there for run in _old(each)]
        for _, session, run in sorted(old, key=lambda entry: -entry[0]):
            yield lambda session=session, run=run: session.drop(run)  # type: ignore[misc]
        for upload in self._unused(there):
            yield lambda upload=upload: upload.unlink(missing_ok=True)  # type: ignore[misc]

    def _unused(
        self, sessions: Iterable[Session], min_age_seconds: float = _FRESH_SECONDS
    ) -> list[Path]:
        """Uploads that no tab has in its form or asked about, the oldest first."""
        used = {path.resolve() for session in sessions for path in session.videos}
        unused = set(self._uploads()) - used - self._examples
        stale = [path for path in unused if _age(path) > min_age_seconds]
        return sorted(stale, key=_age, reverse=True)

    def _uploads(self) -> Iterator[Path]:
        for path in self._sessions.root.rglob("*"):
            if path.is_file() and self._sessions.owns_upload(path):
                yield path.resolve()


def _old(session: Session) -> list[Run]:
    """Answers that are not looked at; what is cut again is looked at."""
    return [run for run in session.runs if run is not session.run]


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0
