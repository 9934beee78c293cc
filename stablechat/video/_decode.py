"""Decoding chosen pictures of a video, each exactly the one that was asked for."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass

from stablechat.types import FrameArray
from stablechat.video._open import PathLike, foreign_errors, printable_name
from stablechat.video._pictures import (
    MOST_KEYS_BACK,
    Numbered,
    PictureStream,
    Playhead,
)
from stablechat.video._timeline import Timeline
from stablechat.video.ahead import read_ahead
from stablechat.video.isolation import heartbeat
from stablechat.video.limits import VideoLimits
from stablechat.video.orient import PictureConverter

#: Where a picture does not come after a seek, files of at most so many pixels are
#: decoded whole: two minutes of 1080p at 30 a second.
WHOLE_BUDGET_PIXELS = 3600 * 1920 * 1080


@dataclass(frozen=True)
class Decoded:
    """One picture that was asked for.

    Attributes:
        row: Which of the wanted ones it is.
        number: Its own number; another than the wanted one stands for a picture that
            can't be decoded.
        is_damaged: Whether parts of it are guesses.
        picture: uint8 ``(H, W, 3)``, RGB, as displayed; not necessarily contiguous.
    """

    row: int
    number: int
    is_damaged: bool
    picture: FrameArray


class _SeekMissed(Exception):
    """A seek went by the picture that was wanted."""


def decode_pictures(
    path: PathLike,
    timeline: Timeline,
    wanted: list[int],
    converter: PictureConverter,
    limits: VideoLimits,
) -> Iterator[Decoded]:
    """Decode pictures by number; all over again without seeks if one misses.

    A long video is not decoded whole for a damaged picture: it is looked for once more
    from further back, and if it is not there either, the one before stands for it.

    Args:
        path: The file.
        timeline: Its timeline.
        wanted: Increasing numbers.
        converter: Makes the displayed pictures.
        limits: What to refuse.

    Yields:
        The pictures by increasing row. After a seek that missed, it begins again at
        row 0.

    Raises:
        VideoError: If the video can't be decoded.
    """
    with (
        foreign_errors(printable_name(path), "decoded"),
        PictureStream(path, timeline, limits) as stream,
    ):
        try:
            found = _by_seeking(stream, timeline, wanted)
            yield from _converted(found, converter)
        except _SeekMissed:
            everything = Playhead(_watched(stream.pictures_from_start()))
            yield from _converted(map(everything.go_to, wanted), converter)


def _converted(
    found: Iterator[Numbered], converter: PictureConverter
) -> Iterator[Decoded]:
    with closing(read_ahead(found)) as pictures:
        for row, (number, frame) in enumerate(pictures):
            yield Decoded(row, number, frame.is_corrupt, converter.view(frame))


def _by_seeking(
    stream: PictureStream, timeline: Timeline, wanted: list[int]
) -> Iterator[Numbered]:
    ticks = frozenset(timeline.ticks[wanted].tolist())
    last = -1
    for group in _groups(stream, wanted):
        pictures = stream.pictures(group[0], ticks.__contains__)
        playhead = Playhead(_watched(pictures))
        for target in group:
            found = playhead.go_to(target)
            if found[0] != target:
                playhead = _from_further_back(stream, target)
                found = playhead.go_to(target)
            if not last <= found[0] <= target:
                raise _SeekMissed
            last = found[0]
            yield found


def _from_further_back(stream: PictureStream, target: int) -> Playhead:
    """A second look for a picture that did not come.

    Raises:
        _SeekMissed: If the video is short enough to be decoded whole.
    """
    if stream.num_pixels <= WHOLE_BUDGET_PIXELS:
        raise _SeekMissed
    return Playhead(_watched(stream.pictures(target, keys_back=MOST_KEYS_BACK)))


def _groups(stream: PictureStream, wanted: list[int]) -> Iterator[list[int]]:
    """Split increasing numbers where seeking beats decoding on."""
    group = wanted[:1]
    for index in wanted[1:]:
        if stream.worth_seeking(group[-1], index):
            yield group
            group = []
        group.append(index)
    yield group


def _watched(pictures: Iterator[Numbered]) -> Iterator[Numbered]:
    """The same pictures, with a sign of life for each."""
    for found in pictures:
        heartbeat()
        yield found
