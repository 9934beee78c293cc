"""A folder of answers for each video of a run, and what tells that it is finished.

::

    OUT/kitchen/            answers about one video
        kitchen_clip.mp4 ...
        stablechat.json     what they answer; written last, so a folder that has it is
                            whole
    OUT/kitchen-1f0c9a2b/   another video called kitchen
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from stablechat.errors import InputError

RECORD_FILE = "stablechat.json"
#: A larger file is no record of ours.
_MAX_RECORD_BYTES = 4 << 20


@dataclass(frozen=True)
class Record:
    """What a folder's files answer.

    Attributes:
        video: The file: its path, size and time of change.
        asked: All that the answers depend on.
        files: Names of what was written, by kind.
        summary: The answers in words.
    """

    video: Mapping[str, Any]
    asked: Mapping[str, Any]
    files: Mapping[str, str] = field(default_factory=dict)
    summary: str = ""

    def is_of(self, video: Mapping[str, Any], asked: Mapping[str, Any]) -> bool:
        """Whether the files are what would be written now."""
        return self.video == video and self.asked == asked

    def is_whole(self, folder: Path) -> bool:
        """Whether all files are still there."""
        return all((folder / name).is_file() for name in self.names)

    @property
    def names(self) -> list[str]:
        """Names of the files, in the folder itself only."""
        named = map(str, self.files.values())
        return [name for name in named if name == os.path.basename(name) != ""]


class AnswerFolders:
    """The folders of one run.

    Args:
        out: Where they are.
    """

    def __init__(self, out: Path) -> None:
        self._out = out
        self._taken: set[str] = set()

    def folder_of(self, path: Path) -> Path:
        """The folder for a video's answers: the one it had before, or a free one.

        Its name is the video's; where another video has that, with a few letters that
        follow from the path, so that every run finds it again.
        """
        from render.exports import safe_stem

        where = os.path.realpath(path)
        digest = hashlib.sha256(os.fsencode(where)).hexdigest()[:8]
        stem = safe_stem(path.name)
        names = [stem, f"{stem}-{digest}"]
        free = [name for name in names if self._is_free(name, where)]
        had = [name for name in free if self._owner(name) is not None]
        name = (had or free or names[-1:])[0]
        # Some systems do not tell "A" from "a".
        self._taken.add(name.casefold())
        return self._out / name

    def _is_free(self, name: str, where: str) -> bool:
        owner = self._owner(name)
        is_ours = owner is None or owner == _text(where)
        return is_ours and name.casefold() not in self._taken

    def _owner(self, name: str) -> object:
        record = read_record(self._out / name)
        return None if record is None else record.video.get("path")


def video_facts(path: str | Path) -> dict[str, Any]:
    """What tells whether a file is still the same.

    Raises:
        InputError: There is no such file.
    """
    try:
        status = os.stat(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"{path} can't be read: {reason}.") from error
    return {
        "path": _text(os.path.realpath(path)),
        "size_bytes": status.st_size,
        "modified_ns": status.st_mtime_ns,
    }


def read_record(folder: Path) -> Record | None:
    """What a folder's files answer; None where none is finished."""
    try:
        with (folder / RECORD_FILE).open("rb") as file:
            data = json.loads(file.read(_MAX_RECORD_BYTES))
        record = Record(data["video"], data["asked"], data["files"], data["summary"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None
    told = (record.video, record.asked, record.files)
    return record if all(isinstance(each, dict) for each in told) else None


def clear_record(folder: Path) -> Record | None:
    """Begin anew: the folder is not finished any more. Returns what it was.

    Raises:
        InputError: It can't be changed.
    """
    before = read_record(folder)
    _remove(folder / RECORD_FILE)
    return before


def remove_stale(folder: Path, before: Record | None, files: Iterable[Path]) -> None:
    """Remove what an earlier run wrote and this one did not.

    Raises:
        InputError: It can't be removed.
    """
    kept = {path.name for path in files}
    for name in before.names if before is not None else ():
        if name not in kept:
            _remove(folder / name)


def _remove(path: Path) -> None:
    try:
        path.unlink()
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        raise InputError(
            f"{path} can't be removed: {error.strerror or error}."
        ) from error


def write_record(folder: Path, record: Record) -> None:
    """Say that a folder is finished.

    Raises:
        RenderError: It can't be written.
    """
    from render.exports import write_json

    data = {
        "video": record.video,
        "asked": record.asked,
        "files": record.files,
        "summary": record.summary,
    }
    write_json(folder / RECORD_FILE, data)


def _text(path: str) -> str:
    """A path as text; bytes that are not UTF-8 become replacement characters."""
    return os.fsencode(path).decode("utf-8", "replace")
