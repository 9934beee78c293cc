"""What is known of a file, and how it travels from the process that looked."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from stablechat.sentences import Sentence, sentence_data
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


#: How many arrays :func:`inspection_message` sends, and of what kind.
NUM_ARRAYS = 4
_ARRAY_KINDS = "ifii"

MAX_RATIO_DIGITS = 20  # of either number
MAX_TEXT_LENGTH = 600  # characters of a name or sentence that a child sends


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
        "look_warnings": [sentence_data(text) for text in look.warnings],
        "rates": [str(rate) for rate in header.rates],
        "has_audio": header.has_audio,
        "codec": header.codec,
        "container": header.container,
        "size_bytes": header.size_bytes,
        "end_seconds": timeline.end_seconds,
        "tick_seconds": timeline.tick_seconds,
        "by_time": timeline.by_time,
        "jumps": [[jump.position, jump.offset_seconds] for jump in timeline.jumps],
        "timeline_warnings": [sentence_data(text) for text in timeline.warnings],
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
    width, height = (_positive(side) for side in data["stored_size"])
    look = Look(
        stored_size=(width, height),
        aspect=_ratio(data["aspect"]),
        orientation=Orientation(_turn(data["rotation"]), bool(data["mirrored"])),
        pixel_format=_line(data["pixel_format"]),
        trial_ticks=tuple(None if t is None else int(t) for t in data["trial_ticks"]),
        warnings=_sentences(data["look_warnings"]),
    )
    header = Header(
        rates=tuple(_ratio(rate) for rate in data["rates"]),
        has_audio=bool(data["has_audio"]),
        codec=_line(data["codec"]),
        container=_line(data["container"]),
        size_bytes=_positive(data["size_bytes"]),
    )
    return Inspection(look, _checked_timeline(message), header)


def _checked_timeline(message: Message) -> Timeline:
    data, arrays = message.data, message.arrays[:NUM_ARRAYS]
    kinds = "".join(array.dtype.kind for array in arrays if array.ndim == 1)
    if kinds != _ARRAY_KINDS:
        raise ValueError(f"the decoder's answer makes no sense (arrays {kinds})")
    ticks, key_ticks, key_bytes = (arrays[k].astype(np.int64) for k in (0, 2, 3))
    seconds = arrays[1].astype(np.float64)
    end_seconds, tick_seconds = float(data["end_seconds"]), float(data["tick_seconds"])
    is_sane = (
        len(ticks) == len(seconds) > 0
        and len(key_ticks) == len(key_bytes)
        and bool(np.all(np.diff(ticks) >= 0) and np.all(np.diff(key_ticks) > 0))
        and bool(np.all(np.diff(seconds) >= 0))
        and 0 <= seconds[0] <= seconds[-1] <= end_seconds < math.inf
        and 0 < tick_seconds < math.inf
    )
    if not is_sane:  # no comparison with NaN is true
        raise ValueError("the decoder's answer makes no sense (times)")
    return Timeline(
        ticks=ticks,
        seconds=seconds,
        end_seconds=end_seconds,
        tick_seconds=tick_seconds,
        by_time=bool(data["by_time"]),
        key_ticks=key_ticks,
        key_bytes=key_bytes,
        jumps=tuple(ClockJump(int(at), float(by)) for at, by in data["jumps"]),
        warnings=_sentences(data["timeline_warnings"]),
    )


def _turn(value: object) -> int:
    if type(value) is not int or value not in (0, 90, 180, 270):
        raise ValueError(f"the decoder's answer makes no sense ({value!r:.40})")
    return value


def _positive(value: object) -> int:
    if type(value) is not int or value < 1:
        raise ValueError(f"the decoder's answer makes no sense ({value!r:.40})")
    return value


def _ratio(text: object) -> Fraction:
    """``"30000/1001"``; not all that a Fraction takes: ``"1e999999999"`` would hang."""
    above, _, below = str(text).partition("/")
    if max(len(above), len(below)) > MAX_RATIO_DIGITS:
        raise ValueError("the decoder's answer makes no sense (a ratio)")
    return Fraction(_positive(int(above)), _positive(int(below or 1)))


def _sentences(told: Iterable[object]) -> tuple[Sentence, ...]:
    """What was odd, fit to be shown."""
    return tuple(
        said if len(said) <= MAX_TEXT_LENGTH else Sentence(said[:MAX_TEXT_LENGTH])
        for said in map(Sentence.from_data, told)
    )


def _line(text: object) -> str:
    """A text as one line that can be shown."""
    return "".join(c for c in str(text) if c.isprintable())[:MAX_TEXT_LENGTH]
