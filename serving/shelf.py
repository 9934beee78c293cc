"""Files that several processes share, in a folder that is never fuller than it may be.

What was not used for longest goes first. A file that is coming has its full size from
the start, so that all processes count it.
"""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from stablechat.errors import StableChatError
from stablechat.fingerprint import digest_of
from ui.space import kept_free

_NAME = re.compile(r"[0-9A-Za-z_-]{16,80}")


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

        Args:
            size_bytes: The most that it will hold.

        Raises:
            FullError: There is no room for it.
        """
        path = self._coming / os.urandom(16).hex()
        try:
            path.touch(0o600)
            os.truncate(path, size_bytes)
            self._make_room(path, size_bytes)
            yield path
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
        lack = self._lack(wanted_bytes)
        for path, size, used in sorted(self._files(), key=lambda each: each[2]):
            if lack <= 0 or time.time() - used < self._used_seconds:
                break
            if path != mine and path.parent != self._coming:
                path.unlink(missing_ok=True)
                lack -= size
        if self._lack(wanted_bytes) > 0:
            raise FullError("The server's disk is full; try again in a few minutes.")

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


def _disk(folder: Path) -> tuple[int, int]:
    usage = shutil.disk_usage(folder)
    return usage.total, usage.free
