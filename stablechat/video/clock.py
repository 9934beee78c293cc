"""The clock of recordings that were glued together: it jumps where the parts meet.

Times of pictures are repaired as they are read. The clock jumps at one place of the
file for all streams, so others can take over what was repaired there.
"""

from __future__ import annotations

from dataclasses import dataclass

from av.packet import Packet
from av.video.stream import VideoStream

from stablechat.video._open import Source

#: Broadcast formats whose clock may jump; in all others a gap is a real gap.
_JUMPING_FORMATS = frozenset({"mpegts", "mpeg"})
MAX_GAP_SECONDS = 10.0  # a longer silence forward is a jump, as FFmpeg's tool has it
MAX_STEP_BACK_SECONDS = 0.1  # decode times never run back by more than rounding


@dataclass(frozen=True)
class ClockJump:
    """A place from which on times are shifted.

    Attributes:
        position: Where in the file the first picture behind it lies, in bytes.
        offset_seconds: What is added to all times from there on.
    """

    position: int
    offset_seconds: float


def is_jump(ahead_seconds: float) -> bool:
    """Whether a packet so far ahead of where it was due is behind a jump."""
    return not -MAX_STEP_BACK_SECONDS <= ahead_seconds <= MAX_GAP_SECONDS


class ClockRepair:
    """Takes jumps out of the timestamps of the pictures.

    Args:
        source: The open file.
    """

    def __init__(self, source: Source) -> None:
        self._enabled = source.container.format.name in _JUMPING_FORMATS
        self._tick_seconds = float(source.time_base)
        self._offset = 0
        self._next: int | None = None
        self.jumps: list[ClockJump] = []

    def repaired(self, packet: Packet[VideoStream]) -> Packet[VideoStream]:
        """Shift one packet's times so that they go on from the packet before.

        Args:
            packet: The next one in file order; changed in place.

        Returns:
            The same packet.
        """
        if not self._enabled or packet.dts is None:
            return packet
        self._notice_jump(packet.dts, packet.pos or 0)
        packet.dts += self._offset
        if packet.pts is not None:
            packet.pts += self._offset
        self._next = packet.dts + (packet.duration or 0)
        return packet

    def _notice_jump(self, dts: int, position: int) -> None:
        if self._next is None:
            return
        ahead = dts + self._offset - self._next
        if is_jump(ahead * self._tick_seconds):
            self._offset -= ahead
            offset_seconds = self._offset * self._tick_seconds
            self.jumps.append(ClockJump(position, offset_seconds))
