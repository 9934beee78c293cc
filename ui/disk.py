"""How much of the disk the page takes, and what goes when it is too much."""

from __future__ import annotations

import logging
import os
import re
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
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


@dataclass(frozen=True)
class _Removable:
    """A folder or file that may go.

    Attributes:
        path: What takes the room.
        remove: Removes it, and all that knows it, if that is still right.
    """

    path: Path
    remove: Callable[[], None]


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
        self._remove(self._removable(), 0)
        forgotten = self._sessions.forgotten
        for upload in self._unused(_in_use(self._sessions.all().values()), 0):
            if upload in forgotten or _age(upload) > MAX_AGE_SECONDS:
                upload.unlink(missing_ok=True)

    def make_room(self, wanted_bytes: int = 0) -> bool:
        """Remove what is needed least, until so much more has room.

        First goes what closed tabs left, then old answers that nobody looks at, then
        uploads that no answer is about. Nothing goes where all of it is not enough.

        Returns:
            Whether there is room now.
        """
        lack = self._lack(wanted_bytes)
        if lack <= 0:
            return True
        removable = self._removable()
        if sum(_bytes(each.path) for each in removable) < lack:
            return False
        return self._remove(removable, wanted_bytes) <= 0

    def _remove(self, removable: Iterable[_Removable], wanted_bytes: int) -> int:
        """Remove one after another while there is need; returns what still lacks."""
        lack = self._lack(wanted_bytes)
        for each in removable:
            if lack <= 0:
                break
            each.remove()
            lack = self._lack(wanted_bytes)
        return lack

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

    def _removable(self) -> list[_Removable]:
        """What may go, in that order; each only if it is still so when its turn is."""
        end, sessions = self._sessions.end_if_left, self._sessions.all()
        gone = {key: one for key, one in sessions.items() if one.left is not None}
        there = [one for key, one in sessions.items() if key not in gone]
        old = [(run, one) for one in there for run in _old(one)]
        old.sort(key=lambda entry: _age(entry[0].folder), reverse=True)
        in_use = {path for one in there for path in one.videos_without(_old(one))}
        return [
            *(
                _Removable(gone[key].folder, partial(end, key))
                for key in sorted(gone, key=lambda key: gone[key].left or 0.0)
            ),
            *(_Removable(run.folder, partial(_drop, run, one)) for run, one in old),
            *(
                _Removable(upload, partial(self._drop_upload, upload))
                for upload in self._unused(in_use)
            ),
        ]

    def _drop_upload(self, upload: Path) -> None:
        if upload not in _in_use(self._sessions.all().values()):
            upload.unlink(missing_ok=True)

    def _unused(
        self, in_use: set[Path], min_age_seconds: float = _FRESH_SECONDS
    ) -> list[Path]:
        """Uploads that no tab has in its form or asked about, the oldest first."""
        used = {path.resolve() for path in in_use}
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


def _drop(run: Run, session: Session) -> None:
    if run is not session.run:
        session.drop(run)


def _in_use(sessions: Iterable[Session]) -> set[Path]:
    return {path.resolve() for session in sessions for path in session.videos}


def _bytes(path: Path) -> int:
    return folder_bytes(path) if path.is_dir() else _size(path)


def _size(path: Path) -> int:
    try:
        return path.lstat().st_size
    except OSError:
        return 0


def _age(path: Path) -> float:
    try:
        return time.time() - path.stat().st_mtime
    except OSError:
        return 0.0
