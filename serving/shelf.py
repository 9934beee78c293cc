"""Files that several processes share, in a folder that is never fuller than it may be.

What was not used for longest goes first. A file that is coming has its full size from
the start, so that all processes count it. Its lock file, ``NAME.lock``, is held by the
process that it comes to; what a killed process has left is taken away by the next one
that needs room.
"""

from __future__ import annotations

import errno
import fcntl
import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from stablechat.errors import StableChatError
from stablechat.fingerprint import digest_of
from ui.space import kept_free

_NAME = re.compile(r"[0-9A-Za-z_-]{16,80}")
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
_FULL = "The server's disk is full; try again in a few minutes."
_LOCK = ".lock"
#: A lock file is made and then locked; a younger one may be between the two.
_LOCKING_SECONDS = 10.0


class FullError(StableChatError):
    """There is no room, and what is there is in use."""


class Shelf:
    """A folder of files by name.

    Args:
        folder: Made if it is not there; nothing else may lie in it.
        max_bytes: Of all files.
        used_seconds: A file that was asked for is in use for so long.
        free: What its disk has in all and what is free, in bytes; for tests.

    Attributes:
        max_bytes: Of all files.
    """

    def __init__(
        self,
        folder: Path,
        max_bytes: int,
        used_seconds: float,
        *,
        free: Callable[[Path], tuple[int, int]] | None = None,
    ) -> None:
        self._folder = folder
        self._coming = folder / "coming"
        self._coming.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.max_bytes = max_bytes
        self._used_seconds = used_seconds
        self._free = free or _disk

    def find(self, name: str) -> Path | None:
        """The file of that name, which is in use from now on; None if there is none."""
        if not _NAME.fullmatch(name):
            return None
        path = self._folder / name
        try:
            # Not when it was changed: by that it is known.
            os.utime(path, ns=(time.time_ns(), path.stat().st_mtime_ns))
        except OSError:
            return None
        return path

    @contextmanager
    def coming(self, size_bytes: int) -> Iterator[Path]:
        """A file to write to; gone afterwards if it was not added.

        A folder beside it whose name begins with its own and a dot goes with it if this
        process is killed; nothing else may be written there.

        Args:
            size_bytes: The most that it will hold.

        Raises:
            FullError: There is no room for it, or none any longer.
        """
        path = self._coming / os.urandom(16).hex()
        with _held(_lock_of(path)):
            try:
                path.touch(0o600)
                os.truncate(path, size_bytes)
                self._make_room(path, size_bytes)
                yield path
            except OSError as error:
                if error.errno in _NO_ROOM:
                    raise FullError(_FULL) from error
                raise
            finally:
                path.unlink(missing_ok=True)

    def add(self, path: Path, name: str) -> Path:
        """Keep a file that came under a name; the same name is the same file."""
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} can't be the name of a file here")
        kept = self.find(name)
        if kept is None:
            kept = self._folder / name
            os.replace(path, kept)
        return kept

    def adopt(self, path: Path) -> str:
        """Keep a file from elsewhere on this machine, by the SHA-256 of its content.

        It is linked where that can be, and takes no room then.

        Raises:
            OSError: It can't be read.
            FullError: There is no room for it.
        """
        name = digest_of(path)
        if self.find(name) is None:
            with self.coming(path.stat().st_size) as mine:
                mine.unlink()
                try:
                    os.link(path, mine)
                except OSError:  # another disk
                    shutil.copyfile(path, mine)
                self.add(mine, name)
        return name

    def used_bytes(self) -> int:
        """What all files take."""
        return sum(size for _, size, _ in self._files())

    def _make_room(self, mine: Path, wanted_bytes: int) -> None:
        self._remove_abandoned()
        lack = self._lack(wanted_bytes)
        for path, size, used in sorted(self._files(), key=lambda each: each[2]):
            if lack <= 0 or time.time() - used < self._used_seconds:
                break
            if path != mine and path.parent != self._coming:
                path.unlink(missing_ok=True)
                lack -= size
        if self._lack(wanted_bytes) > 0:
            raise FullError(_FULL)

    def _remove_abandoned(self) -> None:
        """Take away what was coming to processes that were killed."""
        # A lock goes last, as where nobody is killed: what has none is abandoned.
        for path in sorted(self._coming.iterdir(), key=_is_lock):
            if not _is_abandoned(_lock_of(path)):
                continue
            if path.is_dir():
                shutil.rmtree(path, ignore_errors=True)
            else:
                path.unlink(missing_ok=True)

    def _lack(self, wanted_bytes: int) -> int:
        total, free = self._free(self._folder)
        over = self.used_bytes() - self.max_bytes
        return max(over, wanted_bytes + kept_free(total) - free)

    def _files(self) -> Iterator[tuple[Path, int, float]]:
        """Path, bytes and when it was used last."""
        for path in (*self._folder.iterdir(), *self._coming.iterdir()):
            try:
                status = path.stat()
            except OSError:
                continue  # It went meanwhile.
            if path.is_file():
                yield path, status.st_size, status.st_atime


def _lock_of(path: Path) -> Path:
    """The lock of a file that is coming, and of a folder whose name begins with its."""
    return path.with_name(path.name.partition(".")[0] + _LOCK)


def _is_lock(path: Path) -> bool:
    return path.suffix == _LOCK


@contextmanager
def _held(lock: Path) -> Iterator[None]:
    with lock.open("x") as file:
        try:
            with suppress(OSError):  # a disk without locks: nothing is abandoned there
                fcntl.flock(file, fcntl.LOCK_EX)
            yield
        finally:
            lock.unlink(missing_ok=True)


def _is_abandoned(lock: Path) -> bool:
    try:
        with lock.open("rb") as file:
            age = time.time() - os.fstat(file.fileno()).st_mtime
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except FileNotFoundError:
        return True
    except OSError:  # it is held, or can't be
        return False
    return age > _LOCKING_SECONDS


def _disk(folder: Path) -> tuple[int, int]:
    usage = shutil.disk_usage(folder)
    return usage.total, usage.free
