"""From the stored picture to the one a person sees.

A phone stores every picture the same way up and writes a display matrix beside it;
an anamorphic video has pixels that are not square. Both are undone here, once, so
that everything behind this module works in pixels of the displayed picture.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from fractions import Fraction
from typing import cast

import av
import numpy as np
from av.buffer import Buffer

from stablechat.types import FrameArray
from stablechat.video._convert import Scaler

#: How far, in units of a matrix entry, a matrix may be from an exact quarter turn.
TURN_TOLERANCE = 0.02
#: Sample aspect ratios beyond this are mistakes of a muxer, not of a lens.
MAX_SAMPLE_ASPECT = 8

_FIXED_POINT = 65536.0  # matrix entries are 16.16
_MATRIX = struct.Struct("=9i")

_CLOCKWISE = {(1, 0): 0, (0, 1): 90, (-1, 0): 180, (0, -1): 270}


@dataclass(frozen=True)
class Orientation:
    """How a stored picture becomes the displayed one: turn, then mirror.

    Attributes:
        rotation: Clockwise turn in degrees: 0, 90, 180 or 270.
        mirrored: Whether it is then flipped left to right.
    """

    rotation: int = 0
    mirrored: bool = False

    @property
    def swaps_sides(self) -> bool:
        """Whether width and height trade places."""
        return self.rotation in (90, 270)

    def apply(self, picture: FrameArray) -> FrameArray:
        """Turn and mirror a picture; a view, nothing is copied.

        Args:
            picture: uint8 ``(H, W, 3)``, or a plane ``(H, W)``, as stored.

        Returns:
            The same, of shape ``(W, H, ...)`` for a quarter turn.
        """
        turned = np.rot90(picture, -self.rotation // 90)
        return turned[:, ::-1] if self.mirrored else turned

    @property
    def flips(self) -> tuple[bool, bool]:
        """Whether the stored columns, and the stored rows, come in reversed order."""
        columns = self.rotation in (180, 270)
        rows = self.rotation in (90, 180)
        if self.mirrored and self.swaps_sides:
            return columns, not rows
        return columns != self.mirrored, rows

    def stored_size(self, size: tuple[int, int]) -> tuple[int, int]:
        """The size before the turn of a picture of ``size`` (width, height)."""
        return (size[1], size[0]) if self.swaps_sides else size


def orientation_from_matrix(matrix: bytes) -> Orientation | None:
    """Read a display matrix.

    Args:
        matrix: Nine native-endian 32-bit integers ``a b u c d v x y w``; a point goes
            to ``(a x + c y, b x + d y)``.

    Returns:
        The turn, or None if the matrix is not a turn by whole quarters (nothing sane
        writes one; the picture is then shown as stored).
    """
    if len(matrix) < _MATRIX.size:
        return None
    a, b, _, c, d = (v / _FIXED_POINT for v in _MATRIX.unpack_from(matrix)[:5])
    scale = max(abs(a), abs(b), abs(c), abs(d))
    if scale == 0:
        return Orientation()  # a broken muxer wrote zeros
    a, b, c, d = a / scale, b / scale, c / scale, d / scale
    mirrored = a * d - b * c < 0
    if mirrored:  # undo the flip of x, the last step
        a, c = -a, -c
    exact = (round(a), round(b))
    near = max(abs(a - exact[0]), abs(b - exact[1]), abs(a - d), abs(b + c))
    if near > TURN_TOLERANCE or exact not in _CLOCKWISE:
        return None
    return Orientation(_CLOCKWISE[exact], mirrored)


def frame_orientation(frame: av.VideoFrame) -> Orientation | None:
    """The orientation a decoded picture carries; None for a turn that is not exact."""
    try:
        data = cast("Buffer | None", frame.side_data.get("DISPLAYMATRIX"))
    except ValueError:  # PyAV does not know a newer kind of side data (spatial video)
        turn = round(-frame.rotation / 90) * 90 % 360
        return Orientation(turn) if turn == -frame.rotation % 360 else None
    return Orientation() if data is None else orientation_from_matrix(bytes(data))


def sane_sample_aspect(ratio: Fraction | None) -> Fraction | None:
    """A usable sample aspect ratio; 1 if the file names none, None if it is absurd."""
    if not ratio:
        return Fraction(1)
    if ratio < 0 or not Fraction(1, MAX_SAMPLE_ASPECT) <= ratio <= MAX_SAMPLE_ASPECT:
        return None
    return ratio


def displayed_size(
    stored: tuple[int, int], aspect: Fraction, orientation: Orientation
) -> tuple[int, int]:
    """Width and height on a screen with square pixels.

    Args:
        stored: Width and height as coded, in pixels.
        aspect: Width of a stored pixel over its height; it scales the stored width.
        orientation: The turn.

    Returns:
        ``(width, height)`` in pixels.
    """
    width = max(1, int(stored[0] * aspect + Fraction(1, 2)))
    return (stored[1], width) if orientation.swaps_sides else (width, stored[1])


class PictureConverter:
    """Makes displayed RGB pictures out of decoded ones. Not for several threads.

    Args:
        orientation: The turn.
        size: ``(width, height)`` of the result. Pictures of other sizes, also where
            the size changes in mid-stream, are scaled to it with a bicubic filter.
    """

    def __init__(self, orientation: Orientation, size: tuple[int, int]) -> None:
        self._orientation = orientation
        self._scaler = Scaler(orientation.stored_size(size))

    def view(self, frame: av.VideoFrame) -> FrameArray:
        """One displayed picture, not necessarily contiguous.

        Args:
            frame: As the decoder gave it.

        Returns:
            uint8 ``(H, W, 3)``, RGB.
        """
        return self._orientation.apply(self._scaler.rgb(frame))

    def picture(self, frame: av.VideoFrame) -> FrameArray:
        """One displayed picture, contiguous and writable; see :meth:`view`."""
        return np.array(self.view(frame), order="C")
