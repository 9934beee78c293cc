"""Writing what a command found."""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stablechat.cli.texts import left_out_notes
from stablechat.errors import InputError
from stablechat.folders import made_folder
from stablechat.grounding import shown_span
from stablechat.types import Grounding

if TYPE_CHECKING:
    from render.encoding import ClipOptions
    from render.exports import ExportFormat
    from stablechat.cli.asking import Answers

Report = Callable[[str, float], None]
Cancelled = Callable[[], bool]


@dataclass(frozen=True)
class Saved:
    """What was written.

    Attributes:
        files: By name.
        left_out: What was asked for and can't be had, with the reason.
    """

    files: Mapping[str, Path] = field(default_factory=dict)
    left_out: Mapping[str, str] = field(default_factory=dict)


NOTHING = Saved()


def save(
    answers: Answers,
    folder: Path,
    formats: Sequence[ExportFormat],
    report: Report,
    cancelled: Cancelled,
    *,
    usual: str,
    options: ClipOptions | None = None,
    merge: bool = False,
) -> Saved:
    """Write the usual files, as far as there is something to write, and the others.

    Args:
        answers: About one video.
        folder: Where to; made if it is not there.
        formats: What was asked for.
        report: Called with the stage and its share that is done.
        cancelled: Asked often.
        usual: Names of the formats that the command always writes.
        options: How clips are cut and drawn, if not as usual.
        merge: Whether to write all moments as one clip, too.
    """
    from render.encoding import DEFAULT_OPTIONS
    from render.exports import short_stem

    options = options or DEFAULT_OPTIONS
    stem = short_stem(answers.videos[0].path.stem)
    with made_folder(folder):
        done = _export(answers, folder, (usual, formats), options, report, cancelled)
        files, left_out = dict(done.files), dict(done.left_out)
        if merge and (shown := _in_order(answers)):
            files["merged"] = folder / f"{stem}_merged.mp4"
            _merge(shown, files["merged"], options, report, cancelled)
        elif merge:
            left_out["merged"] = "nothing was found"
        if answers.searches:
            files["moments"] = folder / f"{stem}_moments.json"
            _write_searches(answers, files)
    return Saved(files, left_out)


def check_not_others(folder: Path, video: Path) -> None:
    """Refuse to write over a film that no earlier run wrote.

    What it wrote lies beside its answers.

    Args:
        folder: Where the answers are to be written.
        video: What they are about.

    Raises:
        InputError: There is such a film.
    """
    from render.exports import short_stem

    stem = short_stem(video.stem)
    answers = ("grounding.json", "1_grounding.json", "moments.json")
    if any((folder / f"{stem}_{name}").exists() for name in answers):
        return
    for name in ("clip.mp4", "1_clip.mp4", "merged.mp4"):
        path = folder / f"{stem}_{name}"
        if path.exists():
            raise InputError(
                f"{path} is there already and is not from an earlier run; choose "
                "another --out."
            )


def remove_older(folder: Path, video: Path, saved: Saved) -> None:
    """Remove answers of an earlier run about a video that this one did not replace.

    A clip goes with the answer beside it, which says that a run wrote it.

    Raises:
        InputError: One can't be removed.
    """
    from render.exports import short_stem
    from render.exports.videos import text_of

    stem, kept = short_stem(video.stem), set(saved.files.values())
    ours = re.compile(re.escape(stem) + r"_(\d+_)?grounding\.json")
    try:
        for answer in [path for path in folder.iterdir() if ours.fullmatch(path.name)]:
            # Another video may be called "kitchen_1".
            if answer not in kept and _video_of(answer) == text_of(video.name):
                clip = answer.name.removesuffix("grounding.json") + "clip.mp4"
                answer.with_name(clip).unlink(missing_ok=True)
                answer.unlink()
    except OSError as error:
        raise InputError(
            f"What an earlier run wrote to {folder} can't be removed: "
            f"{error.strerror or error}."
        ) from error


def _video_of(answer: Path) -> str | None:
    """Name of the video that a file of ours is about; None for another file."""
    try:
        told = json.loads(answer.read_bytes())["video"]["path"]
        return str(os.path.basename(told))
    except (ValueError, KeyError, TypeError, RecursionError):
        return None


def _export(
    answers: Answers,
    folder: Path,
    formats: tuple[str, Sequence[ExportFormat]],
    options: ClipOptions,
    report: Report,
    cancelled: Cancelled,
) -> Saved:
    from render.exports import export_answers, formats_named

    usual, asked = formats
    if not answers.groundings:
        return Saved({}, {each.name: "nothing was found" for each in asked})
    done = export_answers(
        answers.groundings,
        folder,
        (*formats_named(usual), *asked),
        options=options,
        on_progress=lambda fraction: report("draw", fraction),
        cancelled=cancelled,
    )
    named = {each.name for each in asked}
    left_out = {name: why for name, why in done.left_out.items() if name in named}
    return Saved(done.files, left_out)


def _merge(
    shown: Sequence[Grounding],
    path: Path,
    options: ClipOptions,
    report: Report,
    cancelled: Cancelled,
) -> None:
    from render.clipper import merge_clips

    merge_clips(
        shown,
        path,
        options=options,
        on_progress=lambda fraction: report("merge", fraction),
        cancelled=cancelled,
    )


def _in_order(answers: Answers) -> list[Grounding]:
    """What can be shown, in the order of the video."""
    spans = [(shown_span(answer), answer) for answer in answers.groundings]
    known = [(span.start_seconds, answer) for span, answer in spans if span is not None]
    return [answer for _, answer in sorted(known, key=lambda each: each[0])]


def _write_searches(answers: Answers, files: Mapping[str, Path]) -> None:
    from render.exports import searches_to_dict, write_json

    write_json(files["moments"], searches_to_dict(answers.searches, files))


def answers_to_dict(answers: Answers, saved: Saved) -> dict[str, Any]:
    """The answer to one query, or its searches, and the files as plain values."""
    from render.exports import grounding_to_dict, searches_to_dict

    if answers.searches:
        return searches_to_dict(answers.searches, saved.files)
    (answer,) = answers.groundings
    return grounding_to_dict(answer, saved.files)


def print_notes(saved: Saved) -> None:
    """Tell on stderr what could not be written."""
    for note in left_out_notes(saved.left_out):
        print(f"note: {note}", file=sys.stderr)
