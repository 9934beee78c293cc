"""Stretches of time as plain values, and back."""

from __future__ import annotations

from render.fields import Json, number
from stablechat.errors import InputError
from stablechat.types import TimeSpan, VideoInfo


def span_to_dict(span: TimeSpan) -> Json:
    """A stretch of time; a microsecond is finer than any clock here."""
    return {
        "start_seconds": round(float(span.start_seconds), 6),
        "end_seconds": round(float(span.end_seconds), 6),
    }


def segment_to_dict(segment: TimeSpan | None) -> Json:
    """The part of the video that was looked at; nothing where it was all of it."""
    return {} if segment is None else {"segment": span_to_dict(segment)}


def span_from_dict(fields: Json, video: VideoInfo, name: str = "span") -> TimeSpan:
    """Rebuild a stretch of time; raises InputError if it is not in the video."""
    span = TimeSpan(number(fields, "start_seconds"), number(fields, "end_seconds"))
    if span.start_seconds > video.duration_seconds:
        raise InputError(
            f"{name} starts at {span.start_seconds} s, after the video's end at "
            f"{video.duration_seconds} s."
        )
    return span
