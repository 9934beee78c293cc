"""Which videos are meant: names, folders, and patterns that no shell expanded."""

from __future__ import annotations

import glob
import os
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path

from stablechat.cli.answer_folders import read_record
from stablechat.cli.batch.results import read_result
from stablechat.errors import InputError

#: Endings by which a video in a folder is known. A name may have any other, or none.
VIDEO_ENDINGS = frozenset(
    (".mp4", ".m4v", ".mov", ".mkv", ".webm", ".avi", ".flv", ".wmv", ".mpg", ".mpeg")
) | {".ts", ".m2ts", ".mts", ".3gp", ".3g2", ".ogv", ".vob", ".mxf", ".gif"}


def means_several(names: Sequence[str]) -> bool:
    """Whether names are more than the name of one file."""
    return len(names) > 1 or os.path.isdir(names[0]) or _is_pattern(names[0])


def expand_names(names: Sequence[str]) -> list[Path]:
    """The files that names, folders and patterns mean, each once.

    A folder means the videos that lie in it, not those of its folders. A pattern means
    files; ``**`` goes through folders. Hidden files, and what an earlier run wrote, are
    left out.

    Args:
        names: As they were typed. A name that is no folder and no pattern is taken as
            it is, whether there is such a file or not.

    Raises:
        InputError: A folder holds no video, or a pattern fits none.
    """
    found: dict[str, Path] = {}
    for name in names:
        for path in _expand_name(name):
            found.setdefault(os.path.realpath(path), path)
    return list(found.values())


def no_link(name: str) -> str:
    """A name that is one of this machine's.

    Raises:
        InputError: It is a link; with what to do about it.
    """
    if name.lower().startswith(("http://", "https://")):
        raise InputError(
            f"{name} is a link; fetch it first, with: python -m stablechat fetch LINK"
        )
    return name


def _expand_name(name: str) -> Iterable[Path]:
    no_link(name)
    if os.path.isdir(name):
        videos = _ours_left_out(sorted(_listed(name), key=lambda p: p.name))
        videos = [p for p in videos if p.suffix.lower() in VIDEO_ENDINGS]
        if not videos:
            raise InputError(f"There is no video in the folder {name}.")
        return videos
    if not _is_pattern(name):
        return [Path(name)]
    fitting = _ours_left_out(map(Path, sorted(glob.glob(name, recursive=True))))
    if not fitting:
        raise InputError(f"No file fits {name}.")
    return fitting


def _listed(folder: str) -> list[Path]:
    try:
        return list(Path(folder).iterdir())
    except OSError as error:
        raise InputError(
            f"The folder {folder} can't be read: {error.strerror or error}."
        ) from error


def _is_pattern(name: str) -> bool:
    # A file may be called "take [2].mp4".
    return glob.has_magic(name) and not os.path.lexists(name)


def _ours_left_out(paths: Iterable[Path]) -> list[Path]:
    """Files that are not hidden and not the answers of an earlier run."""
    has_answers = cache(_has_answers)
    return [
        path
        for path in paths
        if not path.name.startswith(".")
        and path.is_file()
        and not has_answers(path.parent)
    ]


def _has_answers(folder: Path) -> bool:
    """Whether ``ground`` or ``batch`` wrote a folder; a name alone does not say so."""
    return read_record(folder) is not None or read_result(folder) is not None
