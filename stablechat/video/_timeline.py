"""Which picture is shown when: exact where packets say so, decoded where they do not.

Reading packets costs a thousandth of decoding them. For nearly all files the times of
the packets *are* the times of the pictures, and picture ``k`` is the one with the
``k``-th smallest time. :func:`build_timeline` checks that on the first pictures. Where
it does not hold (bare H.264, no timestamps, equal timestamps) the whole file is decoded
once, within a budget.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from stablechat.errors import LimitError, VideoError
from stablechat.sentences import Sentence
from stablechat.types import FloatArray, IntArray
from stablechat.video._damage import (
    CHECK_BUDGET_PIXELS,
    Check,
    check_pictures,
    signs_of_a_cut,
    signs_of_a_hole,
    signs_of_a_lie,
)
from stablechat.video._open import PathLike, Source, open_source
from stablechat.video._packets import (
    VideoPacket,
    is_hidden,
    read_packets,
)
from stablechat.video.clock import ClockJump, ClockRepair
from stablechat.video.limits import VideoLimits

#: Pictures decoded to see whether packets and pictures agree.
TRIAL_PICTURES = 8
#: On a coarser clock, fields can't be told from pictures.
MIN_PICTURE_TICKS = 10
#: Most pixels decoded only to count pictures: half a minute of 1080p at 30 a second.
COUNT_BUDGET_PIXELS = 900 * 1920 * 1080

START_ROUNDING_SECONDS = 1e-6  # a container's start is given in whole microseconds
ROUNDING_SHARE = 1.02  # less than this much more is rounding in the header

#: Codecs whose every picture is drawn over the one before, whatever the flags say;
#: their last packet may be a comment. They are small: counted by decoding.
_CUMULATIVE_CODECS = frozenset({"gif", "apng", "webp"})


@dataclass(frozen=True)
class Timeline:
    """The pictures of a video in the order they are shown.

    Attributes:
        ticks: int64 ``(N,)``, time of each picture on the stream's clock, never
            decreasing.
        seconds: float64 ``(N,)``, the same, counted from the container's start.
        end_seconds: When the last picture ends.
        tick_seconds: One step of the stream's clock.
        by_time: Whether a picture is found by its time; if not, by counting from the
            first one.
        key_ticks: int64 ``(K,)``, times at which decoding may begin, increasing.
        key_bytes: Where in the file each of them lies, -1 if unknown.
        jumps: Where the file's own clock jumps; ``ticks`` are without them.
        warnings: What was odd, one plain sentence each.
    """

    ticks: IntArray
    seconds: FloatArray
    end_seconds: float
    tick_seconds: float
    by_time: bool
    key_ticks: IntArray
    key_bytes: IntArray
    jumps: tuple[ClockJump, ...] = ()
    warnings: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.ticks)

    @property
    def tolerance_seconds(self) -> float:
        """A stored time is rounded to a tick, so it may be half a tick off."""
        return min(self.tick_seconds / 2, 0.0005) + 1e-6

    @property
    def origin_seconds(self) -> float:
        """Where zero of ``seconds`` lies on the file's own clock."""
        return float(self.ticks[0] * self.tick_seconds - self.seconds[0])

    @cached_property
    def key_indices(self) -> IntArray:
        """int64 ``(K,)``: number of the first picture at or after each key time."""
        return np.searchsorted(self.ticks, self.key_ticks).astype(np.int64)

    def index_at(self, time_seconds: float) -> int:
        """Number of the picture shown at a moment; the first or last outside."""
        limit = time_seconds + self.tolerance_seconds
        index = int(np.searchsorted(self.seconds, limit, side="right")) - 1
        return min(max(index, 0), len(self) - 1)

    def first_at_or_after(self, time_seconds: float) -> int:
        """Number of the first picture that begins at or after a moment (may be N)."""
        return int(np.searchsorted(self.seconds, time_seconds - self.tolerance_seconds))


@dataclass
class _Scan:
    """What the packets say, one entry for each that shows a picture, in file order."""

    pts: list[int | None] = field(default_factory=list)
    durations: list[int] = field(default_factory=list)
    key_ticks: list[int] = field(default_factory=list)
    key_bytes: list[int] = field(default_factory=list)
    num_packets: int = 0
    num_corrupt: int = 0
    jumps: tuple[ClockJump, ...] = ()

    def add(self, packet: VideoPacket, hidden: bool) -> None:
        """Take one packet into account."""
        self.num_packets += 1
        self.num_corrupt += packet.is_corrupt
        if packet.is_keyframe and packet.pts is not None:
            self.key_ticks.append(packet.pts)
            self.key_bytes.append(-1 if packet.pos is None else packet.pos)
        if not hidden:
            self.pts.append(packet.pts)
            self.durations.append(packet.duration or 0)


def scan_packets(source: Source, limits: VideoLimits) -> _Scan:
    """Read all packets of the video stream without decoding any.

    Raises:
        LimitError: If there are too many.
    """
    scan, clock = _Scan(), ClockRepair(source)
    codec = source.stream.codec_context.name
    family = "vp8" if "vp8" in codec else "vp9" if "vp9" in codec else codec
    for packet in read_packets(source.container, source.stream):
        scan.add(clock.repaired(packet), is_hidden(family, packet))
        if limits.max_frames is not None and len(scan.pts) > limits.max_frames:
            raise LimitError(
                "{name} has more than {max_frames:,} pictures and that is the "
                "limit; cut out the part you ask about.",
                name=source.name,
                max_frames=limits.max_frames,
            )
    scan.jumps = tuple(clock.jumps)
    return scan


def build_timeline(
    path: PathLike, limits: VideoLimits, trial: tuple[int | None, ...]
) -> Timeline:
    """Find when each picture is shown.

    Args:
        path: The file.
        limits: What to refuse.
        trial: Times of the first decoded pictures, in ticks.

    Returns:
        The timeline.

    Raises:
        VideoError: If there is no packet with a picture.
    """
    with open_source(path, limits) as source:
        scan = scan_packets(source, limits)
        if not scan.pts:
            raise VideoError(
                "{name} holds no pictures; give another file.", name=source.name
            )
        cumulative = source.stream.codec_context.name in _CUMULATIVE_CODECS
        for packets in () if cumulative else (scan, paired_fields(scan, trial)):
            ticks = _ticks_from_packets(packets, trial)
            if ticks is not None:
                check = _check(path, limits, source, packets, CHECK_BUDGET_PIXELS)
                return _timeline(source, packets, ticks, check=check, by_time=True)
        check = _check(path, limits, source, scan, COUNT_BUDGET_PIXELS)
        ticks = _ticks_in_order(source, scan, check)
        return _timeline(source, scan, ticks, check=check, by_time=False)


def paired_fields(scan: _Scan, trial: Sequence[int | None]) -> _Scan:
    """The same with one entry a picture, where camcorders write each field by itself.

    A second field comes right behind its first one, half a picture later; what is
    decoded has the first one's time.

    Args:
        scan: What the packets say.
        trial: Times of the first decoded pictures, in ticks.

    Returns:
        A scan without second fields; the same one if there are none.
    """
    times = np.array([tick for tick in (*trial, *scan.pts) if tick is not None])
    if len(times) < len(trial) + len(scan.pts) or len(trial) < 2:
        return scan
    picture_ticks = float(np.median(np.diff(times[: len(trial)])))
    if picture_ticks < MIN_PICTURE_TICKS:
        return scan
    pts, durations = times[len(trial) :], np.array(scan.durations)
    is_half = np.abs(durations - picture_ticks / 2) <= 1 + picture_ticks / 8
    behind = np.abs(np.diff(pts) - picture_ticks / 2) <= 1 + picture_ticks / 8
    follows = np.append(False, behind & is_half[1:] & is_half[:-1])
    second = np.zeros(len(pts), np.bool_)
    for k in np.flatnonzero(follows):  # a second field is never also a first one
        second[k] = not second[k - 1]
    if not second.any():
        return scan
    whole = durations + np.append(np.where(second, durations, 0)[1:], 0)
    firsts = set(pts[~second].tolist())
    keys = [
        key
        for key in zip(scan.key_ticks, scan.key_bytes, strict=True)
        if key[0] in firsts
    ]
    return replace(
        scan,
        pts=pts[~second].tolist(),
        durations=whole[~second].tolist(),
        key_ticks=[tick for tick, _ in keys],
        key_bytes=[place for _, place in keys],
    )


def _check(
    path: PathLike, limits: VideoLimits, source: Source, scan: _Scan, budget: int
) -> Check | None:
    """Decode a file of at most so many pixels whole; its damage is then known."""
    if _num_pixels(source, scan) > budget:
        return None
    with open_source(path, limits) as again:
        return check_pictures(again)


def _num_pixels(source: Source, scan: _Scan) -> int:
    return len(scan.pts) * max(1, source.stream.width * source.stream.height)


def _ticks_from_packets(scan: _Scan, trial: tuple[int | None, ...]) -> IntArray | None:
    """Times of the packets if each is one picture, from the first that decodes on."""
    if any(tick is None for tick in scan.pts) or trial[0] is None:
        return None
    ticks = np.unique(np.array(scan.pts, np.int64))
    if len(ticks) != len(scan.pts):
        return None
    ticks = ticks[ticks >= trial[0]]  # pictures before it lack their key picture
    agrees = tuple(ticks[: len(trial)].tolist()) == trial
    return ticks if agrees else None


def _ticks_in_order(source: Source, scan: _Scan, check: Check | None) -> IntArray:
    """Times of the pictures as they were decoded, or else by the packets' count."""
    # The decoder's order is right. Where its times are not (H.264 in AVI), they are
    # the right ones in the wrong places.
    times = scan.pts if check is None else check.times
    return np.sort(_fill_times(times, _step_ticks(source, scan)))


def _step_ticks(source: Source, scan: _Scan) -> int:
    """Time from one picture to the next where the packets do not say."""
    stream, usual = source.stream, int(np.median(scan.durations))
    rates = (stream.guessed_rate, stream.average_rate)
    steps = [max(1, round(1 / (rate * source.time_base))) for rate in rates if rate]
    if not steps or usual in steps:
        return max(1, usual)
    return steps[0]


def _fill_times(times: Sequence[int | None], step: int) -> IntArray:
    """Put times where there are none: one step after the picture before."""
    filled: list[int] = []
    for tick in times:
        following = filled[-1] + step if filled else 0
        filled.append(following if tick is None else tick)
    return np.array(filled, np.int64)


def _timeline(
    source: Source,
    scan: _Scan,
    ticks: IntArray,
    *,
    by_time: bool,
    check: Check | None = None,
) -> Timeline:
    if by_time and check is not None and check.num_damaged:
        # Some pictures never come out.
        known = [tick for tick in check.times if tick is not None]
        kept = np.intersect1d(ticks, np.array(known, np.int64))
        ticks = kept if len(kept) else ticks
    tick_seconds = float(source.time_base)
    since_first: FloatArray = (ticks - ticks[0]).astype(np.float64) * tick_seconds
    seconds = since_first + _first_seconds(source, int(ticks[0]))
    last = _last_duration_ticks(source, scan, ticks) * tick_seconds
    usable = by_time and not scan.jumps
    key_ticks, order = np.unique(
        np.array(scan.key_ticks if usable else [], np.int64), return_index=True
    )
    end_seconds = float(seconds[-1]) + last
    warnings = _warnings(source, scan, ticks, by_time, check)
    warnings += signs_of_a_cut(source, float(ticks[-1]) * tick_seconds + last)
    warnings += signs_of_a_lie(source, end_seconds - float(seconds[0]))
    warnings += signs_of_a_hole(seconds)
    return Timeline(
        ticks=ticks,
        seconds=seconds,
        end_seconds=end_seconds,
        tick_seconds=tick_seconds,
        by_time=by_time,
        key_ticks=key_ticks,
        key_bytes=np.array(scan.key_bytes if usable else [], np.int64)[order],
        jumps=scan.jumps,
        warnings=tuple(warnings),
    )


def _first_seconds(source: Source, first_tick: int) -> float:
    """How long after the container's start the first picture comes."""
    start = source.start_seconds
    late = 0.0 if start is None else first_tick * float(source.time_base) - start
    return late if late > START_ROUNDING_SECONDS else 0.0


def _last_duration_ticks(source: Source, scan: _Scan, ticks: IntArray) -> int:
    """How long the last picture stays: as its packet says, else as long as others."""
    if scan.pts[-1] is not None and None not in scan.pts:
        known = [p for p in scan.pts if p is not None]
        duration = scan.durations[int(np.argmax(known))]
        if duration > 0:
            return duration
    steps = np.diff(ticks)
    steps = steps[steps > 0]
    return int(np.median(steps)) if len(steps) else _step_ticks(source, scan)


def _warnings(
    source: Source, scan: _Scan, ticks: IntArray, by_time: bool, check: Check | None
) -> list[str]:
    found: list[str] = []
    if check is not None and check.num_damaged:
        found.append("Some of the pictures are damaged or missing.")
    elif scan.num_corrupt:
        found.append("Some of the pictures are marked as damaged.")
    if scan.jumps:
        found.append("The clock of the recording jumps; the parts were joined.")
    if _is_cut_off(source, scan, ticks):
        found.append(
            Sentence(
                "The file promises {promised} pictures and holds {count}; it may be "
                "cut off.",
                promised=source.stream.frames,
                count=len(ticks),
            )
        )
    if by_time and int(ticks[0]) > min(p for p in scan.pts if p is not None):
        found.append("The pictures at the start can't be decoded and are left out.")
    return found


def _is_cut_off(source: Source, scan: _Scan, ticks: IntArray) -> bool:
    """Whether the header promises more pictures *and* more time than there is.

    Either alone is common: AVI counts fields, an edit list shortens the time.
    """
    promised, duration = source.stream.frames, source.stream.duration or 0
    fewer = promised > scan.num_packets * ROUNDING_SHARE + 2
    return fewer and duration > int(ticks[-1] - ticks[0]) * ROUNDING_SHARE
