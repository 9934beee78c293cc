"""The files of an answer: the clip and the JSON at once, the other formats on request.

No Gradio.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from render.exports import (
    CAPTION_FORMATS,
    FORMATS,
    export_answers,
    export_captions,
    safe_stem,
)
from render.exports.archive import write_zip
from render.exports.saving import plain_errors
from stablechat.errors import InputError
from stablechat.types import Captions, Grounding
from ui.jobs import Job
from ui.outcomes import Outcome
from ui.together import Together

#: Written with every answer.
_USUAL = ("mp4", "json")
#: Holds all the others.
ALL = "zip"


@dataclass(frozen=True)
class ResultFile:
    """A file to download.

    Attributes:
        format: Its name in :data:`render.exports.FORMATS`.
        path: Where it is.
        size_bytes: Its size.
    """

    format: str
    path: Path
    size_bytes: int


@dataclass(frozen=True)
class ResultFiles:
    """All files of an answer.

    Attributes:
        files: The one that holds all others first.
        left_out: Formats that there can't be of this answer, with the reason.
    """

    files: tuple[ResultFile, ...]
    left_out: Mapping[str, str]


def write_files(
    result: Outcome | Together | None, folder: Path, job: Job[Any]
) -> ResultFiles:
    """Write an answer in every format; called in the job's thread.

    Args:
        result: What there is already; its clips are not cut once more.
        folder: Where to; made if it is not there.
        job: Says when to stop.

    Returns:
        The files.

    Raises:
        InputError: It is a description, which has no other formats.
        StableChatError: With one plain line; no file is left then.
        CancelledError: Stop was pressed.
    """
    outcomes = result.outcomes if isinstance(result, Together) else (result,)
    known = [each for each in outcomes if each is not None]
    for each in known:
        if isinstance(each.answer, Captions):
            return _caption_files(each, each.answer, folder)
    answers = [each.answer for each in known if isinstance(each.answer, Grounding)]
    if result is None or not answers:
        raise InputError("A description has no other formats.")
    folder.mkdir(exist_ok=True)
    done = export_answers(
        answers,
        folder,
        [each for each in FORMATS if each.name not in _USUAL],
        stem=safe_stem(answers[0].video.path.name),
        options=known[0].options,
        clips=[_clip_path(each) for each in known],
        cancelled=job.cancelled,
    )
    paths = {each.name: done.files.get(each.key) for each in FORMATS}
    paths["json"] = result.json_path
    paths["mp4"] = _clip_path(result)
    return ResultFiles(tuple(_files(paths)), _left_out(answers))


def _caption_files(outcome: Outcome, captions: Captions, folder: Path) -> ResultFiles:
    """What happens part by part has formats of its own."""
    folder.mkdir(exist_ok=True)
    others = [each for each in CAPTION_FORMATS if each.name not in _USUAL]
    stem = safe_stem(captions.video.path.name)
    saved = export_captions(captions, folder, others, stem=stem)
    files = {"json": outcome.json_path, **saved}
    archive = folder / f"{stem}_captions.zip"
    with plain_errors():
        write_zip(archive, {path.name: path for path in files.values()})
    return ResultFiles(tuple(_files({ALL: archive, **files})), {})


def _files(paths: Mapping[str, Path | None]) -> Iterator[ResultFile]:
    order = sorted(paths, key=lambda name: (name != ALL, name not in _USUAL))
    for name in order:
        path = paths[name]
        if path is not None:
            yield ResultFile(name, path, path.stat().st_size)


def _clip_path(result: Outcome | Together) -> Path | None:
    return None if result.clip is None else result.clip.path


def _left_out(answers: Sequence[Grounding]) -> dict[str, str]:
    reasons = {each.name: each.why_not(answers) for each in FORMATS}
    return {name: reason for name, reason in reasons.items() if reason is not None}
