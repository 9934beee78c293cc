"""What a file holds by the slowest and plainest way: decode it all, from the start."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import av
import cv2
import numpy as np
import numpy.typing as npt
from av.stream import Disposition

from stablechat.types import FrameArray
from tests.corpus.nasty import load_generator

Thumb = npt.NDArray[np.float32]

THUMB_SIDE = 48  # longest, of the pictures that are compared
BARCODE_SIDE = 1024  # longest, of pictures whose barcode is read
LEAST_SIDE = 256  # shortest, of pictures that may be scaled down for that
LEAST_DEVIATION = 4.0  # grey levels; below it a picture shows nothing to compare
MAX_PICTURES = 3000  # longer files are known by design

_STILL = Disposition.attached_pic | Disposition.timed_thumbnails


@dataclass
class Reference:
    """All pictures of a file, in the order they are shown.

    Attributes:
        seconds: When each comes on screen, from the container's start.
        numbers: Their barcodes, None where there is none.
        thumbs: Small, gray, upright, of mean 0 and deviation 1.
    """

    seconds: list[float] = field(default_factory=list)
    numbers: list[int | None] = field(default_factory=list)
    thumbs: list[Thumb] = field(default_factory=list)

    @property
    def span_seconds(self) -> float:
        """From the first picture to the last."""
        return self.seconds[-1] - self.seconds[0]

    @property
    def has_times(self) -> bool:
        """Whether the stored times can be taken as they are."""
        return bool(np.all(np.diff(self.seconds) > 0)) and len(self.seconds) > 0


def decode_all(path: str, *, turn: int, barcode: bool) -> Reference | None:
    """Decode a whole file.

    Args:
        path: The file.
        turn: Clockwise quarter turns that show the pictures upright.
        barcode: Whether to read barcodes; else thumbnails are made.

    Returns:
        Its pictures, or None if there are too many.
    """
    found = Reference()
    with av.open(path, metadata_errors="replace") as container:
        stream = next(s for s in container.streams.video if not s.disposition & _STILL)
        if stream.frames > MAX_PICTURES:
            return None
        start = (container.start_time or 0) / av.time_base
        for frame in _frames(container, stream):
            if frame.time is None:
                return None
            found.seconds.append(frame.time - start)
            if barcode:
                picture = frame.to_ndarray(format="rgb24")
                found.numbers.append(read_number(np.asarray(picture, np.uint8)))
            else:
                gray = _small(frame, THUMB_SIDE, "gray")
                found.thumbs.append(_normal(np.rot90(gray, -turn)))
    return found


def _small(frame: av.VideoFrame, most: int, kind: str) -> FrameArray:
    """The picture, no larger than that."""
    share = min(1.0, most / max(frame.width, frame.height))
    width, height = (max(1, round(x * share)) for x in (frame.width, frame.height))
    area = av.video.reformatter.Interpolation.AREA
    scaled = frame.reformat(width, height, format=kind, interpolation=area)
    return np.asarray(scaled.to_ndarray(), np.uint8)


def _frames(
    container: av.container.InputContainer, stream: av.VideoStream
) -> Iterator[av.VideoFrame]:
    stream.thread_type = "AUTO"
    packets = container.demux(stream)
    while True:
        try:
            packet = next(packets)
        except (StopIteration, av.FFmpegError):
            return
        try:
            yield from stream.decode(packet)
        except av.FFmpegError:
            continue


def read_number(picture: FrameArray) -> int | None:
    """The barcode of an RGB picture that may be turned or mirrored."""
    # As the reader does it itself, eight times and slowly.
    channels = shrunk(picture)[..., :3].astype(np.float32)
    gray = cv2.transform(channels, np.full((1, 3), 1 / 3, np.float32))
    found = load_generator().read_barcode_any(gray)
    return None if found is None else int(found[0])


def thumb(picture: FrameArray) -> Thumb:
    """The same as :attr:`Reference.thumbs` of an upright RGB picture."""
    gray = np.asarray(cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY), np.uint8)
    return _normal(_shrink(gray, THUMB_SIDE))


def shrunk(picture: FrameArray) -> FrameArray:
    """A smaller picture where that loses nothing: the generator's readers are slow."""
    if max(picture.shape) <= BARCODE_SIDE or min(picture.shape[:2]) <= LEAST_SIDE:
        return picture
    return _shrink(picture, BARCODE_SIDE)


def _shrink(picture: FrameArray, most: int) -> FrameArray:
    height, width = picture.shape[:2]
    share = most / max(height, width)
    size = (max(1, round(width * share)), max(1, round(height * share)))
    smaller = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    return np.asarray(smaller, np.uint8)


def _normal(gray: npt.NDArray[np.generic]) -> Thumb:
    values = np.asarray(gray, np.float32)
    deviation = float(values.std())
    if deviation < LEAST_DEVIATION:
        return np.zeros_like(values)
    return np.asarray((values - values.mean()) / deviation, np.float32)


def likeness(one: Thumb, other: Thumb) -> float:
    """Correlation of two thumbnails, 1 for the same picture."""
    if one.shape != other.shape:
        size = (one.shape[1], one.shape[0])
        other = np.asarray(cv2.resize(other, size), np.float32)
    return float((one * other).mean())


@dataclass(frozen=True)
class Sound:
    """Mono samples, each at its place.

    Attributes:
        samples: float32 ``(N,)``, -1..1.
        rate: Samples a second.
    """

    samples: npt.NDArray[np.float32]
    rate: int

    @property
    def seconds(self) -> float:
        """Its length."""
        return len(self.samples) / self.rate

    def beeps(self) -> list[float]:
        """When beeps begin."""
        return [float(t) for t in load_generator().find_beeps(self.samples, self.rate)]


def read_sound(path: str, track: int = 0) -> Sound | None:
    """Decode a sound track, placed by its timestamps from the container's start.

    Args:
        path: The file.
        track: Which of its sound tracks.

    Returns:
        The sound, or None if there is no such track.
    """
    with av.open(path, metadata_errors="replace") as container:
        if len(container.streams.audio) <= track:
            return None
        stream = container.streams.audio[track]
        start = (container.start_time or 0) / av.time_base
        rate = stream.rate
        pieces: list[tuple[int, npt.NDArray[np.float32]]] = []
        mixer = av.AudioResampler(format="fltp", layout="mono", rate=rate)
        for frame in container.decode(stream):
            place = round(((frame.time or 0.0) - start) * rate)
            frame.pts = None
            parts = [part.to_ndarray()[0] for part in mixer.resample(frame)]
            pieces.append((max(0, place), np.concatenate([*parts, []])))
    total = max((place + len(part) for place, part in pieces), default=0)
    samples = np.zeros(total, np.float32)
    for place, part in pieces:
        samples[place : place + len(part)] = part
    return Sound(samples, rate)
