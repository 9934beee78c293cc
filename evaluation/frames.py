"""Which picture of a clip a temporal bin stands for.

The model sees ``NUM_BINS`` pictures of the clip ``first..last`` (both included), at
``first + round(i / 99 * (last - first))``, and names them by ``i``. Python's round:
half to even, although a tie can't happen, as ``2 i (last - first)`` is even and
``99 (2 n + 1)`` is odd.
"""

from __future__ import annotations

from stablechat.types import NUM_BINS

#: First and last frame number of a clip, both included.
Split = tuple[int, int]

_LAST_BIN = NUM_BINS - 1


def frame_of_bin(time_bin: float, split: Split) -> int:
    """Frame number of a temporal bin."""
    first, last = split
    return first + round(time_bin / _LAST_BIN * (last - first))


def sampled_frames(split: Split) -> frozenset[int]:
    """Numbers of all pictures that the model sees; fewer than 100 in a short clip."""
    return frozenset(frame_of_bin(time_bin, split) for time_bin in range(NUM_BINS))


def frame_to_unit(frame: int, split: Split) -> float:
    """A frame number on the clip's 0..1 axis, to the three decimals of the benchmark.

    The questions are written with three decimals, and the released evaluation rounds
    the truth in the same way.
    """
    first, last = split
    return round((frame - first) / (last - first), 3)
