"""StableChat: ask a video a question, get the moment, the box and the clip.

The public names are loaded on first use, so that importing a light part such as
``stablechat.parser`` pulls in neither torch nor a video library.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from stablechat.chat import StableChat
    from stablechat.errors import StableChatError
    from stablechat.types import (
        Caption,
        Captions,
        Clip,
        Description,
        FrameSample,
        Generation,
        GenerationConfig,
        Grounding,
        Moment,
        Moments,
        ParsedAnswer,
        TimeSpan,
        Tube,
        VideoInfo,
    )

__version__ = "0.1.0"

_HOMES = {
    "StableChat": "stablechat.chat",
    "StableChatError": "stablechat.errors",
    "Caption": "stablechat.types",
    "Captions": "stablechat.types",
    "Clip": "stablechat.types",
    "Description": "stablechat.types",
    "FrameSample": "stablechat.types",
    "Generation": "stablechat.types",
    "GenerationConfig": "stablechat.types",
    "Grounding": "stablechat.types",
    "Moment": "stablechat.types",
    "Moments": "stablechat.types",
    "ParsedAnswer": "stablechat.types",
    "TimeSpan": "stablechat.types",
    "Tube": "stablechat.types",
    "VideoInfo": "stablechat.types",
}

__all__ = [
    "Caption",
    "Captions",
    "Clip",
    "Description",
    "FrameSample",
    "Generation",
    "GenerationConfig",
    "Grounding",
    "Moment",
    "Moments",
    "ParsedAnswer",
    "StableChat",
    "StableChatError",
    "TimeSpan",
    "Tube",
    "VideoInfo",
]


def __getattr__(name: str) -> Any:
    """Resolve a public name on first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)
