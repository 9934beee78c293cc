"""Several formats of an answer in a folder: all of them, or none."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from render.encoding import DEFAULT_OPTIONS, ClipOptions
from render.exports.answers import grounding_to_dict
from render.exports.archive import write_zip
from render.exports.captions import CAPTION_FORMATS, CaptionFormat
from render.exports.files import json_bytes
from render.exports.registry import (
    FORMATS,
    ZIP,
    Cancelled,
    ExportFormat,
    Progress,
    Work,
)
from render.exports.words import plain_line, safe_stem, short_stem
from stablechat.errors import CancelledError, InputError, RenderError
from stablechat.types import Captions, Grounding, VideoInfo


@dataclass(frozen=True)
class Exported:
    """What was saved.

    Attributes:
        files: By key (``"clip"``, ``"grounding"``, else the format's name); of several
            answers, the second one's clip is ``"clip_2"``.
        left_out: Formats that there can't be of these answers, with the reason.
    """

    files: Mapping[str, Path]
    left_out: Mapping[str, str]


def export_answers(
    answers: Grounding | Sequence[Grounding],
    folder: Path,
    formats: Sequence[ExportFormat],
    *,
    stem: str | None = None,
    options: ClipOptions = DEFAULT_OPTIONS,
    clips: Sequence[Path | None] = (),
    on_progress: Progress | None = None,
    cancelled: Cancelled | None = None,
) -> Exported:
    """Save answers in some formats.

    Args:
        answers: One, or several about one video. The formats that hold one answer are
            written for each, numbered from 1.
        folder: Where to; it exists. Older files of these names are replaced.
        formats: Which; ``registry.formats_named`` finds them.
        stem: What the files' names begin with; None is the video's name.
        options: How clips are cut and drawn; their style is that of sheets too.
        clips: Finished clips of the answers, in their order and cut with these
            options, so that they are not cut once more; None where there is none.
        on_progress: Called with the share of the clips that is done.
        cancelled: Asked often.

    Returns:
        What was saved, and what could not be.

    Raises:
        InputError: There are no answers, or they are about several videos.
        RenderError: A file can't be made or written; none is left then.
        CancelledError: ``cancelled`` said so; likewise.
        VideoError: The video can no longer be read; likewise.
    """
    given = (answers,) if isinstance(answers, Grounding) else tuple(answers)
    if len({answer.video.path for answer in given}) != 1:
        raise InputError("Answers that are saved together must be about one video.")
    finished = tuple(clips) or (None,) * len(given)
    if len(finished) != len(given):
        raise InputError(
            "{count} answers can't have {clips} clips.",
            count=len(given),
            clips=len(finished),
        )
    works = [
        Work((each,), clip=clip) for each, clip in zip(given, finished, strict=True)
    ]
    export = _Export(works, folder, formats, _stem_of(given[0].video, stem))
    with plain_errors(), _scratch(folder) as scratch:
        written = export.write(scratch, options, on_progress, cancelled)
        _move(written, folder)
    return Exported(export.files, export.left_out)


def _stem_of(video: VideoInfo, stem: str | None) -> str:
    return stem or short_stem(video.path.stem)


def export_captions(
    captions: Captions,
    folder: Path,
    formats: Sequence[CaptionFormat] = CAPTION_FORMATS,
    *,
    stem: str | None = None,
) -> Mapping[str, Path]:
    """Save what is said part by part in some formats.

    Args:
        captions: What was said.
        folder: Where to; it exists. Older files of these names are replaced.
        formats: Which; ``captions.caption_formats_named`` finds them.
        stem: What the files' names begin with; None is the video's name.

    Returns:
        What was saved, by the format's name.

    Raises:
        RenderError: A file can't be made or written; none is left then.
    """
    stem = _stem_of(captions.video, stem)
    names = {each.name: f"{stem}{each.ending}" for each in formats}
    with plain_errors(), _scratch(folder) as scratch:
        written = [scratch / names[each.name] for each in formats]
        for each, path in zip(formats, written, strict=True):
            path.write_bytes(each.content(captions))
        _move(written, folder)
    return {name: folder / file for name, file in names.items()}


@dataclass(frozen=True)
class _Item:
    """One file to write."""

    format: ExportFormat
    key: str
    mark: str
    work: Work


class _Export:
    """What is to be written, and under which names."""

    def __init__(
        self,
        works: Sequence[Work],
        folder: Path,
        formats: Sequence[ExportFormat],
        stem: str,
    ) -> None:
        answers = tuple(answer for work in works for answer in work.answers)
        self._video = answers[0].video
        self._stem = stem
        self._wants_zip = ZIP in formats
        needed = [each for each in FORMATS if self._wants_zip or each in formats]
        refused = {each: each.why_not(answers) for each in needed}
        self.left_out = {
            each.name: reason
            for each, reason in refused.items()
            if reason is not None and each in formats
        }
        self._items = [
            item
            for each in needed
            if refused[each] is None and each is not ZIP
            for item in _items(each, works)
        ]
        self._kept = [item for item in self._items if item.format in formats]
        self.files = {item.key: folder / self._name(item) for item in self._kept}
        if self._wants_zip:
            self.files[ZIP.key] = folder / f"{stem}{ZIP.ending}"

    def _name(self, item: _Item) -> str:
        return f"{self._stem}{item.mark}{item.format.ending}"

    def _member(self, item: _Item) -> str:
        """The name inside the ZIP, which any system can unpack."""
        stem = safe_stem(self._video.path.name)
        return f"{stem}{item.mark}{item.format.ending}"

    def write(
        self,
        folder: Path,
        options: ClipOptions,
        on_progress: Progress | None,
        cancelled: Cancelled | None,
    ) -> list[Path]:
        """Write all files; returns those that were asked for."""
        clips = [item for item in self._items if item.key.startswith("clip")]
        for item in self._items:
            if cancelled is not None and cancelled():
                raise CancelledError("Stopped.")
            work = replace(
                item.work,
                files=self.files,
                options=options,
                cancelled=cancelled,
            )
            if item in clips and on_progress is not None:
                share = _share(on_progress, clips.index(item), len(clips))
                work = replace(work, on_progress=share)
            item.format.write(work, folder / self._name(item))
        written = [folder / self._name(item) for item in self._kept]
        if self._wants_zip:
            written.append(folder / f"{self._stem}{ZIP.ending}")
            write_zip(written[-1], self._members(folder))
        return written

    def _members(self, folder: Path) -> dict[str, Path | bytes]:
        names = {item.key: self._member(item) for item in self._items}
        return {
            names[item.key]: json_bytes(
                without_folders(grounding_to_dict(item.work.answers[0], names)),
                names[item.key],
            )
            if item.format.key == "grounding"
            else folder / self._name(item)
            for item in self._items
        }


def _items(each: ExportFormat, works: Sequence[Work]) -> Iterator[_Item]:
    if len(works) == 1:
        yield _Item(each, each.key, "", works[0])
        return
    if not each.single:
        answers = tuple(answer for work in works for answer in work.answers)
        yield _Item(each, each.key, "", Work(answers))
        return
    for number, work in enumerate(works, 1):
        if each.why_not(work.answers) is None:
            key = each.key if number == 1 else f"{each.key}_{number}"
            yield _Item(each, key, f"_{number}", work)


def _share(on_progress: Progress, number: int, count: int) -> Progress:
    return lambda fraction: on_progress((number + fraction) / count)


def without_folders(data: dict[str, Any]) -> dict[str, Any]:
    """An answer's JSON without this machine's folders, fit to be passed on."""
    video = {**data["video"], "path": plain_line(Path(data["video"]["path"]).name)}
    files = {key: Path(path).name for key, path in data.get("files", {}).items()}
    return {**data, "video": video, **({"files": files} if "files" in data else {})}


@contextmanager
def plain_errors() -> Iterator[None]:
    """Say in a plain line why files can't be written."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or error
        raise RenderError(
            "The results can't be written: {reason}.", reason=reason
        ) from error


@contextmanager
def _scratch(folder: Path) -> Iterator[Path]:
    # Beside the results, so that the last step is a rename within one disk.
    with tempfile.TemporaryDirectory(
        prefix=".stablechat-", dir=folder, ignore_cleanup_errors=True
    ) as scratch:
        yield Path(scratch)


def _move(written: Sequence[Path], folder: Path) -> None:
    """Put finished files under their names; takes them away again if one can't be."""
    moved: list[Path] = []
    try:
        for path in written:
            os.replace(path, folder / path.name)
            moved.append(folder / path.name)
    except OSError:
        for path in moved:
            path.unlink(missing_ok=True)
        raise
