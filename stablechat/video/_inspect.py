"""Everything there is to know about a file before its pictures are used, cached.

:func:`inspect` opens the file twice: once to decode the first pictures (size, turn,
and proof that it can be decoded), once to read the packets (which picture when).
"""

from __future__ import annotations

import os
from collections import OrderedDict
from dataclasses import dataclass
from fractions import Fraction
from threading import Lock

import av

from stablechat.errors import LimitError, VideoError
from stablechat.video._open import (
    DEFAULT_LIMITS,
    PathLike,
    Source,
    VideoLimits,
    check_file,
    check_pixels,
    foreign_errors,
    open_source,
    printable_name,
)
from stablechat.video._packets import DamageLog, decode_from_start
from stablechat.video._timeline import TRIAL_PICTURES, Timeline, build_timeline
from stablechat.video.orient import (
    Orientation,
    displayed_size,
    frame_orientation,
    sane_sample_aspect,
)

CACHE_SIZE = 16  # files; a two-hour video's timeline takes 4 MB

_cache: OrderedDict[tuple[object, ...], Inspection] = OrderedDict()
_cache_lock = Lock()


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


def inspect(path: PathLike, limits: VideoLimits = DEFAULT_LIMITS) -> Inspection:
    """Look at a file, or remember what was seen if it has not changed since.

    Args:
        path: The file.
        limits: What to refuse.

    Returns:
        What is known.

    Raises:
        VideoError: If it is not a video that can be decoded.
        LimitError: If it is over a limit.
    """
    status = check_file(path, limits)
    identity = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    key = (os.path.abspath(os.fsdecode(path)), *identity, limits)
    with _cache_lock:
        if key in _cache:
            _cache.move_to_end(key)
            return _cache[key]
    found = _inspect(path, limits)
    with _cache_lock:
        _cache[key] = found
        while len(_cache) > CACHE_SIZE:
            _cache.popitem(last=False)
    return found


def _inspect(path: PathLike, limits: VideoLimits) -> Inspection:
    name = printable_name(path)
    with foreign_errors(name, "decoded"), open_source(path, limits) as source:
        look = _look(source, limits)
        header = _read_header(source)
    with foreign_errors(name, "read"):
        timeline = build_timeline(path, limits, look.trial_ticks)
    _check_duration(name, timeline, limits)
    return Inspection(look, timeline, header)


def _check_duration(name: str, timeline: Timeline, limits: VideoLimits) -> None:
    longest = limits.max_duration_seconds
    if longest is not None and timeline.end_seconds > longest:
        raise LimitError(
            f"{name} lasts {timeline.end_seconds:.0f} seconds and the limit is "
            f"{longest:.0f}; cut out the part you ask about."
        )


def _look(source: Source, limits: VideoLimits) -> Look:
    frames: list[av.VideoFrame] = []
    log = DamageLog()
    for frame in decode_from_start(source, log):
        check_pixels(frame.width, frame.height, source.name, limits)
        frames.append(frame)
        if len(frames) == TRIAL_PICTURES:
            break
    if not frames:
        raise VideoError(
            f"No picture of {source.name} can be decoded; the file is damaged or "
            "protected. Convert it to MP4 or give another file."
        )
    warnings = ["Some pictures at the start are damaged."] if log.num_failed else []
    return _look_at(source, frames, limits, warnings)


def _look_at(
    source: Source,
    frames: list[av.VideoFrame],
    limits: VideoLimits,
    warnings: list[str],
) -> Look:
    orientation = frame_orientation(frames[0])
    if orientation is None:
        warnings.append("The display matrix is not a quarter turn and is ignored.")
    aspect = sane_sample_aspect(source.stream.sample_aspect_ratio)
    if aspect is None:
        warnings.append("The sample aspect ratio is absurd and is ignored.")
    look = Look(
        stored_size=(frames[0].width, frames[0].height),
        aspect=aspect or Fraction(1),
        orientation=orientation or Orientation(),
        pixel_format=frames[0].format.name,
        trial_ticks=tuple(frame.pts for frame in frames),
        warnings=tuple(warnings),
    )
    check_pixels(*look.displayed_size, source.name, limits)
    return look


def _read_header(source: Source) -> Header:
    stream = source.stream
    rates = (stream.average_rate, stream.guessed_rate, stream.base_rate)
    return Header(
        rates=tuple(rate for rate in rates if rate is not None and rate > 0),
        has_audio=any(_can_decode_audio(s) for s in source.container.streams.audio),
        codec=stream.codec_context.codec.canonical_name,
        container=source.container.format.name,
        size_bytes=source.size_bytes,
    )


def _can_decode_audio(stream: av.AudioStream) -> bool:
    context = stream.codec_context
    return context is not None and context.sample_rate > 0
