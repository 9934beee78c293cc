"""What the commands print."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from stablechat.doubts import is_something_else, is_unsure
from stablechat.times import format_time
from stablechat.types import Grounding, VideoInfo

if TYPE_CHECKING:
    from stablechat.cli.asking import Answers
    from stablechat.cli.saving import Saved

_MAX_QUOTED_CHARACTERS = 300


def summary(answers: Answers, saved: Saved) -> str:
    """Answers for a person, a line for each thing to know.

    Args:
        answers: About one video.
        saved: What was written, and what could not be.
    """
    lines = _search_lines(answers) if answers.searches else _answer_lines(answers)
    lines += file_lines(saved.files)
    notes = [*(note for each in answers.groundings for note in each.issues)]
    lines += [f"note: {one_line(note)}" for note in (*_warnings(answers), *notes)]
    lines += [f"note: {note}" for note in left_out_notes(saved.left_out)]
    return "\n".join(dict.fromkeys(lines))


def file_lines(files: Mapping[str, Path]) -> list[str]:
    """A line for each file, whatever signs are in its name."""
    return [f"{name}: {plain_path(path)}" for name, path in sorted(files.items())]


def plain_path(path: Path) -> str:
    """A path in one line that tells a terminal nothing."""
    return re.sub(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]", "?", str(path))


def _answer_lines(answers: Answers) -> list[str]:
    several = len(answers.groundings) > 1
    lines = []
    for answer in answers.groundings:
        about = f"{one_line(answer.query)}: " if several else ""
        lines.append(f"{about}{_headline(answer)}{_own_words(answer)}")
        lines += [f"or: {_headline(other)}" for other in answer.alternatives]
    return lines


def _search_lines(answers: Answers) -> list[str]:
    lines = []
    for search in answers.searches:
        windows, moments = len(search.windows), search.num_moments
        lines.append(
            f"{one_line(search.query)}: {moments} moment{'' if moments == 1 else 's'} "
            f"in {windows} window{'' if windows == 1 else 's'}, the likeliest first."
        )
        lines += [
            f"{rank}. {_headline(moment.grounding)}{_own_words(moment.grounding)}"
            for rank, moment in enumerate(search.moments, 1)
        ]
    return lines


def _warnings(answers: Answers) -> tuple[str, ...]:
    return tuple(note for video in answers.videos for note in video.warnings)


def left_out_notes(left_out: Mapping[str, str]) -> list[str]:
    """A line for each export that there can't be."""
    return [f"There is no {name}: {reason}." for name, reason in left_out.items()]


def _headline(grounding: Grounding) -> str:
    boxes = 0 if grounding.tube is None else len(grounding.tube.times_seconds)
    told = f"{boxes} box{'' if boxes == 1 else 'es'}{_sure(grounding)}"
    unsure = is_unsure(grounding)
    found = "Probably not there: the surest guess is" if unsure else "Found"
    span = grounding.span
    if span is not None:
        start, end = (
            format_time(seconds, hours=True)
            for seconds in (span.start_seconds, span.end_seconds)
        )
        return f"{found} from {start} to {end} ({span.duration_seconds:.3f} s), {told}."
    if grounding.tube is not None:
        x1, y1, x2, y2 = (f"{value:.0f}" for value in grounding.tube.xyxy[0])
        moment = format_time(float(grounding.tube.times_seconds[0]), hours=True)
        box = f"({x1}, {y1}) to ({x2}, {y2})"
        return f"{found} at {moment} in the box {box}{_sure(grounding)}."
    said = one_line(grounding.generation.text)[:_MAX_QUOTED_CHARACTERS]
    return f"Could not find it. The model said: {said or '(nothing)'}"


def _own_words(grounding: Grounding) -> str:
    look = grounding.second_look
    if look is None:
        return ""
    words = one_line(look.words)[:_MAX_QUOTED_CHARACTERS]
    other = is_something_else(grounding)
    doubt = " To it that is not what was asked for." if other else ""
    return f" Asked what it found, the model says: {words}.{doubt}"


def _sure(grounding: Grounding) -> str:
    sure = grounding.confidence
    return "" if sure is None else f", confidence {sure:.0%}"


def video_fields(info: VideoInfo) -> dict[str, Any]:
    """All that is known of a video, as plain values."""
    return {
        field.name: _plain(getattr(info, field.name))
        for field in dataclasses.fields(info)
    }


def _plain(value: object) -> object:
    if isinstance(value, Path):
        return os.fsencode(value).decode("utf-8", "replace")
    return float(value) if isinstance(value, Fraction) else value


def to_json(data: dict[str, Any]) -> str:
    """Strict JSON."""
    return json.dumps(data, indent=2, allow_nan=False)


def one_line(text: str) -> str:
    """Text without line breaks and control characters."""
    return re.sub(r"[\s\x00-\x1f\x7f-\x9f]+", " ", text).strip()
