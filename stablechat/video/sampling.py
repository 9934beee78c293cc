"""Picking evenly spaced frames, exact to the picture."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace

import numpy as np

from stablechat.errors import InputError, LimitError, VideoError
from stablechat.indices import even_indices
from stablechat.types import FrameArray, FrameSample, IntArray, TimeSpan, VideoInfo
from stablechat.video._damage import signs_of_damage
from stablechat.video._inspect import TASKS_MODULE, inspect
from stablechat.video._open import PathLike, printable_name
from stablechat.video._timeline import Timeline
from stablechat.video.handover import read_in_child
from stablechat.video.isolation import Cancelled, Message, SharedMemory
from stablechat.video.isolation.wire import Array
from stablechat.video.limits import VideoLimits
from stablechat.video.orient import Orientation
from stablechat.video.probe import probe

DEFAULT_NUM_FRAMES = 100  # what the model was trained with
MAX_SAMPLE_BYTES = 4 << 30  # of one sample's pictures
_MAX_NUMBER = int(np.iinfo(np.int64).max)  # that an array of numbers can hold

Progress = Callable[[float], None]


def sample_frames(
    video: VideoInfo | PathLike,
    num_frames: int = DEFAULT_NUM_FRAMES,
    *,
    span: TimeSpan | None = None,
    size: tuple[int, int] | None = None,
    on_progress: Progress | None = None,
    cancelled: Cancelled | None = None,
    limits: VideoLimits | None = None,
) -> FrameSample:
    """Take frames spread evenly over a video, by number and not by time.

    Frame ``i`` of ``n`` is picture ``first + round(i / (n - 1) * (count - 1))``, so the
    first and the last picture are always in it, and pictures repeat where there are
    fewer than ``n``. One frame is the first picture. A picture that can't be decoded
    is replaced by the one still on screen, under that one's own number and time; the
    warnings of the sample's video then say so.

    Args:
        video: What :func:`probe` said, or a path.
        num_frames: How many, at least 1.
        span: Only pictures that begin inside it (both ends included; if none does,
            the one on screen at its start); None for the whole video.
        size: ``(width, height)`` to scale every picture to, whatever its aspect, with
            a bicubic filter as it is decoded; None for the displayed size.
        on_progress: Called with the share that is done, 0..1.
        cancelled: Asked between pictures; decoding ends when it says True.
        limits: What to refuse; None for this process's limits.

    Returns:
        The frames with their numbers and their times on the container's clock.

    Raises:
        VideoError: If the video can't be read.
        InputError: If ``num_frames``, ``span`` or ``size`` is out of range.
        LimitError: If the frames would take too much memory at this size.
        CancelledError: If ``cancelled`` said so.
    """
    info = _info(video, limits, cancelled)
    timeline = inspect(info.path, limits, cancelled=cancelled).timeline
    wanted = even_indices(*indices_in_span(timeline, span), num_frames)
    return _sample(info, timeline, wanted, size, limits, on_progress, cancelled)


def frames_at(
    video: VideoInfo | PathLike,
    times_seconds: Sequence[float],
    *,
    size: tuple[int, int] | None = None,
    on_progress: Progress | None = None,
    cancelled: Cancelled | None = None,
    limits: VideoLimits | None = None,
) -> FrameSample:
    """Take the pictures that are on screen at given moments.

    Args:
        video: What :func:`probe` said, or a path.
        times_seconds: Seconds on the container's clock, never decreasing, at least
            one; outside the video the first or the last picture is taken.
        size: As in :func:`sample_frames`.
        on_progress: As in :func:`sample_frames`.
        cancelled: As in :func:`sample_frames`.
        limits: What to refuse; None for this process's limits.

    Returns:
        One frame for each moment, with its number and its own time.

    Raises:
        VideoError: If the video can't be read.
        InputError: If ``times_seconds`` or ``size`` can't be used.
        LimitError: If the frames would take too much memory at this size.
        CancelledError: If ``cancelled`` said so.
    """
    times = np.asarray(times_seconds, np.float64)
    if times.ndim != 1 or not times.size or not np.all(np.diff(times) >= 0):
        raise InputError("times_seconds must be numbers that never decrease.")
    info = _info(video, limits, cancelled)
    timeline = inspect(info.path, limits, cancelled=cancelled).timeline
    wanted = np.array([timeline.index_at(time) for time in times.tolist()], np.int64)
    return _sample(info, timeline, wanted, size, limits, on_progress, cancelled)


def _info(
    video: VideoInfo | PathLike,
    limits: VideoLimits | None,
    cancelled: Cancelled | None,
) -> VideoInfo:
    if isinstance(video, VideoInfo):
        return video
    return probe(video, limits, cancelled=cancelled)


def _sample(
    info: VideoInfo,
    timeline: Timeline,
    wanted: IntArray,
    size: tuple[int, int] | None,
    limits: VideoLimits | None,
    on_progress: Progress | None,
    cancelled: Cancelled | None,
) -> FrameSample:
    """Decode the pictures with these numbers, in a process of their own."""
    width, height = checked_size(info, size)
    _check_memory(len(wanted), width, height)
    unique = np.unique(wanted)
    shape = (len(unique), height, width, 3)
    with ExitStack() as closing:
        memory = _lent_memory(math.prod(shape), closing)
        tray = _Tray(printable_name(info.path), shape, memory, on_progress)
        read_in_child(
            TASKS_MODULE,
            Message({"task": "pictures", "size": [width, height]}, [unique]),
            info.path,
            limits=limits,
            memory=memory,
            on_message=tray.take,
            cancelled=cancelled,
        )
    numbers = tray.checked_numbers(len(timeline))
    rows = np.searchsorted(unique, wanted)
    damage = signs_of_damage(numbers != unique, tray.damaged)
    return FrameSample(
        video=replace(info, warnings=tuple(dict.fromkeys([*info.warnings, *damage]))),
        frames=tray.pictures if len(unique) == len(wanted) else tray.pictures[rows],
        indices=numbers[rows],
        pts_seconds=timeline.seconds[numbers[rows]],
    )


def _lent_memory(num_bytes: int, closing: ExitStack) -> SharedMemory | None:
    """Memory that the child can fill; None where pictures must go through the pipe."""
    try:
        return closing.enter_context(SharedMemory(num_bytes))
    except OSError:
        return None


class _Tray:
    """Collects the pictures that a child makes, and believes none of its numbers."""

    def __init__(
        self,
        name: str,
        shape: tuple[int, ...],
        memory: SharedMemory | None,
        on_progress: Progress | None,
    ) -> None:
        self.pictures: FrameArray = (
            np.empty(shape, np.uint8)
            if memory is None
            else np.frombuffer(memory.buffer, np.uint8).reshape(shape)
        )
        self._is_shared = memory is not None
        self.damaged = np.zeros(shape[0], np.bool_)
        self._numbers: IntArray = np.full(shape[0], -1, np.int64)
        self._name = name
        self._on_progress = on_progress

    def take(self, message: Message) -> None:
        """Put one picture into its row, unless the child has.

        Raises:
            VideoError: If it has no row or another size.
        """
        if "row" not in message.data:
            return  # a sign of life
        row, number = message.data["row"], message.data.get("number")
        if type(row) is not int or type(number) is not int:
            raise self._nonsense()
        # A negative row would count backwards.
        if not (0 <= row < len(self.pictures) and 0 <= number <= _MAX_NUMBER):
            raise self._nonsense()
        if not self._is_shared:
            self.pictures[row] = self._checked_picture(message)
        self._numbers[row] = number
        self.damaged[row] = message.data.get("damaged") is True
        if self._on_progress is not None:
            self._on_progress((row + 1) / len(self.pictures))

    def _checked_picture(self, message: Message) -> Array:
        picture = message.arrays[0] if message.arrays else np.empty(0)
        if picture.dtype != np.uint8 or picture.shape != self.pictures.shape[1:]:
            raise self._nonsense()
        return picture

    def checked_numbers(self, num_frames: int) -> IntArray:
        """The pictures' numbers.

        Raises:
            VideoError: If a picture is missing, has no such number, or comes before
                the one in front of it.
        """
        numbers = self._numbers
        rising = np.all(np.diff(numbers) >= 0)
        if not rising or numbers[0] < 0 or numbers[-1] >= num_frames:
            raise self._nonsense()
        return numbers

    def _nonsense(self) -> VideoError:
        return VideoError(
            "{name} can't be decoded: what came out makes no sense. Check "
            "that it plays, or convert it to MP4.",
            name=self._name,
        )


def indices_in_span(timeline: Timeline, span: TimeSpan | None) -> tuple[int, int]:
    """Numbers of the first and the last picture that begin inside a span.

    Args:
        timeline: When each picture is shown.
        span: Seconds on the container's clock; None for everything.

    Returns:
        Both numbers; the picture on screen at the start, twice, if none begins inside.

    Raises:
        InputError: If the span begins after the end of the video.
    """
    if span is None:
        return 0, len(timeline) - 1
    if span.start_seconds > timeline.end_seconds + timeline.tolerance_seconds:
        raise InputError(
            "The span begins at {start_seconds:.2f} seconds and the video ends "
            "at {end_seconds:.2f}; choose an earlier one.",
            start_seconds=span.start_seconds,
            end_seconds=timeline.end_seconds,
        )
    first = timeline.first_at_or_after(span.start_seconds)
    last = timeline.index_at(span.end_seconds)
    if first > last:
        return (timeline.index_at(span.start_seconds),) * 2
    return first, last


def _check_memory(num_frames: int, width: int, height: int) -> None:
    if num_frames * width * height * 3 > MAX_SAMPLE_BYTES:
        raise LimitError(
            "{num_frames} frames of {width}x{height} pixels take more than "
            "{most_gib} GiB; give a smaller size or fewer frames.",
            num_frames=num_frames,
            width=width,
            height=height,
            most_gib=MAX_SAMPLE_BYTES >> 30,
        )


def orientation_of(info: VideoInfo) -> Orientation:
    """The turn that :func:`probe` found."""
    return Orientation(info.rotation, info.mirrored)


def checked_size(info: VideoInfo, size: tuple[int, int] | None) -> tuple[int, int]:
    """The size pictures are scaled to.

    Args:
        info: The video.
        size: ``(width, height)`` in pixels, or None for the displayed size.

    Returns:
        ``(width, height)``.

    Raises:
        InputError: If a side is less than 1.
    """
    if size is None:
        return info.width, info.height
    if min(size) < 1:
        raise InputError(
            "size must be at least 1x1, got {width}x{height}.",
            width=size[0],
            height=size[1],
        )
    return size
