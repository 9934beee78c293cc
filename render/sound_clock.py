"""The clock of sound in recordings that were glued together.

Where the timestamps of a broadcast recording jump, those of its pictures are repaired
as they are read; sound follows them, or it would be out of step from there on.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from fractions import Fraction

from av.audio.stream import AudioStream
from av.packet import Packet

from stablechat.video.clock import ClockJump, is_jump


class SoundClock:
    """Shifts the times of sound packets, read from the beginning of the file.

    Args:
        jumps: What was repaired in the pictures, in file order.
        time_base: Of the sound track.
    """

    def __init__(self, jumps: Sequence[ClockJump], time_base: Fraction) -> None:
        self._positions = [jump.position for jump in jumps]
        offsets = [0.0, *(jump.offset_seconds for jump in jumps)]
        self._offsets = [round(offset / time_base) for offset in offsets]
        self._tick_seconds = float(time_base)
        self._part = 0
        self._next: int | None = None

    def shift(self, packet: Packet[AudioStream]) -> None:
        """Move one packet to its place on the repaired clock, in place.

        Args:
            packet: The next one in file order.
        """
        if packet.dts is None:
            return
        self._part = self._part_of(packet, packet.dts)
        offset = self._offsets[self._part]
        packet.dts += offset
        if packet.pts is not None:
            packet.pts += offset
        self._next = packet.dts + (packet.duration or 0)

    def _part_of(self, packet: Packet[AudioStream], dts: int) -> int:
        """Behind how many jumps a packet lies."""
        part = self._part
        if packet.pos is not None:
            part = bisect_right(self._positions, packet.pos)
        # The jump is seen at the first picture behind it; sound may come before that.
        following = part + 1
        if self._next is None or following == len(self._offsets):
            return part
        ahead, otherwise = (
            dts + self._offsets[p] - self._next for p in (part, following)
        )
        jumped = is_jump(ahead * self._tick_seconds)
        return following if jumped and abs(otherwise) < abs(ahead) else part
