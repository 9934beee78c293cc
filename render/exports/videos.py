"""What is known of a video as plain values, and back."""

from __future__ import annotations

import os
from fractions import Fraction
from pathlib import Path

from render.fields import Json, count, flag, number, string
from stablechat.errors import InputError
from stablechat.types import VideoInfo

#: Rates as people know them (30000/1001).
_MAX_FPS_DENOMINATOR = 1001

#: A hundred years; the number of pictures comes from it.
_MAX_SECONDS = 3.2e9


def video_to_dict(video: VideoInfo) -> Json:
    """What is known of a video as plain values."""
    return {
        "path": text_of(video.path),
        "width": video.width,
        "height": video.height,
        "duration_seconds": tidy(video.duration_seconds),
        "fps": tidy(float(video.fps)),
        "num_frames": video.num_frames,
        "start_seconds": tidy(video.start_seconds),
        "rotation": video.rotation,
        "has_audio": video.has_audio,
        "variable_frame_rate": video.variable_frame_rate,
        "codec": video.codec,
        "container": video.container,
        "warnings": list(video.warnings),
    }


def video_from_dict(data: Json) -> VideoInfo:
    """Rebuild what is known of a video; raises InputError as all here does."""
    fps = number(data, "fps")
    if not 0 < fps < 1e6:
        raise InputError(f"fps must be positive, got {fps}.")
    duration = number(data, "duration_seconds")
    if not 0 < duration <= _MAX_SECONDS:
        raise InputError(f"duration_seconds must be positive, got {duration}.")
    return VideoInfo(
        path=Path(string(data, "path")),
        width=count(data, "width"),
        height=count(data, "height"),
        rotation=count(data, "rotation", default=0),
        fps=Fraction(fps).limit_denominator(_MAX_FPS_DENOMINATOR) or Fraction(fps),
        num_frames=count(data, "num_frames", default=max(1, round(duration * fps))),
        duration_seconds=duration,
        start_seconds=number(data, "start_seconds", default=0.0),
        has_audio=flag(data, "has_audio"),
        codec=string(data, "codec", default=""),
        container=string(data, "container", default=""),
        variable_frame_rate=flag(data, "variable_frame_rate"),
    )


def tidy(value: float) -> float:
    """A microsecond is finer than any clock here and keeps files readable."""
    return round(float(value), 6)


def text_of(path: str | Path) -> str:
    """A path as text; bytes that are not UTF-8 become replacement characters."""
    return os.fsencode(path).decode("utf-8", "replace")
