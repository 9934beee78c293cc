"""Every format that an answer can be saved in."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, TypeVar

from render.encoding import DEFAULT_OPTIONS, ClipOptions
from render.exports.answers import grounding_to_dict
from render.exports.coco import coco
from render.exports.editing import MAX_TIMECODE_RATE, edl, otio
from render.exports.files import json_bytes, text_bytes
from render.exports.frames import is_image
from render.exports.st_align import TASKS, has_row, st_align
from render.exports.subtitles import srt, vtt
from render.exports.tables import boxes_csv, moments_csv
from render.exports.vidor import vidor
from stablechat.errors import InputError
from stablechat.sentences import Sentence
from stablechat.types import Grounding
from stablechat.video import Timeline, read_timeline

Progress = Callable[[float], None]
Cancelled = Callable[[], bool]

ALL = "all"


@dataclass(frozen=True, eq=False)
class Work:
    """What is to be saved.

    Attributes:
        answers: About one video, at least one.
        files: Where the files will be, by their key.
        options: How a clip is cut and drawn; its style is the sheet's too.
        clip: A finished clip of the one answer, cut with these options; None cuts one.
        on_progress: Of a clip, 0..1.
        cancelled: Asked often.
    """

    answers: tuple[Grounding, ...]
    files: Mapping[str, Path] = field(default_factory=dict)
    options: ClipOptions = DEFAULT_OPTIONS
    clip: Path | None = None
    on_progress: Progress | None = None
    cancelled: Cancelled | None = None

    @cached_property
    def timeline(self) -> Timeline:
        """When the video shows which picture."""
        return read_timeline(self.answers[0].video.path)

    @property
    def frames_timeline(self) -> Timeline | None:
        """The same; None for a still image."""
        return None if is_image(self.answers[0]) else self.timeline


@dataclass(frozen=True)
class ExportFormat:
    """One kind of file.

    Attributes:
        name: What a person calls it, ``"srt"``.
        key: What it is called among an answer's files; for most the same.
        ending: Behind the video's name, ``"_moments.srt"``.
        title: What it is, in a few words.
        write: Writes the file; what can't be written raises RenderError.
        single: Whether a file holds one answer only.
        refusals: Each tells why there can be no such file, or None.
    """

    name: str
    key: str
    ending: str
    title: str
    write: Callable[[Work, Path], None]
    single: bool = False
    refusals: tuple[Callable[[Sequence[Grounding]], str | None], ...] = ()

    def why_not(self, answers: Sequence[Grounding]) -> str | None:
        """Why there can be no such file of some answers; None if there can."""
        reasons = (refuse(answers) for refuse in self.refusals)
        return next((reason for reason in reasons if reason is not None), None)


def _image(answers: Sequence[Grounding]) -> str | None:
    return "a still image has no time" if is_image(answers[0]) else None


def _nothing(answers: Sequence[Grounding]) -> str | None:
    found = any(answer.found for answer in answers)
    return None if found else "nothing was found"


def _no_row(answers: Sequence[Grounding]) -> str | None:
    if any(has_row(answer) for answer in answers):
        return None
    words = "it takes answers with a time and boxes, of task {tasks}"
    return Sentence(words, tasks=", ".join(TASKS))


def _too_fast(answers: Sequence[Grounding]) -> str | None:
    fps = answers[0].video.fps
    if round(fps) <= MAX_TIMECODE_RATE:
        return None
    words = "a timecode can't count {count} pictures a second; otio can"
    return Sentence(words, count=round(fps))


def _write_clip(work: Work, path: Path) -> None:
    if work.clip is not None:
        shutil.copyfile(work.clip, path)
        return
    from render.clipper import cut_clip  # brings MoviePy

    cut_clip(
        work.answers[0],
        path,
        options=work.options,
        on_progress=work.on_progress,
        cancelled=work.cancelled,
    )


def _write_sheet(work: Work, path: Path) -> None:
    from render.timeline import contact_sheet, save_picture

    save_picture(path, contact_sheet(work.answers[0], style=work.options.style))


def _write_answer(work: Work, path: Path) -> None:
    _write_data(path, grounding_to_dict(work.answers[0], work.files))


def _write_data(path: Path, data: dict[str, Any] | list[Any]) -> None:
    path.write_bytes(json_bytes(data, path.name))


def _data(
    make: Callable[[Work], dict[str, Any] | list[Any]],
) -> Callable[[Work, Path], None]:
    return lambda work, path: _write_data(path, make(work))


def _text(make: Callable[[Work], str]) -> Callable[[Work, Path], None]:
    return _table(lambda work: text_bytes(make(work)))


def _table(make: Callable[[Work], bytes]) -> Callable[[Work, Path], None]:
    def write(work: Work, path: Path) -> None:
        path.write_bytes(make(work))

    return write


def _write_nothing(work: Work, path: Path) -> None:
    raise AssertionError("A ZIP is packed from the other files.")


#: In the order in which they are written: the answer lists all the others but the ZIP.
FORMATS: tuple[ExportFormat, ...] = (
    ExportFormat(
        "mp4", "clip", "_clip.mp4", "the moment as a clip with boxes and sound",
        _write_clip, single=True, refusals=(_image, _nothing),
    ),
    ExportFormat(
        "png", "png", "_sheet.png", "key frames with boxes on one picture",
        _write_sheet, single=True, refusals=(_image, _nothing),
    ),
    ExportFormat(
        "csv", "csv", "_moments.csv", "a table of moments",
        _table(lambda work: moments_csv(work.answers)),
    ),
    ExportFormat(
        "boxes", "boxes", "_boxes.csv", "a table of boxes, one a picture",
        _table(lambda work: boxes_csv(work.answers, work.frames_timeline)),
    ),
    ExportFormat(
        "srt", "srt", "_moments.srt", "subtitles (SubRip)",
        _text(lambda work: srt(work.answers)), refusals=(_image,),
    ),
    ExportFormat(
        "vtt", "vtt", "_moments.vtt", "subtitles (WebVTT)",
        _text(lambda work: vtt(work.answers)), refusals=(_image,),
    ),
    ExportFormat(
        "coco", "coco", "_coco.json", "COCO-style annotations",
        _data(lambda work: coco(work.answers, work.frames_timeline)),
    ),
    ExportFormat(
        "vidor", "vidor", "_vidor.json", "VidOR-format annotations",
        _data(lambda work: vidor(work.answers, work.timeline)), refusals=(_image,),
    ),
    ExportFormat(
        "st-align", "st-align", "_st_align.json", "ST-Align-format annotations",
        _data(lambda work: st_align(work.answers, work.timeline)),
        refusals=(_image, _no_row),
    ),
    ExportFormat(
        "otio", "otio", "_moments.otio", "an editor's timeline (OpenTimelineIO)",
        _data(lambda work: otio(work.answers, work.timeline)), refusals=(_image,),
    ),
    ExportFormat(
        "edl", "edl", "_moments.edl", "an edit decision list (CMX 3600)",
        _text(lambda work: edl(work.answers, work.timeline)),
        refusals=(_image, _too_fast),
    ),
    ExportFormat(
        "json", "grounding", "_grounding.json", "the answer as StableChat reads it",
        _write_answer, single=True,
    ),
    ExportFormat(
        "zip", "zip", "_results.zip", "all of them in one file", _write_nothing,
    ),
)  # fmt: skip

_BY_NAME = {each.name: each for each in FORMATS}
ZIP = _BY_NAME["zip"]


def formats_named(names: str) -> tuple[ExportFormat, ...]:
    """Formats by their names.

    Args:
        names: Separated by commas, ``"srt,vtt"``; ``"all"`` is every one.

    Returns:
        Each once, in the order of :data:`FORMATS`.

    Raises:
        InputError: There is no such format.
    """
    return asked_formats(names, FORMATS)


class Named(Protocol):
    """Whatever has a name that ``--export`` may say."""

    @property
    def name(self) -> str:
        """What a person calls it."""


Format = TypeVar("Format", bound=Named)


def asked_formats(names: str, formats: Sequence[Format]) -> tuple[Format, ...]:
    """As :func:`formats_named`, of some formats.

    Raises:
        InputError: There is no such format among them.
    """
    known = [each.name for each in formats]
    asked = {name.strip().lower() for name in names.split(",")} - {""}
    unknown = sorted(asked - {*known, ALL})
    if unknown or not asked:
        said = repr(unknown[0]) if unknown else "without a name"
        raise InputError(
            "There is no export {said}; use {choices}.",
            said=said,
            choices=", ".join([*known, ALL]),
        )
    return tuple(each for each in formats if ALL in asked or each.name in asked)
