"""Reading and decoding packets in file order, past damage and past clock jumps."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TypeAlias, TypeVar, cast

import av
from av.container import InputContainer
from av.packet import Packet
from av.stream import Stream
from av.video.stream import VideoStream

from stablechat.video._open import Source
from stablechat.video.clock import ClockRepair
from stablechat.video.isolation import heartbeat

#: In quotes: PyAV's class takes a parameter in its stubs, not when it runs.
VideoPacket: TypeAlias = "Packet[VideoStream]"
StreamT = TypeVar("StreamT", bound=Stream)

MAX_READ_ERRORS = 16  # in a row; then the rest of the file is given up


@dataclass
class DamageLog:
    """Counts what could not be decoded."""

    num_failed: int = 0


def read_packets(
    container: InputContainer, stream: StreamT
) -> Iterator[Packet[StreamT]]:
    """Packets of one stream, in file order, until the end of what is readable.

    A read error does not end it: reading goes on behind the damage.

    Args:
        container: The open file.
        stream: One of its streams.

    Yields:
        Packets with content; FFmpeg's empty last packet is left out.
    """
    failures = 0
    while failures <= MAX_READ_ERRORS:
        try:
            for packet in container.demux(stream):
                heartbeat()
                if packet.size or packet.dts is not None:
                    failures = 0
                    yield cast("Packet[StreamT]", packet)
            return
        except (av.error.ExitError, IndexError):
            # The read timed out; or damage made FFmpeg find another stream on the
            # way, over which PyAV stumbles when it flushes them all at the end.
            return
        except MemoryError:  # FFmpeg's is one of its errors too
            raise
        except (av.FFmpegError, OSError, ValueError):
            failures += 1


def decode_packets(
    source: Source, packets: Iterable[VideoPacket], *, log: DamageLog | None = None
) -> Iterator[av.VideoFrame]:
    """Pictures in the order they are shown; a packet that fails is stepped over.

    Args:
        source: Where the packets come from.
        packets: From a key picture on, in file order.
        log: Counts the packets that failed.

    Yields:
        Decoded pictures.
    """
    for packet in packets:
        yield from _decode_one(source, packet, log)
    yield from _decode_one(source, None, log)  # those still inside the decoder


def _decode_one(
    source: Source, packet: VideoPacket | None, log: DamageLog | None
) -> list[av.VideoFrame]:
    try:
        return source.stream.codec_context.decode(packet)
    except MemoryError:  # FFmpeg's is one of its errors too
        raise
    except (av.FFmpegError, ValueError):
        if log is not None:
            log.num_failed += 1
        return []


def skip_unneeded(
    source: Source, packets: Iterable[VideoPacket], needed: Callable[[int], bool]
) -> Iterator[VideoPacket]:
    """Tell the decoder to leave out pictures that nobody looks at or refers to.

    FFmpeg's own decoders ask before each picture. Those of other libraries (libdav1d
    for AV1) ask once, when they are opened, and then leave out wanted ones too; they
    decode everything.

    Args:
        source: Where the packets come from.
        packets: In file order.
        needed: Whether the picture with this time, in ticks, is wanted.

    Yields:
        The same packets. Saves a quarter to a half where there are B-frames.
    """
    context = source.stream.codec_context
    if context.name.startswith("lib"):
        yield from packets
        return
    for packet in packets:
        wanted = packet.pts is None or needed(packet.pts)
        context.skip_frame = "DEFAULT" if wanted else "NONREF"
        yield packet
    context.skip_frame = "DEFAULT"


def decode_from_start(
    source: Source,
    log: DamageLog | None = None,
    needed: Callable[[int], bool] | None = None,
) -> Iterator[av.VideoFrame]:
    """All pictures of a file that was just opened, clock jumps removed.

    Args:
        source: The open file, nothing read yet.
        log: Counts the packets that failed.
        needed: See :func:`skip_unneeded`; None for every picture.

    Returns:
        Decoded pictures in the order they are shown.
    """
    packets = map(
        ClockRepair(source).repaired, read_packets(source.container, source.stream)
    )
    if needed is None:
        return decode_packets(source, packets, log=log)
    return decode_packets(source, skip_unneeded(source, packets, needed), log=log)


def is_hidden(codec: str, packet: VideoPacket) -> bool:
    """Whether a packet only helps others: decoding it shows no picture.

    Args:
        codec: FFmpeg's name of the codec.
        packet: One packet.

    Returns:
        True for what an edit list cuts off and for VP8 and VP9 reference pictures.
    """
    if packet.is_discard:
        return True
    if codec not in ("vp8", "vp9") or not packet.size:
        return False
    first = memoryview(packet)[0]
    if codec == "vp8":  # RFC 6386, 9.1: bit 4 of the frame tag is show_frame
        return not first >> 4 & 1
    return _is_hidden_vp9(first, memoryview(packet)[-1])


def _is_hidden_vp9(first: int, last: int) -> bool:
    """VP9 bitstream, 6.2: marker 2 bits, profile 2, show_existing, type, show."""
    if last & 0xE0 == 0xC0:  # a superframe: several pictures, one of them shown
        return False
    if first >> 4 & 3 == 3:  # profile 3 has one more bit
        return not first >> 2 & 1 and not first & 1
    return not first >> 3 & 1 and not first >> 1 & 1
