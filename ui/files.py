"""The files of an answer: the clip and the JSON at once, the other formats on request.

No Gradio.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from render.exports import FORMATS, export_answers, safe_stem
from stablechat.errors import InputError
from stablechat.types import Grounding
from ui.jobs import Job
from ui.pipeline import Outcome

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


def write_files(outcome: Outcome, folder: Path, job: Job[ResultFiles]) -> ResultFiles:
    """Write an answer in every format; called in the job's thread.

    Args:
        outcome: What there is already; its clip is not cut once more.
        folder: Where to; made if it is not there.
        job: Says when to stop.

    Returns:
        The files.

    Raises:
        InputError: It is a description, which has no other formats.
        StableChatError: With one plain line; no file is left then.
        CancelledError: Stop was pressed.
    """
    answer = outcome.answer
    if not isinstance(answer, Grounding):
        raise InputError("A description has no other formats.")
    folder.mkdir(exist_ok=True)
    done = export_answers(
        answer,
        folder,
        [each for each in FORMATS if each.name not in _USUAL],
        stem=safe_stem(answer.video.path.name),
        options=outcome.options,
        clip=None if outcome.clip is None else outcome.clip.path,
        cancelled=job.cancelled,
    )
    paths = {each.name: done.files.get(each.key) for each in FORMATS}
    paths["json"] = outcome.json_path
    paths["mp4"] = None if outcome.clip is None else outcome.clip.path
    return ResultFiles(tuple(_files(paths)), _left_out(answer))


def _files(paths: Mapping[str, Path | None]) -> Iterator[ResultFile]:
    order = sorted(paths, key=lambda name: (name != ALL, name not in _USUAL))
    for name in order:
        path = paths[name]
        if path is not None:
            yield ResultFile(name, path, path.stat().st_size)


def _left_out(answer: Grounding) -> dict[str, str]:
    reasons = {each.name: each.why_not((answer,)) for each in FORMATS}
    return {name: reason for name, reason in reasons.items() if reason is not None}
