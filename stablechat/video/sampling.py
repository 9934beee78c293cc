"""Picking evenly spaced frames, exact to the picture."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

import numpy as np

from stablechat.errors import CancelledError, InputError, LimitError
from stablechat.types import FrameArray, FrameSample, IntArray, TimeSpan, VideoInfo
from stablechat.video._inspect import inspect
from stablechat.video._open import (
    DEFAULT_LIMITS,
    PathLike,
    VideoLimits,
    foreign_errors,
    printable_name,
)
from stablechat.video._pictures import Numbered, PictureStream, Playhead
from stablechat.video._timeline import Timeline
from stablechat.video.orient import Orientation, PictureConverter
from stablechat.video.probe import probe

DEFAULT_NUM_FRAMES = 100  # what the model was trained with
MAX_SAMPLE_BYTES = 4 << 30  # of one sample's pictures

Progress = Callable[[float], None]
Cancelled = Callable[[], bool]


def sample_frames(
    video: VideoInfo | PathLike,
    num_frames: int = DEFAULT_NUM_FRAMES,
    *,
    span: TimeSpan | None = None,
    size: tuple[int, int] | None = None,
    on_progress: Progress | None = None,
    cancelled: Cancelled | None = None,
    limits: VideoLimits = DEFAULT_LIMITS,
) -> FrameSample:
    """Take frames spread evenly over a video, by number and not by time.

    Frame ``i`` of ``n`` is picture ``first + round(i / (n - 1) * (count - 1))``, so the
    first and the last picture are always in it, and pictures repeat where there are
    fewer than ``n``. One frame is the first picture. A picture that can't be decoded
    is replaced by the one still on screen, under that one's own number and time.

    Args:
        video: What :func:`probe` said, or a path.
        num_frames: How many, at least 1.
        span: Only pictures that begin inside it (both ends included; if none does,
            the one on screen at its start); None for the whole video.
        size: ``(width, height)`` to scale every picture to, whatever its aspect, with
            a bicubic filter as it is decoded; None for the displayed size.
        on_progress: Called with the share that is done, 0..1.
        cancelled: Asked between pictures; decoding stops when it says True.
        limits: What to refuse.

    Returns:
        The frames with their numbers and their times on the container's clock.

    Raises:
        VideoError: If the video can't be read.
        InputError: If ``num_frames``, ``span`` or ``size`` is out of range.
        LimitError: If the frames would take too much memory at this size.
        CancelledError: If ``cancelled`` said so.
    """
    info = video if isinstance(video, VideoInfo) else probe(video, limits)
    timeline = inspect(info.path, limits).timeline
    wanted = even_indices(*indices_in_span(timeline, span), num_frames)
    width, height = checked_size(info, size)
    _check_memory(num_frames, width, height)
    unique = np.unique(wanted)
    work = _Work(
        timeline=timeline,
        converter=PictureConverter(orientation_of(info), (width, height)),
        wanted=unique.tolist(),
        pictures=np.empty((len(unique), height, width, 3), np.uint8),
        numbers=np.empty(len(unique), np.int64),
        on_progress=on_progress,
        cancelled=cancelled,
    )
    with (
        foreign_errors(printable_name(info.path), "decoded"),
        PictureStream(info.path, timeline, limits) as stream,
    ):
        work.fill(stream)
    rows = np.searchsorted(unique, wanted)
    numbers = work.numbers[rows]
    return FrameSample(
        video=info,
        frames=work.pictures if len(unique) == num_frames else work.pictures[rows],
        indices=numbers,
        pts_seconds=timeline.seconds[numbers],
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
            f"The span begins at {span.start_seconds:.2f} seconds and the video ends "
            f"at {timeline.end_seconds:.2f}; choose an earlier one."
        )
    first = timeline.first_at_or_after(span.start_seconds)
    last = timeline.index_at(span.end_seconds)
    if first > last:
        return (timeline.index_at(span.start_seconds),) * 2
    return first, last


def even_indices(first: int, last: int, num_frames: int) -> IntArray:
    """Numbers spread evenly from ``first`` to ``last``.

    Args:
        first: First number.
        last: Last number, at least ``first``.
        num_frames: How many, at least 1.

    Returns:
        int64 ``(num_frames,)``, never decreasing.

    Raises:
        InputError: If ``num_frames`` is less than 1.
    """
    if num_frames < 1:
        raise InputError(f"num_frames must be at least 1, got {num_frames}.")
    if num_frames == 1:
        return np.array([first], np.int64)
    # Python's round (half to even) on Python floats, exactly as upstream trained.
    steps = [round(i / (num_frames - 1) * (last - first)) for i in range(num_frames)]
    return np.array(steps, np.int64) + first


def _check_memory(num_frames: int, width: int, height: int) -> None:
    if num_frames * width * height * 3 > MAX_SAMPLE_BYTES:
        raise LimitError(
            f"{num_frames} frames of {width}x{height} pixels take more than "
            f"{MAX_SAMPLE_BYTES >> 30} GiB; give a smaller size or fewer frames."
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
        raise InputError(f"size must be at least 1x1, got {size[0]}x{size[1]}.")
    return size


class _SeekMissed(Exception):
    """A seek went by the picture that was wanted."""


@dataclass(frozen=True)
class _Work:
    """One sampling: what is wanted and who is told."""

    timeline: Timeline
    converter: PictureConverter
    wanted: list[int]
    pictures: FrameArray
    numbers: IntArray
    on_progress: Progress | None
    cancelled: Cancelled | None

    def fill(self, stream: PictureStream) -> None:
        """Decode the wanted pictures; all over again without seeks if one misses."""
        try:
            self._fill_with(self._by_seeking(stream))
        except _SeekMissed:
            everything = Playhead(self._watched(stream.pictures_from_start()))
            self._fill_with(map(everything.go_to, self.wanted))

    def _fill_with(self, found: Iterable[Numbered]) -> None:
        for row, (number, frame) in enumerate(found):
            self.pictures[row] = self.converter.view(frame)
            self.numbers[row] = number
            if self.on_progress is not None:
                self.on_progress((row + 1) / len(self.wanted))

    def _by_seeking(self, stream: PictureStream) -> Iterator[Numbered]:
        ticks = frozenset(self.timeline.ticks[self.wanted].tolist())
        for group in _groups(stream, self.wanted):
            pictures = stream.pictures(group[0], ticks.__contains__)
            playhead = Playhead(self._watched(pictures))
            for target in group:
                found = playhead.go_to(target)
                if found[0] != target:
                    raise _SeekMissed
                yield found

    def _watched(self, pictures: Iterator[Numbered]) -> Iterator[Numbered]:
        """The same pictures; stops the work when the person wants that."""
        for found in pictures:
            if self.cancelled is not None and self.cancelled():
                raise CancelledError("Reading the video was stopped.")
            yield found


def _groups(stream: PictureStream, wanted: list[int]) -> Iterator[list[int]]:
    """Split increasing numbers where seeking beats decoding on."""
    group = wanted[:1]
    for index in wanted[1:]:
        if stream.worth_seeking(group[-1], index):
            yield group
            group = []
        group.append(index)
    yield group
