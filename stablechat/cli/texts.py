"""What the commands print."""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Mapping
from fractions import Fraction
from pathlib import Path
from typing import Any

from stablechat.times import format_time
from stablechat.types import Grounding, VideoInfo

_MAX_QUOTED_CHARACTERS = 300


def summary(
    grounding: Grounding, files: Mapping[str, Path], left_out: Mapping[str, str]
) -> str:
    """An answer for a person, a line for each thing to know.

    Args:
        grounding: The answer.
        files: What was written, by name.
        left_out: What was asked for and can't be had, with the reason.
    """
    lines = [_headline(grounding)]
    lines += [f"or: {_headline(other)}" for other in grounding.alternatives]
    lines += [f"{name}: {path}" for name, path in sorted(files.items())]
    notes = (*grounding.video.warnings, *grounding.issues, *left_out_notes(left_out))
    lines += [f"note: {note}" for note in notes]
    return "\n".join(lines)


def left_out_notes(left_out: Mapping[str, str]) -> list[str]:
    """A line for each export that there can't be."""
    return [f"There is no {name}: {reason}." for name, reason in left_out.items()]


def _headline(grounding: Grounding) -> str:
    boxes = 0 if grounding.tube is None else len(grounding.tube.times_seconds)
    told = f"{boxes} box{'' if boxes == 1 else 'es'}{_sure(grounding)}"
    span = grounding.span
    if span is not None:
        start, end = (
            format_time(seconds, hours=True)
            for seconds in (span.start_seconds, span.end_seconds)
        )
        return f"Found from {start} to {end} ({span.duration_seconds:.3f} s), {told}."
    if grounding.tube is not None:
        x1, y1, x2, y2 = (f"{value:.0f}" for value in grounding.tube.xyxy[0])
        moment = format_time(float(grounding.tube.times_seconds[0]), hours=True)
        box = f"({x1}, {y1}) to ({x2}, {y2})"
        return f"Found at {moment} in the box {box}{_sure(grounding)}."
    said = one_line(grounding.generation.text)[:_MAX_QUOTED_CHARACTERS]
    return f"Could not find it. The model said: {said or '(nothing)'}"


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
