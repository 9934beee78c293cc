"""Answers as JSON and back. What is read is somebody else's file and is checked."""

from __future__ import annotations

import json
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import get_args

import numpy as np

from render.exports.looks import look_from_dict, look_to_dict
from render.exports.spans import segment_to_dict, span_from_dict, span_to_dict
from render.exports.videos import text_of, tidy, video_from_dict, video_to_dict
from render.fields import (
    Json,
    as_finite,
    as_object,
    as_strings,
    as_unit,
    flag,
    get,
    kind_of,
    number,
    one_of,
    string,
)
from stablechat.doubts import is_unsure
from stablechat.errors import InputError
from stablechat.parser import parse_answer
from stablechat.types import (
    Description,
    FinishReason,
    Generation,
    Grounding,
    Task,
    TimeSpan,
    Tube,
    VideoInfo,
)
from stablechat.video import probe

#: A file larger than this is not an answer; it is refused before it is read.
MAX_JSON_BYTES = 16 * 1024 * 1024

#: Most boxes of one answer; the model writes 100, interpolated exports some thousands.
_MAX_BOXES = 100_000

#: Most other answers in a file.
_MAX_ALTERNATIVES = 100

#: Boxes may stick out of the picture by so many pixels, which is rounding.
_EDGE_PIXELS = 1.0

#: A tube may begin a little before its container does.
_MAX_EARLY_SECONDS = 1.0


def grounding_to_dict(
    grounding: Grounding, files: Mapping[str, str | Path] | None = None
) -> Json:
    """An answer as plain values, the content of ``grounding.json``.

    Args:
        grounding: The answer.
        files: What was written beside it, name to path.

    Returns:
        A dictionary that strict JSON can hold.
    """
    return {
        "video": video_to_dict(grounding.video),
        "query": grounding.query,
        "task": grounding.task,
        "model": grounding.model,
        **segment_to_dict(grounding.segment),
        **_answer_to_dict(grounding),
        "files": {name: text_of(path) for name, path in (files or {}).items()},
        "timings": _timings_to_dict(grounding.generation),
        "alternatives": _alternatives_to_list(grounding),
        **_original_to_dict(grounding.original),
    }


def _alternatives_to_list(grounding: Grounding) -> list[Json]:
    return [
        {**_answer_to_dict(other), "timings": _timings_to_dict(other.generation)}
        for other in grounding.alternatives
    ]


def _original_to_dict(original: Grounding | None) -> Json:
    """What is said of an answer that a person corrected, and only of such."""
    if original is None:
        return {}
    said = _answer_to_dict(original)
    said["alternatives"] = _alternatives_to_list(original)
    return {"corrected_by_hand": True, "original": said}


def _answer_to_dict(grounding: Grounding) -> Json:
    """What one answer to the question says."""
    span, generation = grounding.span, grounding.generation
    return {
        "span": None
        if span is None
        else {
            **span_to_dict(span),
            "duration_seconds": tidy(span.duration_seconds),
            "confidence": _tidy_or_none(grounding.span_confidence),
        },
        "boxes": _boxes_to_list(grounding.tube),
        "confidence": _tidy_or_none(grounding.confidence),
        "is_guess": is_unsure(grounding),
        **look_to_dict(grounding.second_look),
        "text": generation.text,
        "finish_reason": generation.finish_reason,
        "issues": list(grounding.issues),
    }


def _timings_to_dict(generation: Generation) -> Json:
    return {name: tidy(seconds) for name, seconds in generation.timings.items()}


def description_to_dict(description: Description) -> Json:
    """A description as plain values that strict JSON can hold."""
    generation = description.generation
    return {
        "video": video_to_dict(description.video),
        "question": description.question,
        "model": description.model,
        **segment_to_dict(description.segment),
        "text": description.text,
        "finish_reason": generation.finish_reason,
        "timings": _timings_to_dict(generation),
    }


def _boxes_to_list(tube: Tube | None) -> list[Json]:
    if tube is None:
        return []
    known = tube.confidence
    scores = [None] * len(tube.times_seconds) if known is None else map(tidy, known)
    return [
        {
            "time_seconds": tidy(time),
            "xyxy": [round(float(v), 3) for v in box],
            "confidence": score,
        }
        for time, box, score in zip(tube.times_seconds, tube.xyxy, scores, strict=True)
    ]


def _tidy_or_none(value: float | None) -> float | None:
    return None if value is None else tidy(value)


def grounding_from_dict(data: object) -> Grounding:
    """Rebuild an answer from plain values that may come from anybody.

    The ids of the model's tokens are not in the file and come back empty; the prose is
    read from the model's text again.

    Args:
        data: What :func:`grounding_to_dict` made.

    Returns:
        The answer.

    Raises:
        InputError: If anything is missing, of the wrong type, not finite, unsorted, or
            outside the video.
    """
    top = as_object(data, "the file")
    video = video_from_dict(as_object(get(top, "video"), "video"))
    answer = _ranked_answer(top, top, video)
    if not flag(top, "corrected_by_hand"):
        return answer
    said = as_object(get(top, "original"), "original")
    return replace(answer, original=_ranked_answer(top, said, video))


def _ranked_answer(top: Json, data: Json, video: VideoInfo) -> Grounding:
    """One answer with its alternatives."""
    others = data.get("alternatives", [])
    if not isinstance(others, list) or len(others) > _MAX_ALTERNATIVES:
        raise InputError(
            f"alternatives must be a list of at most {_MAX_ALTERNATIVES} answers."
        )
    answer = _answer(top, data, video)
    alternatives = [_answer(top, as_object(o, "an alternative"), video) for o in others]
    return replace(answer, alternatives=tuple(alternatives))


def _answer(top: Json, data: Json, video: VideoInfo) -> Grounding:
    """One answer: the question is the file's, the rest its own."""
    text = string(data, "text", default="")
    task: Task = one_of(top, "task", get_args(Task))
    span = get(data, "span")
    return Grounding(
        video=video,
        query=string(top, "query"),
        task=task,
        span=_span(span, video),
        tube=_tube(get(data, "boxes"), video),
        prose=parse_answer(text, task).prose,
        confidence=as_unit(data.get("confidence"), "confidence"),
        generation=Generation(
            text=text,
            token_ids=(),
            finish_reason=one_of(
                data, "finish_reason", get_args(FinishReason), default="stop"
            ),
            timings=_timings(data.get("timings", {})),
        ),
        issues=as_strings(data.get("issues", []), "issues"),
        model=string(top, "model", default=""),
        span_confidence=None
        if span is None
        else as_unit(as_object(span, "span").get("confidence"), "span's confidence"),
        segment=_span(top.get("segment"), video, "segment"),
        second_look=look_from_dict(data),
    )


def load_grounding(path: Path, video_path: Path) -> Grounding:
    """Read ``grounding.json`` for a video that is at hand.

    Args:
        path: The JSON file.
        video_path: The video the answer is about; it is probed again.

    Returns:
        The answer, with what the video really holds.

    Raises:
        InputError: If the file can't be read, is not an answer, or belongs to a video
            of another size or a shorter one.
        VideoError: If the video can't be read.
    """
    data = _read_json(Path(path))
    name = Path(path).name
    try:
        grounding = grounding_from_dict(data)
    except InputError as error:
        raise InputError(f"{name} is not an answer: {error}") from error
    video, told = probe(video_path), grounding.video
    if (video.width, video.height) != (told.width, told.height):
        raise InputError(
            f"{name} is about a video of {told.width}x{told.height} pixels "
            f"and this one has {video.width}x{video.height}; give the same video."
        )
    return _about(grounding, video, name)


def _about(grounding: Grounding, video: VideoInfo, name: str) -> Grounding:
    """An answer, and all that come with it, about a video that is at hand.

    Raises:
        InputError: One names a moment that the video has not.
    """
    span, tube = grounding.span, grounding.tube
    starts = [] if span is None else [span.start_seconds]
    if tube is not None:
        starts.append(float(tube.times_seconds[-1]) - float(1 / video.fps))
    late = max(starts, default=0.0)
    if late > 0 and late >= video.duration_seconds:
        raise InputError(
            f"{name} names a moment at {late:.2f} s and this video ends at "
            f"{video.duration_seconds:.2f} s; give the same video."
        )
    others = tuple(_about(each, video, name) for each in grounding.alternatives)
    original = grounding.original and _about(grounding.original, video, name)
    return replace(grounding, video=video, alternatives=others, original=original)


def _read_json(path: Path) -> object:
    def refuse(constant: str) -> object:
        raise InputError(f"{path.name} holds {constant}, which is not a number.")

    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):  # a pipe would never end
            raise InputError(f"{path.name} can't be read: it is not a file.")
        if status.st_size > MAX_JSON_BYTES:
            raise InputError(f"{path.name} is too large to be an answer.")
        return json.loads(path.read_bytes(), parse_constant=refuse)
    except OSError as error:
        raise InputError(
            f"{path.name} can't be read: {error.strerror or error}."
        ) from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path.name} is not JSON: {error}.") from error


def _span(data: object, video: VideoInfo, name: str = "span") -> TimeSpan | None:
    if data is None:
        return None
    return span_from_dict(as_object(data, name), video, name)


def _tube(data: object, video: VideoInfo) -> Tube | None:
    if not isinstance(data, list):
        raise InputError(f"boxes must be a list, got {kind_of(data)}.")
    if len(data) > _MAX_BOXES:
        raise InputError(f"boxes holds {len(data)} boxes; at most {_MAX_BOXES}.")
    if not data:
        return None
    boxes = [as_object(item, "a box") for item in data]
    scores = [as_unit(box.get("confidence"), "a box's confidence") for box in boxes]
    known = [s for s in scores if s is not None]
    if known and len(known) != len(scores):
        raise InputError("some boxes have a confidence and some have none.")
    times = [number(box, "time_seconds") for box in boxes]
    if min(times) < -_MAX_EARLY_SECONDS:
        raise InputError(f"a box is at {min(times):g} seconds, before the video.")
    return Tube(
        times_seconds=np.array(times),
        xyxy=np.array([_xyxy(box, video) for box in boxes]),
        confidence=np.array(known) if known else None,
    )


def _xyxy(data: Json, video: VideoInfo) -> list[float]:
    values = get(data, "xyxy")
    if not isinstance(values, list) or len(values) != 4:
        raise InputError(f"xyxy must be four numbers, got {kind_of(values)}.")
    box = [as_finite(v, "xyxy") for v in values]
    limits = (video.width, video.height, video.width, video.height)
    for value, limit in zip(box, limits, strict=True):
        if not -_EDGE_PIXELS <= value <= limit + _EDGE_PIXELS:
            raise InputError(
                f"the box {box} lies outside the {video.width}x{video.height} picture."
            )
    return box


def _timings(data: object) -> dict[str, float]:
    return {k: as_finite(v, "timings") for k, v in as_object(data, "timings").items()}
