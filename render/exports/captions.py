"""What happens part by part: as JSON and back, and every format it is saved in."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import get_args

from render.exports.files import json_bytes, text_bytes
from render.exports.registry import asked_formats
from render.exports.spans import segment_to_dict, span_from_dict, span_to_dict
from render.exports.subtitles import captions_srt, captions_vtt
from render.exports.tables import captions_csv
from render.exports.videos import text_of, video_from_dict, video_to_dict
from render.fields import Json, as_object, as_strings, get, kind_of, one_of, string
from stablechat.errors import InputError
from stablechat.types import (
    Caption,
    Captions,
    FinishReason,
    Generation,
    VideoInfo,
)

#: Most parts of one file; a search has no more windows.
_MAX_PARTS = 10_000


@dataclass(frozen=True)
class CaptionFormat:
    """One kind of file.

    Attributes:
        name: What a person calls it, ``"srt"``.
        ending: Behind the video's name, ``"_captions.srt"``.
        content: The whole file.
    """

    name: str
    ending: str
    content: Callable[[Captions], bytes]


def captions_to_dict(
    captions: Captions, files: Mapping[str, str | Path] | None = None
) -> Json:
    """Captions as plain values that strict JSON can hold.

    Args:
        captions: What was said.
        files: What was written beside it, name to path.
    """
    return {
        "video": video_to_dict(captions.video),
        "question": captions.question,
        "model": captions.model,
        **segment_to_dict(captions.segment),
        "captions": [
            {
                **span_to_dict(each.span),
                "text": each.text,
                "finish_reason": each.generation.finish_reason,
            }
            for each in captions.captions
        ],
        "windows": [span_to_dict(window) for window in captions.windows],
        "issues": list(captions.issues),
        "files": {name: text_of(path) for name, path in (files or {}).items()},
    }


def captions_from_dict(data: object) -> Captions:
    """Rebuild captions from plain values that may come from anybody.

    Args:
        data: What :func:`captions_to_dict` made.

    Returns:
        The captions; the model's own text is not in the file, the words stand for it.

    Raises:
        InputError: If anything is missing, of the wrong type, not finite, unsorted, or
            outside the video.
    """
    top = as_object(data, "the file")
    video = video_from_dict(as_object(get(top, "video"), "video"))
    segment = top.get("segment")
    windows = [span_from_dict(each, video) for each in _objects(top, "windows")]
    return Captions(
        video=video,
        question=string(top, "question", default=""),
        captions=tuple(_caption(each, video) for each in _objects(top, "captions")),
        windows=tuple(windows),
        model=string(top, "model", default=""),
        issues=as_strings(top.get("issues", []), "issues"),
        segment=None
        if segment is None
        else span_from_dict(as_object(segment, "segment"), video, "segment"),
    )


def _objects(top: Json, key: str) -> list[Json]:
    values = get(top, key)
    if not isinstance(values, list):
        raise InputError(
            "{key} must be a list, got {kind}.", key=key, kind=kind_of(values)
        )
    if len(values) > _MAX_PARTS:
        raise InputError(
            "{key} holds {count} parts; at most {most}.",
            key=key,
            count=len(values),
            most=_MAX_PARTS,
        )
    return [as_object(each, key) for each in values]


def _caption(data: Json, video: VideoInfo) -> Caption:
    text = string(data, "text")
    ended = one_of(data, "finish_reason", get_args(FinishReason), default="stop")
    return Caption(span_from_dict(data, video), text, Generation(text, (), ended))


def _json(captions: Captions) -> bytes:
    return json_bytes(captions_to_dict(captions), captions.video.path.name)


#: In the order in which they are listed.
CAPTION_FORMATS: tuple[CaptionFormat, ...] = (
    CaptionFormat("json", "_captions.json", _json),
    CaptionFormat(
        "srt", "_captions.srt", lambda captions: text_bytes(captions_srt(captions))
    ),
    CaptionFormat(
        "vtt", "_captions.vtt", lambda captions: text_bytes(captions_vtt(captions))
    ),
    CaptionFormat("csv", "_captions.csv", captions_csv),
)


def caption_formats_named(names: str) -> tuple[CaptionFormat, ...]:
    """Formats by their names.

    Args:
        names: Separated by commas, ``"srt,vtt"``; ``"all"`` is every one.

    Returns:
        Each once, in the order of :data:`CAPTION_FORMATS`.

    Raises:
        InputError: There is no such format.
    """
    return asked_formats(names, CAPTION_FORMATS)
