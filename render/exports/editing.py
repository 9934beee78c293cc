"""Answers as timelines for video editors: OpenTimelineIO and CMX 3600 edit lists.

Each moment becomes a clip of the source, cut where the finished MP4 is cut, one after
the other. Times are frames counted from the start of the source. The source is named
without its folder: the file lies beside the video, or the editor asks where that is.

OpenTimelineIO's JSON is written here and not by its library: it takes seven plain
objects, and the library is compiled code that lags behind new versions of Python. The
tests read it with the library.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any
from urllib.parse import quote

from render.exports.frames import is_image
from render.exports.words import BY_HAND, plain_line, title_of
from render.plan import plan_cut
from stablechat.grounding import shown_span
from stablechat.types import Grounding, VideoInfo
from stablechat.video import Timeline

Json = dict[str, Any]

#: Frames a second: a timecode has two digits for the frame.
MAX_TIMECODE_RATE = 99
#: Where a programme begins by custom.
_RECORD_START_HOURS = 1
_MAX_TITLE_CHARACTERS = 60


@dataclass(frozen=True)
class _Cut:
    """A stretch of the source in frames.

    Attributes:
        title: What happens in it.
        start: First frame.
        length: Number of frames.
        confidence: Of the answer.
        source: Says so where a person corrected it; else None.
    """

    title: str
    start: int
    length: int
    confidence: float | None
    source: str | None


def _cuts(
    answers: Sequence[Grounding], timeline: Timeline
) -> tuple[list[_Cut], Fraction]:
    """The moments in frames of one rate, and the rate."""
    video = answers[0].video
    plans = [
        (answer, plan_cut(video, timeline.seconds, span))
        for answer in answers
        if (span := shown_span(answer)) is not None and not is_image(answer)
    ]
    # Parts of a video whose rate varies may have rates of their own.
    rate = max((plan.fps for _, plan in plans), default=video.fps)
    cuts = [
        _Cut(
            title_of(answer),
            round(plan.start_seconds * rate),
            max(1, round(plan.num_frames / plan.fps * rate)),
            answer.confidence,
            None if answer.original is None else BY_HAND,
        )
        for answer, plan in plans
    ]
    return cuts, rate


# --- OpenTimelineIO -------------------------------------------------------------


def otio(answers: Sequence[Grounding], timeline: Timeline) -> Json:
    """An OpenTimelineIO timeline (``.otio``).

    Args:
        answers: About one video, at least one.
        timeline: When the video shows which picture.

    Returns:
        Plain values: a video track, and one for the sound if there is any, with a clip
        for each moment, marked with its question. Without a moment the tracks are
        empty.
    """
    video = answers[0].video
    cuts, rate = _cuts(answers, timeline)
    clips = [_clip(cut, video, rate) for cut in cuts]
    kinds = ["Video", *(["Audio"] if video.has_audio else [])]
    tracks = [_track(kind, clips) for kind in kinds]
    return {
        "OTIO_SCHEMA": "Timeline.1",
        "name": _title(answers),
        "metadata": {},
        "global_start_time": None,
        "tracks": {**_item("Stack.1", "tracks"), "children": tracks},
    }


def _track(kind: str, clips: list[Json]) -> Json:
    return {**_item("Track.1", kind), "kind": kind, "children": clips}


def _clip(cut: _Cut, video: VideoInfo, rate: Fraction) -> Json:
    source_range = _time_range(cut.start, cut.length, rate)
    whole = round(video.duration_seconds * rate)
    reference = {
        "OTIO_SCHEMA": "ExternalReference.1",
        "name": plain_line(video.path.name),
        "metadata": {},
        "target_url": quote(plain_line(video.path.name)),
        "available_range": _time_range(0, max(whole, cut.start + cut.length), rate),
    }
    marker = {
        "OTIO_SCHEMA": "Marker.2",
        "name": cut.title,
        "metadata": {
            "stablechat": {"confidence": cut.confidence, "source": cut.source}
        },
        "comment": "",
        "color": "GREEN",
        "marked_range": source_range,
    }
    return {
        **_item("Clip.2", cut.title),
        "source_range": source_range,
        "markers": [marker],
        "media_references": {"DEFAULT_MEDIA": reference},
        "active_media_reference_key": "DEFAULT_MEDIA",
    }


def _item(schema: str, name: str) -> Json:
    """What everything on a timeline has."""
    return {
        "OTIO_SCHEMA": schema,
        "name": name,
        "metadata": {},
        "source_range": None,
        "effects": [],
        "markers": [],
        "enabled": True,
    }


def _time_range(start: int, length: int, rate: Fraction) -> Json:
    start_time, duration = (
        {"OTIO_SCHEMA": "RationalTime.1", "rate": float(rate), "value": float(frames)}
        for frames in (start, length)
    )
    return {
        "OTIO_SCHEMA": "TimeRange.1",
        "start_time": start_time,
        "duration": duration,
    }


# --- CMX 3600 -------------------------------------------------------------------


def edl(answers: Sequence[Grounding], timeline: Timeline) -> str:
    """A CMX 3600 edit decision list (``.edl``) in non-drop timecode.

    Args:
        answers: About one video, at least one.
        timeline: When the video shows which picture.

    Returns:
        The text: an event for each moment; without a moment only the head. Only right
        up to :data:`MAX_TIMECODE_RATE` frames a second.
    """
    cuts, exact_rate = _cuts(answers, timeline)
    rate = min(max(1, round(exact_rate)), MAX_TIMECODE_RATE)
    video = answers[0].video
    record = _RECORD_START_HOURS * 3600 * rate
    lines = [f"TITLE: {_title(answers)}", "FCM: NON-DROP FRAME"]
    for number, cut in enumerate(cuts, 1):
        frames = (cut.start, cut.start + cut.length, record, record + cut.length)
        record += cut.length
        channels = "AA/V" if video.has_audio else "V"
        times = " ".join(_timecode(frame, rate) for frame in frames)
        lines += [
            "",
            f"{number:03d}  AX       {channels:<5} C        {times}",
            f"* FROM CLIP NAME: {plain_line(video.path.name)}",
            f"* COMMENT: {cut.title}",
            *([] if cut.source is None else [f"* COMMENT: {cut.source}"]),
        ]
    return "\n".join(lines) + "\n"


def _timecode(frame: int, rate: int) -> str:
    seconds, frame = divmod(frame, rate)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}:{frame:02d}"


def _title(answers: Sequence[Grounding]) -> str:
    titles = dict.fromkeys(title_of(answer) for answer in answers)
    return "; ".join(titles)[:_MAX_TITLE_CHARACTERS]
