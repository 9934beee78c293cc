"""Displayed pictures as planes of YUV 4:2:0, copied untouched wherever that is right.

Most videos are 8-bit 4:2:0 and so are most clips: without a way through RGB and back
nothing is lost and little time is spent.
"""

from __future__ import annotations

import av
import numpy as np
from av.video.reformatter import VideoReformatter

from stablechat.types import FrameArray
from stablechat.video._convert import Scaler, plane_view, reformat
from stablechat.video.color import ColorSpace, source_color
from stablechat.video.orient import Orientation

Planes = tuple[FrameArray, FrameArray, FrameArray]

_EIGHT_BIT_420 = frozenset({"yuv420p", "yuvj420p", "nv12"})
_TILE = 64  # turned in squares that fit the cache, twice as fast as in whole rows


class PlaneConverter:
    """Makes displayed YUV pictures out of decoded ones. Not for several threads.

    Args:
        orientation: The turn.
        size: ``(width, height)`` of the displayed picture. Pictures of other sizes are
            scaled to it with a bicubic filter.
    """

    def __init__(self, orientation: Orientation, size: tuple[int, int]) -> None:
        self._orientation = orientation
        self._size = size
        self._stored_size = orientation.stored_size(size)
        self._scaler = Scaler(self._stored_size)
        self._subsampler = VideoReformatter()
        self._color: ColorSpace | None = None
        # A chroma sample covers two pixels, counted from the left and the top. If an
        # odd side is turned about, they would be counted from the wrong end.
        odd = self._stored_size[0] % 2, self._stored_size[1] % 2
        self._splits_pairs = any(
            side and flip for side, flip in zip(odd, orientation.flips, strict=True)
        )

    def color(self, frame: av.VideoFrame) -> ColorSpace:
        """What the planes mean: the first picture that is seen decides for all."""
        if self._color is None:
            self._color = source_color(frame).sdr
        return self._color

    def view(self, frame: av.VideoFrame) -> Planes:
        """The planes of one displayed picture, not necessarily contiguous.

        Args:
            frame: As the decoder gave it.

        Returns:
            Y uint8 ``(H, W)``; U and V uint8, each of half the sides, rounded up.
        """
        color = self.color(frame)
        if not self._is_usable(frame) or source_color(frame).sdr != color:
            if self._splits_pairs:
                return _split(self._turned_first(frame, color))
            frame = self._scaler.yuv(frame, "yuv420p", color)
        y, u, v = _split(frame)
        turn = self._orientation.apply
        return turn(y), turn(u), turn(v)

    def _is_usable(self, frame: av.VideoFrame) -> bool:
        """Whether the picture's own planes can be shown as they are."""
        color = source_color(frame)
        return (
            frame.format.name in _EIGHT_BIT_420
            and (frame.width, frame.height) == self._stored_size
            and color.is_sdr_yuv
            and not color.full_range
            and not self._splits_pairs
        )

    def _turned_first(self, frame: av.VideoFrame, color: ColorSpace) -> av.VideoFrame:
        """A picture turned with a chroma sample for every pixel, then subsampled."""
        whole = self._scaler.yuv(frame, "yuv444p", color)
        planes = [self._orientation.apply(plane_view(whole, i)) for i in range(3)]
        turned = av.VideoFrame.from_ndarray(np.stack(planes), "yuv444p")
        turned.colorspace, turned.color_range = whole.colorspace, whole.color_range
        source = source_color(turned)
        return reformat(self._subsampler, turned, source, self._size, "yuv420p", color)


def _split(frame: av.VideoFrame) -> Planes:
    if frame.format.name == "nv12":
        chroma = plane_view(frame, 1, channels=2)
        return plane_view(frame, 0), chroma[..., 0], chroma[..., 1]
    return plane_view(frame, 0), plane_view(frame, 1), plane_view(frame, 2)


def joined(planes: Planes) -> FrameArray:
    """Copy planes into one array, in the layout that OpenCV calls I420.

    Args:
        planes: Y uint8 ``(H, W)``; U and V of half the sides, rounded up.

    Returns:
        uint8 ``(H * 3 // 2, W)``, both sides rounded up to even ones by repeating the
        last row and column: all rows of Y, then U and V as ``H // 4`` rows each, two
        rows of theirs in one (half a row is left over where H is not a multiple of 4).
    """
    y, u, v = planes
    height, width = y.shape[0] + y.shape[0] % 2, y.shape[1] + y.shape[1] % 2
    out = np.empty((height * 3 // 2, width), np.uint8)
    chroma = out[height:].reshape(2, height // 2, width // 2)
    _fill(out[:height], y)
    _fill(chroma[0], u)
    _fill(chroma[1], v)
    return out


def _fill(target: FrameArray, plane: FrameArray) -> None:
    """Copy a plane into an array that is as large or one row or column larger."""
    height, width = plane.shape
    inner = target[:height, :width]
    if plane.strides[1] == 1 or plane.strides[1] == -1:
        inner[:] = plane
    else:
        for top in range(0, height, _TILE):
            for left in range(0, width, _TILE):
                tile = slice(top, top + _TILE), slice(left, left + _TILE)
                inner[tile] = plane[tile]
    target[height:, :width] = plane[-1]
    target[:, width:] = target[:, width - 1 : width]
