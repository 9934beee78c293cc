"""Answers with the files that were made of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from render.clipper import cut_clip
from render.encoding import DEFAULT_OPTIONS, ClipOptions
from render.exports import (
    captions_to_dict,
    description_to_dict,
    grounding_to_dict,
    safe_stem,
    without_folders,
    write_json,
)
from render.exports.frames import AnswerFrame, answer_frames, is_image
from render.exports.words import plain_line
from stablechat.grounding import shown_span
from stablechat.times import format_time
from stablechat.types import Captions, Clip, Description, Grounding
from stablechat.video import read_timeline
from ui.asks import Ask
from ui.jobs import Job
from ui.pictures import FrameFile, write_boxed_picture, write_key_frames

#: Pictures of an answer that are listed with their boxes; a file holds all.
MAX_LISTED_FRAMES = 300

#: What the model can have said.
Answer = Grounding | Description | Captions


@dataclass(frozen=True)
class Outcome:
    """An answer and its files.

    Attributes:
        answer: What the model said.
        clip: The annotated clip, when something was found.
        data: The answer as JSON data, without this machine's paths.
        json_path: That data in a file.
        text_path: A description, or what happens part by part, in a file.
        picture: The picture with its box, where the answer is about one.
        question: What was typed; empty for a plain description.
        key_frames: Pictures of the answer, when something was found.
        frames: The first pictures during the answer, with their boxes.
        options: How the clip was cut and drawn.
        elapsed_seconds: How long the answer took.
        rank: 1 for the likeliest answer, more where another one was chosen.
    """

    answer: Answer
    clip: Clip | None
    data: dict[str, Any]
    json_path: Path
    text_path: Path | None = None
    picture: Path | None = None
    question: str = ""
    key_frames: tuple[FrameFile, ...] = ()
    frames: tuple[AnswerFrame, ...] = ()
    options: ClipOptions = DEFAULT_OPTIONS
    elapsed_seconds: float = 0.0
    rank: int = 1

    @property
    def answers(self) -> tuple[Answer, ...]:
        """The one answer, as :class:`ui.together.Together` has several."""
        return (self.answer,)


def has_answer(answer: Grounding) -> bool:
    """Whether an answer says something; the time of ``svg`` was only asked about."""
    if answer.task == "svg":
        return answer.tube is not None
    return shown_span(answer) is not None


def usual_options(answer: Grounding, style: ClipOptions) -> ClipOptions:
    """How to draw an answer that is new.

    Args:
        answer: What the model called the event is its label, where nothing was asked.
        style: How the last clip was drawn; its own label was its own.
    """
    if answer.query:
        return replace(style, label_text=None)
    label = style.label and bool(answer.prose)
    return replace(style, label=label, label_text=answer.prose)


def write_grounding(
    answer: Grounding, options: ClipOptions, folder: Path, job: Job[Any]
) -> Outcome:
    stem = safe_stem(answer.video.path.name)
    clip: Clip | None = None
    key_frames: tuple[FrameFile, ...] = ()
    frames: tuple[AnswerFrame, ...] = ()
    if has_answer(answer):
        job.report("draw", 0.0)
        clip = cut_clip(
            answer,
            folder / f"{stem}_clip.mp4",
            options=options,
            on_progress=lambda fraction: job.report("draw", fraction),
            cancelled=job.cancelled,
        )
        key_frames = write_key_frames(answer, folder, options.style)
        # One more than are listed, so that the list can say that there are more.
        timeline = read_timeline(answer.video.path)
        frames = tuple(answer_frames(answer, timeline, MAX_LISTED_FRAMES + 1))
    data, json_path = _write_answer(
        answer, folder, {"clip": clip.path if clip else None}
    )
    return Outcome(
        answer,
        clip,
        data,
        json_path,
        question=answer.query,
        key_frames=key_frames,
        frames=frames,
        options=options,
    )


def write_picture_answer(answer: Grounding, folder: Path) -> Outcome:
    """What was found in one picture: that picture, no clip."""
    picture: Path | None = None
    frames: tuple[AnswerFrame, ...] = ()
    if has_answer(answer):
        picture = folder / f"{safe_stem(answer.video.path.name)}_picture.jpg"
        write_boxed_picture(answer, picture)
        path = answer.video.path
        timeline = None if is_image(answer) else read_timeline(path)
        frames = tuple(answer_frames(answer, timeline))
    data, json_path = _write_answer(answer, folder, {"picture": picture})
    return Outcome(
        answer,
        None,
        data,
        json_path,
        picture=picture,
        question=answer.query,
        frames=frames,
    )


def _write_answer(
    answer: Grounding, folder: Path, files: Mapping[str, Path | None]
) -> tuple[dict[str, Any], Path]:
    written = {key: path for key, path in files.items() if path is not None}
    data = without_folders(grounding_to_dict(answer, files=written))
    path = folder / f"{safe_stem(answer.video.path.name)}_grounding.json"
    write_json(path, data)
    return data, path


def write_description(ask: Ask, description: Description, folder: Path) -> Outcome:
    stem = safe_stem(ask.video.name)
    data = without_folders(description_to_dict(description))
    json_path = folder / f"{stem}_description.json"
    text_path = folder / f"{stem}_description.txt"
    write_json(json_path, data)
    text_path.write_text(description.text + "\n", encoding="utf-8", errors="replace")
    return Outcome(
        description,
        None,
        data,
        json_path,
        text_path=text_path,
        question=ask.question,
    )


def write_captions(ask: Ask, captions: Captions, folder: Path) -> Outcome:
    stem = safe_stem(ask.video.name)
    data = without_folders(captions_to_dict(captions))
    json_path = folder / f"{stem}_captions.json"
    text_path = folder / f"{stem}_captions.txt"
    lines = [
        f"{format_time(each.span.start_seconds, hours=True)} - "
        f"{format_time(each.span.end_seconds, hours=True)}  {plain_line(each.text)}\n"
        for each in captions.captions
    ]
    write_json(json_path, data)
    text_path.write_text("".join(lines), encoding="utf-8", errors="replace")
    return Outcome(
        captions,
        None,
        data,
        json_path,
        text_path=text_path,
        question=ask.question,
    )
