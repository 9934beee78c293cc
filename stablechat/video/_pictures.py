"""Decoded pictures with their numbers, from any point of a video on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import chain, islice
from types import TracebackType

import av
import numpy as np

from stablechat.errors import VideoError
from stablechat.video._open import (
    PathLike,
    Source,
    open_source,
)
from stablechat.video._packets import (
    VideoPacket,
    decode_from_start,
    decode_packets,
    read_packets,
    skip_unneeded,
)
from stablechat.video._timeline import Timeline
from stablechat.video.limits import VideoLimits

#: Decoding on over this many pictures costs about as much as one seek.
SEEK_COST_PICTURES = 24
#: Packets looked through for the key picture that a seek asked for.
MAX_PACKETS_TO_KEY = 2000
#: How many key pictures further back to try when a seek fails, one after the other.
MOST_KEYS_BACK = 3
_STEPS_BACK = (0, 1, MOST_KEYS_BACK)

Numbered = tuple[int, av.VideoFrame]
Needed = Callable[[int], bool]


def _everything(tick: int) -> bool:
    return True


class PictureStream:
    """Numbers the pictures that come out of the decoder.

    A seek is believed only if the packet it lands on has the time and the place in
    the file that the scan saw; otherwise the file is decoded from its beginning.
    A context manager: it holds an open file. Not for several threads.

    Args:
        path: The file.
        timeline: Its timeline.
        limits: What to refuse.
    """

    def __init__(
        self,
        path: PathLike,
        timeline: Timeline,
        limits: VideoLimits | None = None,
    ) -> None:
        self._path = path
        self._limits = limits
        self._timeline = timeline
        self._closing = ExitStack()
        self._source: Source | None = None
        self._key_bytes = dict(
            zip(timeline.key_ticks.tolist(), timeline.key_bytes.tolist(), strict=True)
        )

    def __enter__(self) -> PictureStream:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; may be called twice."""
        self._source = None
        self._closing.close()

    def _reopened(self) -> Source:
        """A source with nothing read: a bare stream can't be rewound by seeking."""
        self.close()
        self._source = self._closing.enter_context(
            open_source(self._path, self._limits)
        )
        return self._source

    def worth_seeking(self, current: int, target: int) -> bool:
        """Whether to jump rather than decode on.

        Args:
            current: Number of the picture decoded last, -1 for none.
            target: Number of the picture that is wanted.

        Returns:
            True if a key picture lies far enough ahead.
        """
        key = self._key_at_or_before(target)
        if key < 0:
            return target <= current
        start = int(self._timeline.key_indices[key])
        return target <= current or start - current > SEEK_COST_PICTURES

    @property
    def num_pixels(self) -> int:
        """Of all pictures together, as they are stored; 0 while no file is open."""
        if self._source is None:
            return 0
        stream = self._source.stream
        return len(self._timeline) * stream.width * stream.height

    def pictures(
        self, start: int, needed: Needed | None = None, *, keys_back: int = 0
    ) -> Iterator[Numbered]:
        """Pictures from ``start`` or somewhat before it to the end of the video.

        Args:
            start: Number of the first picture that is wanted.
            needed: Whether the picture with this time, in ticks, is wanted; others
                may be left out, where that saves time.
            keys_back: At least so many key pictures before the nearest to begin at.

        Yields:
            ``(number, picture)``, numbers increasing. The first number is at most
            ``start`` unless that picture can't be decoded.
        """
        if self.worth_seeking(-1, start):
            for back in (step for step in _STEPS_BACK if step >= keys_back):
                key = self._key_at_or_before(start) - back
                found = self._pictures_from_key(key, needed or _everything)
                first = next(found, None)
                if first is not None and first[0] <= start:
                    yield first
                    yield from found
                    return
        yield from self.pictures_from_start(needed)

    def _key_at_or_before(self, index: int) -> int:
        """Number of the last key whose own picture comes no later; -1 for none."""
        tick = self._timeline.ticks[index]
        return int(np.searchsorted(self._timeline.key_ticks, tick, side="right")) - 1

    def pictures_from_start(self, needed: Needed | None = None) -> Iterator[Numbered]:
        """All pictures, decoded from the beginning of the file; see ``pictures``."""
        source = self._reopened()
        if not self._timeline.by_time:  # found by counting: none may be left out
            return zip(
                range(len(self._timeline)), decode_from_start(source), strict=False
            )
        frames = decode_from_start(source, needed=needed)
        return self._by_time(frames, int(self._timeline.ticks[0]))

    def _pictures_from_key(self, key: int, needed: Needed) -> Iterator[Numbered]:
        if key < 0:
            return
        source = self._source or self._reopened()
        tick = int(self._timeline.key_ticks[key])
        try:
            source.container.seek(tick, stream=source.stream)
        except (av.FFmpegError, OSError):
            return
        packets = read_packets(source.container, source.stream)
        first = self._first_key_packet(packets)
        if first is not None and first.pts is not None:
            kept = skip_unneeded(source, chain([first], packets), needed)
            frames = decode_packets(source, kept)
            yield from self._by_time(frames, first.pts)

    def _first_key_packet(self, packets: Iterator[VideoPacket]) -> VideoPacket | None:
        """The first key picture after a seek, if the scan knows it."""
        for packet in islice(packets, MAX_PACKETS_TO_KEY):
            if packet.is_keyframe and packet.pts is not None:
                place = -1 if packet.pos is None else packet.pos
                return packet if self._key_bytes.get(packet.pts) == place else None
        return None

    def _by_time(
        self, frames: Iterator[av.VideoFrame], first_tick: int
    ) -> Iterator[Numbered]:
        """Number pictures by their time; leave out those that lack their references.

        Pictures shown before the key picture but stored after it (an open group)
        were predicted from the group before, which was not decoded.
        """
        ticks = self._timeline.ticks
        last = -1
        for frame in frames:
            if frame.pts is None or frame.pts < first_tick:
                continue
            index = int(np.searchsorted(ticks, frame.pts))
            if last < index < len(ticks) and ticks[index] == frame.pts:
                last = index
                yield index, frame


class Playhead:
    """Goes forward through numbered pictures and stops where it is told.

    Args:
        pictures: With increasing numbers.

    Raises:
        VideoError: If there is none.
    """

    def __init__(self, pictures: Iterator[Numbered]) -> None:
        self._pictures = pictures
        self._ahead: Numbered | None = None
        first = next(pictures, None)
        if first is None:
            raise VideoError("The pictures can't be decoded; the file may be damaged.")
        self._shown = first

    def go_to(self, target: int) -> Numbered:
        """The picture with this number, or else the last one before it.

        Args:
            target: Number that is wanted, not less than the one before.

        Returns:
            ``(number, picture)``; the first picture if none comes before.
        """
        while self._shown[0] < target:
            if self._ahead is None:
                self._ahead = next(self._pictures, None)
            if self._ahead is None or self._ahead[0] > target:
                break
            self._shown, self._ahead = self._ahead, None
        return self._shown
