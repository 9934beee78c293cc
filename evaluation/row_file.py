"""The file that a run writes: rows added one by one, and gone on with after a kill."""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import Any, BinaryIO

from evaluation.files import write_file
from evaluation.json_lines import RawRow, json_object, read_bytes
from stablechat.errors import InputError

#: How each row of a run begins. What else may end a file is not ours to cut off.
_ROW_START = b'{"index": '


class RowFile:
    """A file that rows are added to, and that a killed run can go on with.

    A context manager: it holds the open file, and a lock that ends with the process,
    however it ends. Nothing is made or changed before that.

    Args:
        path: The file; it may exist.
        check_lock: Whether to refuse a file that another run has open already now,
            and not only in ``with``.

    Attributes:
        path: The file.
        rows: What it held already, without a last line that was cut off.

    Raises:
        InputError: It can't be read, holds something else, or another run writes it.
    """

    def __init__(self, path: Path, *, check_lock: bool = True) -> None:
        self.path = path
        self._cut_at: int | None = None
        self._needs_newline = False
        self.rows: list[RawRow] = []
        if _exists(path):
            if check_lock:
                _check_lock(path)
            self.rows = self._read_rows()

    def _read_rows(self) -> list[RawRow]:
        content = read_bytes(self.path)
        end = content.rfind(b"\n") + 1
        last = content[end:]
        is_cut = bool(last) and json_object(last) is None and _begins_like_a_row(last)
        self._cut_at = end if is_cut else None
        self._needs_newline = bool(last) and not is_cut
        complete = content[:end] if is_cut else content
        rows = [json_object(line) for line in complete.split(b"\n") if line.strip()]
        good = [row for row in rows if row and isinstance(row.get("index"), int)]
        if len(good) < len(rows) or (content and not rows and not is_cut):
            raise InputError(
                f"{self.path} holds something other than the rows of a run; choose "
                "another --out."
            )
        return good

    def __enter__(self) -> RowFile:
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._open_locked()
        except OSError as error:
            raise _not_writable(self.path, error) from error
        try:
            # Another run may have ended since.
            self.rows = self._read_rows()
            if self._cut_at is not None:
                os.truncate(self.path, self._cut_at)
            if self._needs_newline:
                self._file.write(b"\n")
        except BaseException as error:
            self._file.close()
            if isinstance(error, OSError):
                raise _not_writable(self.path, error) from error
            raise
        return self

    def _open_locked(self) -> BinaryIO:
        file = self.path.open("ab")
        try:
            _lock(file.fileno(), fcntl.LOCK_EX, self.path)
            if not os.path.samestat(os.fstat(file.fileno()), self.path.stat()):
                raise _in_use(self.path)  # and put another in its place meanwhile
        except BaseException:
            file.close()
            raise
        return file

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def append(self, row: Mapping[str, Any]) -> None:
        """Add a row; it is with the operating system when this returns."""
        self._file.write(_line(row))
        self._file.flush()
        self.rows.append(dict(row))

    def drop(self, indices: Collection[int]) -> None:
        """Take rows away, in one step, so that others can be added in their place."""
        kept = [row for row in self.rows if row["index"] not in indices]
        if len(kept) < len(self.rows):
            self.replace(kept)
            dropped, self._file = self._file, self._open_locked()
            dropped.close()

    def replace(self, rows: Iterable[Mapping[str, Any]]) -> None:
        """Put other rows in the place of all, in one step; none is added after that."""
        self.rows = [dict(row) for row in rows]
        write_file(self.path, b"".join(map(_line, self.rows)))


def _line(row: Mapping[str, Any]) -> bytes:
    line = json.dumps(row, ensure_ascii=False, allow_nan=False)
    # Half of a surrogate pair, which a file name can hold, has no UTF-8.
    return line.encode("utf-8", "backslashreplace") + b"\n"


def _begins_like_a_row(line: bytes) -> bool:
    return line.startswith(_ROW_START) or _ROW_START.startswith(line)


def _check_lock(path: Path) -> None:
    try:
        with path.open("rb") as file:
            _lock(file.fileno(), fcntl.LOCK_SH, path)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"{path} can't be read ({reason}).") from error


def _lock(descriptor: int, kind: int, path: Path) -> None:
    try:
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise _in_use(path) from error


def _in_use(path: Path) -> InputError:
    return InputError(
        f"Another run is writing {path}; wait for its end or choose another --out."
    )


def _exists(path: Path) -> bool:
    if os.path.isdir(path):
        raise InputError(f"{path} is a folder; give --out the name of a file.")
    try:
        os.stat(path)
    except FileNotFoundError:
        return False
    except (OSError, ValueError) as error:  # too long, not to be entered, a zero byte
        raise _not_writable(path, error) from error
    return True


def _not_writable(path: Path, error: Exception) -> InputError:
    reason = getattr(error, "strerror", None) or error
    return InputError(f"{path} can't be written to ({reason}); choose another --out.")
