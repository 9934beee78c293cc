"""Answers as files: our own JSON and back, and the formats of other programs."""

from __future__ import annotations

from render.exports.answers import (
    MAX_JSON_BYTES,
    description_to_dict,
    grounding_from_dict,
    grounding_to_dict,
    load_grounding,
)
from render.exports.captions import (
    CAPTION_FORMATS,
    CaptionFormat,
    caption_formats_named,
    captions_from_dict,
    captions_to_dict,
)
from render.exports.files import write_json
from render.exports.moments import searches_to_dict
from render.exports.registry import FORMATS, ExportFormat, formats_named
from render.exports.saving import (
    Exported,
    export_answers,
    export_captions,
    without_folders,
)
from render.exports.videos import video_to_dict
from render.exports.words import safe_stem, short_stem

__all__ = [
    "CAPTION_FORMATS",
    "FORMATS",
    "MAX_JSON_BYTES",
    "CaptionFormat",
    "ExportFormat",
    "Exported",
    "caption_formats_named",
    "captions_from_dict",
    "captions_to_dict",
    "description_to_dict",
    "export_answers",
    "export_captions",
    "formats_named",
    "grounding_from_dict",
    "grounding_to_dict",
    "load_grounding",
    "safe_stem",
    "searches_to_dict",
    "short_stem",
    "video_to_dict",
    "without_folders",
    "write_json",
]
