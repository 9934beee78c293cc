"""Everything there is to know about a file before its pictures are used, cached.

:func:`inspect` opens the file twice: once to decode the first pictures (size, turn,
and proof that it can be decoded), once to read the packets (which picture when).
"""

from __future__ import annotations

import os
from collections import OrderedDict
from fractions import Fraction
from threading import Lock

import av

from stablechat.errors import LimitError, VideoError
from stablechat.video._inspection import Header, Inspection, Look, inspection_from
from stablechat.video._open import (
    PathLike,
    Source,
    check_file,
    check_pixels,
    foreign_errors,
    open_source,
    printable_name,
)
from stablechat.video._packets import DamageLog, decode_from_start
from stablechat.video._timeline import TRIAL_PICTURES, Timeline, build_timeline
from stablechat.video.isolation import Cancelled, Message, in_child, run_in_child
from stablechat.video.limits import VideoLimits, default_limits
from stablechat.video.orient import (
    Orientation,
    frame_orientation,
    sane_sample_aspect,
)

#: Where the child finds what it is to do; a name, because it imports this module.
TASKS_MODULE = "stablechat.video._tasks"

CACHE_SIZE = 16  # files; a two-hour video's timeline takes 4 MB

_cache: OrderedDict[tuple[object, ...], Inspection] = OrderedDict()
_cache_lock = Lock()


def inspect(
    path: PathLike,
    limits: VideoLimits | None = None,
    *,
    cancelled: Cancelled | None = None,
) -> Inspection:
    """Look at a file, or remember what was seen if it has not changed since.

    Args:
        path: The file.
        limits: What to refuse; None for this process's limits.
        cancelled: Asked often; True stops.

    Returns:
        What is known.

    Raises:
        VideoError: If it is not a video that can be decoded.
        LimitError: If it is over a limit.
        CancelledError: If ``cancelled`` said so.
    """
    limits = limits or default_limits()
    key = _cache_key(path, limits)
    with _cache_lock:
        if key in _cache:
            _cache.move_to_end(key)
            return _cache[key]
    if in_child():
        found = inspect_here(path, limits)
    else:
        found = _inspect_in_child(path, limits, cancelled)
    _keep(key, found)
    return found


def remember(path: PathLike, limits: VideoLimits, inspection: Inspection) -> None:
    """Take over what another process saw, if the file is still the same.

    Args:
        path: The file.
        limits: What was refused.
        inspection: What was seen.

    Raises:
        VideoError: If the file is gone.
    """
    _keep(_cache_key(path, limits), inspection)


def _cache_key(path: PathLike, limits: VideoLimits) -> tuple[object, ...]:
    status = check_file(path, limits)
    identity = (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    return (os.path.abspath(os.fsdecode(path)), *identity, limits)


def _keep(key: tuple[object, ...], found: Inspection) -> None:
    with _cache_lock:
        _cache[key] = found
        while len(_cache) > CACHE_SIZE:
            _cache.popitem(last=False)


def _inspect_in_child(
    path: PathLike, limits: VideoLimits, cancelled: Cancelled | None
) -> Inspection:
    name = printable_name(path)
    request = {"task": "inspect", "path": os.path.abspath(os.fsdecode(path))}
    answer = run_in_child(
        TASKS_MODULE,
        Message({**request, "limits": limits.as_dict()}),
        subject=name,
        limits=limits.child,
        cancelled=cancelled,
    )
    with foreign_errors(name, "read"):
        return inspection_from(answer)


def inspect_here(path: PathLike, limits: VideoLimits) -> Inspection:
    """Look at a file in this process; see :func:`inspect`."""
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
            "{name} lasts {end_seconds:.0f} seconds and the limit is "
            "{longest:.0f}; cut out the part you ask about.",
            name=name,
            end_seconds=timeline.end_seconds,
            longest=longest,
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
            "No picture of {name} can be decoded; the file is damaged or "
            "protected. Convert it to MP4 or give another file.",
            name=source.name,
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
