"""The sound of a span as a stream of samples, each at its true time.

MoviePy plays a sound track that starts late from 0 and blocks for ever on some damaged
files, so PyAV decodes here and FFmpeg only encodes what comes out.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain

import av
import numpy as np
import numpy.typing as npt
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.packet import Packet
from av.stream import Discard, Disposition

from render.sound_clock import SoundClock
from stablechat.types import TimeSpan, VideoInfo
from stablechat.video import Source, Timeline, open_source, read_packets
from stablechat.video.clock import ClockJump

logger = logging.getLogger(__name__)

Samples = npt.NDArray[np.int16]

#: Rates that AAC knows and every browser plays; others become 48 kHz.
_RATES = (8000, 11025, 12000, 16000, 22050, 24000, 32000, 44100, 48000)
_DEFAULT_RATE = 48000

#: Seconds to start reading before the span; the next one when that was not enough.
#: Decoders need a moment to settle, and seeking may land after the wanted time.
_PREROLLS = (1.0, 10.0, float("inf"))

#: Timestamps this close to the running count are rounding, not a gap.
_GAP_SECONDS = 0.02

#: So many frames in a row behind the span are its end; fewer are damaged timestamps.
_FRAMES_BEHIND = 8


@dataclass(frozen=True)
class SoundFormat:
    """How the sound of a clip is laid out: signed 16 bits, little-endian.

    Attributes:
        rate: Samples a second of each channel.
        channels: 1 or 2, interleaved.
    """

    rate: int
    channels: int


@dataclass(frozen=True)
class _Piece:
    """Decoded sound and when it is heard, in seconds on the video's clock."""

    time_seconds: float
    frame: AudioFrame


def sound_format(video: VideoInfo) -> SoundFormat | None:
    """How the sound of a video's clips is laid out.

    Args:
        video: The video.

    Returns:
        The layout, or None if it has no sound track that can be decoded.

    Raises:
        VideoError: If the file can no longer be opened.
    """
    if not video.has_audio:
        return None
    with open_source(video.path) as source:
        stream = _pick_stream(source.container)
        if stream is None:
            return None
        rate = stream.rate if stream.rate in _RATES else _DEFAULT_RATE
        return SoundFormat(rate, 1 if stream.codec_context.channels == 1 else 2)


def stream_sound(
    video: VideoInfo,
    timeline: Timeline,
    span: TimeSpan,
    form: SoundFormat,
    write: Callable[[bytes], object],
    *,
    stopped: Callable[[], bool] = lambda: False,
) -> None:
    """Decode the sound of a span; as many samples as its length.

    Where the track has no sound (it starts late, ends early, is damaged), there is
    silence. Memory does not grow with the span.

    Args:
        video: The video.
        timeline: Its timeline.
        span: What is wanted, on the video's clock.
        form: From :func:`sound_format`.
        write: Takes the samples, in order.
        stopped: Asked often; True ends the stream early.

    Raises:
        VideoError: If the file can no longer be opened.
    """
    track = _Track(write, form, round(span.duration_seconds * form.rate))
    num_behind = 0
    for piece in _pieces(video, timeline, span.start_seconds):
        if stopped():
            return
        if piece.time_seconds < span.end_seconds:
            num_behind = 0
            track.add(piece.frame, piece.time_seconds - span.start_seconds)
        elif (num_behind := num_behind + 1) == _FRAMES_BEHIND:
            break
    track.finish()


def _pick_stream(container: InputContainer) -> AudioStream | None:
    """The track a player would choose: the one marked default, or the first."""
    known = [
        s for s in container.streams.audio if s.codec_context is not None and s.rate
    ]
    marked = [s for s in known if s.disposition & Disposition.default]
    return next(iter(marked or known), None)


def _pieces(
    video: VideoInfo, timeline: Timeline, start_seconds: float
) -> Iterator[_Piece]:
    """Decoded sound from no later than ``start_seconds``, in file order."""
    origin = timeline.origin_seconds
    if timeline.jumps:  # seeking goes by times, which are not unique here
        with open_source(video.path) as source:
            skip_until = start_seconds - _PREROLLS[0]
            yield from _decode_from(source, origin, 0.0, skip_until, timeline.jumps)
        return
    for preroll in _PREROLLS:
        seek_seconds = max(0.0, start_seconds - preroll)
        with open_source(video.path) as source:
            decoded = _decode_from(source, origin, seek_seconds)
            first = next(decoded, None)
            from_beginning = seek_seconds == 0.0
            if first is not None and (
                from_beginning or first.time_seconds <= start_seconds
            ):
                yield from chain([first], decoded)
                return
            if from_beginning:
                return


def _decode_from(
    source: Source,
    origin: float,
    seek_seconds: float,
    skip_until: float = -math.inf,
    jumps: Sequence[ClockJump] = (),
) -> Iterator[_Piece]:
    """Decoded sound of the chosen track.

    Args:
        source: Just opened.
        origin: Zero of the video's clock on the file's own, in seconds.
        seek_seconds: Where to seek, on the video's clock; 0 for nowhere.
        skip_until: Packets before this moment are not decoded.
        jumps: Where the file's clock jumps.

    Yields:
        Sound in file order.
    """
    container = source.container
    stream = _pick_stream(container)
    if stream is None or stream.time_base is None:
        return
    source.stream.discard = Discard.all
    stream.discard = Discard.default
    if seek_seconds > 0:
        try:
            container.seek(round((origin + seek_seconds) * av.time_base))
        except av.FFmpegError as error:
            logger.debug("Can't seek for sound, reading from the start: %s", error)
    clock = SoundClock(jumps, stream.time_base)
    first_tick = (origin + skip_until) / stream.time_base
    next_seconds = 0.0
    for frame in _frames(container, stream, clock, first_tick):
        if frame.pts is not None and frame.time_base is not None:
            next_seconds = float(frame.pts * frame.time_base) - origin
        yield _Piece(next_seconds, frame)
        next_seconds += frame.samples / frame.sample_rate


def _frames(
    container: InputContainer,
    stream: AudioStream,
    clock: SoundClock,
    first_tick: float,
) -> Iterator[AudioFrame]:
    """All frames that can be decoded; a damaged packet is skipped, not the end."""
    for packet in read_packets(container, stream):
        clock.shift(packet)
        if packet.pts is None or packet.pts >= first_tick:
            yield from _decode_one(stream, packet)
    yield from _decode_one(stream, None)  # what is still inside the decoder


def _decode_one(
    stream: AudioStream, packet: Packet[AudioStream] | None
) -> list[AudioFrame]:
    try:
        return [f for f in stream.codec_context.decode(packet) if f.samples]
    except MemoryError:  # FFmpeg's is one of its errors too
        raise
    except (av.FFmpegError, ValueError) as error:
        logger.debug("Skipped a damaged sound packet: %s", error)
        return []


class _Track:
    """Places decoded sound on a track of fixed length, silence where none is."""

    def __init__(
        self, write: Callable[[bytes], object], form: SoundFormat, total: int
    ) -> None:
        self._write_bytes = write
        self._rate = form.rate
        self._channels = form.channels
        self._total = total  # samples the track will have
        self._written = 0  # samples it has
        self._next: int | None = None  # where the resampler's next sample belongs
        self._resampler: av.AudioResampler | None = None
        self._format: tuple[str, str, int] | None = None

    def add(self, frame: AudioFrame, offset_seconds: float) -> None:
        """Add a frame whose first sample is heard ``offset_seconds`` into the track."""
        wanted = round(offset_seconds * self._rate)
        form = (frame.format.name, frame.layout.name, frame.sample_rate)
        jumped = (
            self._next is None or abs(wanted - self._next) > _GAP_SECONDS * self._rate
        )
        if jumped or form != self._format:
            self._drain()
            self._next, self._format = wanted, form
            self._resampler = av.AudioResampler(
                format="s16",
                layout="mono" if self._channels == 1 else "stereo",
                rate=self._rate,
            )
        frame.pts = None  # the place is counted here, not by the resampler
        if self._resampler is not None:
            self._place(self._resampler.resample(frame))

    def finish(self) -> None:
        """Write what the resampler still holds, then silence to the end."""
        self._drain()
        self._silence(self._total - self._written)

    def _drain(self) -> None:
        if self._resampler is not None:
            self._place(self._resampler.resample(None))
            self._resampler = None

    def _place(self, frames: list[AudioFrame]) -> None:
        for frame in frames:
            flat: Samples = frame.to_ndarray().reshape(-1).astype(np.int16)
            samples = flat.reshape(-1, self._channels)
            position = self._next or 0
            self._next = position + len(samples)
            self._silence(position - self._written)
            late = samples[max(0, self._written - position) :]
            self._write(late[: self._total - self._written])

    def _silence(self, count: int) -> None:
        count = min(count, self._total - self._written)
        while count > 0:
            step = min(count, self._rate)
            self._write(np.zeros((step, self._channels), dtype=np.int16))
            count -= step

    def _write(self, samples: Samples) -> None:
        if len(samples):
            self._write_bytes(samples.astype("<i2").tobytes())
            self._written += len(samples)
