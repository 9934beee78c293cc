"""What a stranger's video may cost before it is refused."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import asdict, dataclass, fields, replace
from typing import Any

from stablechat.errors import InputError
from stablechat.video.isolation import ChildLimits

#: Without any picture or packet for so long, the decoder is taken to hang.
STALL_SECONDS = 60.0

#: Limits that can't be taken away.
_ALWAYS = ("max_pixels", "max_image_pixels", "max_streams")


@dataclass(frozen=True)
class VideoLimits:
    """What is refused, and when reading a video is given up. None is no limit.

    Attributes:
        max_bytes: Largest file.
        max_duration_seconds: Longest video.
        max_frames: Most pictures of one video.
        max_pixels: Most pixels of one picture.
        max_image_pixels: Most pixels of a still image; it is the only one in memory.
        max_streams: Most streams (video, sound, subtitles, data) of one file.
        max_decode_seconds: Longest time to look at a file or image, to sample a video
            or to cut a clip from it, each.
        max_memory_bytes: Most address space of the process that decodes (Linux).

    Raises:
        InputError: If a limit is not a positive number.
    """

    max_bytes: int | None = 64 << 30
    max_duration_seconds: float | None = 24 * 3600.0
    max_frames: int | None = 24 * 3600 * 60
    max_pixels: int = 8192 * 4320
    max_image_pixels: int = 100_000_000
    max_streams: int = 100
    max_decode_seconds: float | None = 3600.0
    max_memory_bytes: int | None = 8 << 30

    def __post_init__(self) -> None:
        for name, value in self.as_dict().items():
            if value is None and name not in _ALWAYS:
                continue
            if not isinstance(value, int | float) or not 0 < value < math.inf:
                raise InputError(f"{name} must be a positive number, got {value!r}.")

    def as_dict(self) -> dict[str, Any]:
        """The limits by name, as JSON has them."""
        return asdict(self)

    @property
    def child(self) -> ChildLimits:
        """What binds the process that decodes."""
        return ChildLimits(
            max_seconds=self.max_decode_seconds,
            stall_seconds=STALL_SECONDS,
            max_memory_bytes=self.max_memory_bytes,
        )


_default = VideoLimits()


def default_limits() -> VideoLimits:
    """The limits that hold where a call names none."""
    return _default


def set_default_limits(limits: VideoLimits) -> None:
    """Choose the limits of this process, once, when a program starts."""
    global _default
    _default = limits


def limits_from_texts(texts: Iterable[str]) -> VideoLimits:
    """Read limits as a person types them on a command line.

    Args:
        texts: ``"max_frames=1000"``; ``none`` takes a limit away.

    Returns:
        The defaults with these changes.

    Raises:
        InputError: If one is not a limit or not a number.
    """
    names = {field.name: str(field.type) for field in fields(VideoLimits)}
    changes: dict[str, Any] = {}
    for text in texts:
        name, _, value = text.partition("=")
        if name not in names:
            raise InputError(
                f"{text!r} is not a limit; use NAME=NUMBER with one of "
                f"{', '.join(names)}."
            )
        changes[name] = _number(name, value, whole="int" in names[name])
    return replace(_default, **changes)


def _number(name: str, value: str, *, whole: bool) -> float | None:
    if value.lower() == "none":
        return None
    try:
        return int(value) if whole else float(value)
    except ValueError as error:
        kind = "a whole number" if whole else "a number"
        raise InputError(f"{name} must be {kind} or none, got {value!r}.") from error
