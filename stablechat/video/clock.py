"""Where the clock of a recording jumps, for streams other than the pictures.

The timestamps of pictures are repaired as they are read. The clock jumps at one place
of the file for all streams, so others can take over what the repair did there.
"""

from __future__ import annotations

from dataclasses import dataclass

from stablechat.types import VideoInfo
from stablechat.video._open import open_source
from stablechat.video._packets import (
    MAX_GAP_SECONDS,
    MAX_STEP_BACK_SECONDS,
    ClockRepair,
    read_packets,
)
from stablechat.video._timeline import Timeline

__all__ = ["MAX_GAP_SECONDS", "MAX_STEP_BACK_SECONDS", "ClockJump", "find_jumps"]


@dataclass(frozen=True)
class ClockJump:
    """A place from which on times are shifted.

    Attributes:
        position: Where in the file the first picture behind it lies, in bytes.
        offset_seconds: What is added to all times from there on.
    """

    position: int
    offset_seconds: float


def find_jumps(video: VideoInfo, timeline: Timeline) -> list[ClockJump]:
    """Where the clock of a recording jumps; reads all packets, decodes none.

    Args:
        video: The recording.
        timeline: Its timeline; one that names key pictures has no jumps, and the file
            is not read.

    Returns:
        The jumps in file order.

    Raises:
        VideoError: If the file can't be opened.
    """
    if len(timeline.key_ticks):
        return []
    jumps: list[ClockJump] = []
    with open_source(video.path) as source:
        clock = ClockRepair(source)
        for packet in read_packets(source):
            before = packet.dts
            after = clock.repaired(packet).dts
            if len(jumps) < clock.jumps and before is not None and after is not None:
                offset = float((after - before) * source.time_base)
                jumps.append(ClockJump(packet.pos or 0, offset))
    return jumps
