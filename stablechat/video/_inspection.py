"""What is known of a file, and how it travels from the process that looked."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from stablechat.video._timeline import Timeline
from stablechat.video.clock import ClockJump
from stablechat.video.isolation import Message
from stablechat.video.orient import Orientation, displayed_size


@dataclass(frozen=True)
class Look:
    """What the first pictures show.

    Attributes:
        stored_size: Width and height as coded, in pixels.
        aspect: Sample aspect ratio that is applied.
        orientation: The turn that is applied.
        pixel_format: FFmpeg's name.
        trial_ticks: Times of the first pictures, None where they have none.
        warnings: What was odd, one plain sentence each.
    """

    stored_size: tuple[int, int]
    aspect: Fraction
    orientation: Orientation
    pixel_format: str
    trial_ticks: tuple[int | None, ...]
    warnings: tuple[str, ...]

    @property
    def displayed_size(self) -> tuple[int, int]:
        """Width and height on the screen, in square pixels."""
        return displayed_size(self.stored_size, self.aspect, self.orientation)


@dataclass(frozen=True)
class Header:
    """What the header says that pictures and packets do not.

    Attributes:
        rates: Frame rates it names, the likeliest first.
        has_audio: Whether there is a sound track that can be decoded.
        codec: FFmpeg's name of the video codec.
        container: FFmpeg's name of the container.
        size_bytes: Size of the file.
    """

    rates: tuple[Fraction, ...]
    has_audio: bool
    codec: str
    container: str
    size_bytes: int


@dataclass(frozen=True)
class Inspection:
    """A file's first pictures, its timeline and its header."""

    look: Look
    timeline: Timeline
    header: Header


#: How many arrays :func:`inspection_message` sends.
NUM_ARRAYS = 4


def inspection_message(found: Inspection) -> Message:
    """What is known, as it crosses a process boundary."""
    look, timeline, header = found.look, found.timeline, found.header
    data = {
        "stored_size": look.stored_size,
        "aspect": str(look.aspect),
        "rotation": look.orientation.rotation,
        "mirrored": look.orientation.mirrored,
        "pixel_format": look.pixel_format,
        "trial_ticks": look.trial_ticks,
        "look_warnings": look.warnings,
        "rates": [str(rate) for rate in header.rates],
        "has_audio": header.has_audio,
        "codec": header.codec,
        "container": header.container,
        "size_bytes": header.size_bytes,
        "end_seconds": timeline.end_seconds,
        "tick_seconds": timeline.tick_seconds,
        "by_time": timeline.by_time,
        "jumps": [[jump.position, jump.offset_seconds] for jump in timeline.jumps],
        "timeline_warnings": timeline.warnings,
    }
    arrays = [timeline.ticks, timeline.seconds, timeline.key_ticks, timeline.key_bytes]
    return Message(data, arrays)


def inspection_from(message: Message) -> Inspection:
    """The inverse of :func:`inspection_message`; believes nothing.

    Args:
        message: Its arrays may be followed by others.

    Raises:
        ValueError: If something is missing or of another kind.
    """
    try:
        return _checked_inspection(message)
    except (KeyError, TypeError, IndexError) as error:
        raise ValueError(f"the decoder's answer makes no sense ({error})") from error


def _checked_inspection(message: Message) -> Inspection:
    data = message.data
    width, height = (int(side) for side in data["stored_size"])
    look = Look(
        stored_size=(width, height),
        aspect=Fraction(str(data["aspect"])),
        orientation=Orientation(int(data["rotation"]), bool(data["mirrored"])),
        pixel_format=str(data["pixel_format"]),
        trial_ticks=tuple(None if t is None else int(t) for t in data["trial_ticks"]),
        warnings=tuple(str(text) for text in data["look_warnings"]),
    )
    header = Header(
        rates=tuple(Fraction(str(rate)) for rate in data["rates"]),
        has_audio=bool(data["has_audio"]),
        codec=str(data["codec"]),
        container=str(data["container"]),
        size_bytes=int(data["size_bytes"]),
    )
    ticks, seconds, key_ticks, key_bytes = message.arrays[:NUM_ARRAYS]
    if not (len(ticks) == len(seconds) > 0 and len(key_ticks) == len(key_bytes)):
        raise ValueError("the decoder's answer makes no sense (lengths)")
    timeline = Timeline(
        ticks=ticks.astype(np.int64),
        seconds=seconds.astype(np.float64),
        end_seconds=float(data["end_seconds"]),
        tick_seconds=float(data["tick_seconds"]),
        by_time=bool(data["by_time"]),
        key_ticks=key_ticks.astype(np.int64),
        key_bytes=key_bytes.astype(np.int64),
        jumps=tuple(ClockJump(int(at), float(by)) for at, by in data["jumps"]),
        warnings=tuple(str(text) for text in data["timeline_warnings"]),
    )
    return Inspection(look, timeline, header)
