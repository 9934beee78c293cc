"""Drawing on planar YUV 4:2:0 pictures, as decoders give them and encoders take them.

The picture is never converted: the colours of the paint are, and mixed into its planes.
What a patch does not touch stays as it is, to the bit.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TypeVar

import cv2
import numpy as np
import numpy.typing as npt

from render.patches import Patch, Weighted, lay
from stablechat.types import FrameArray
from stablechat.video.color import ColorSpace

Channel = TypeVar("Channel", FrameArray, Weighted)

#: Share of red and of blue in the brightness; green has the rest.
_RED_BLUE = {"bt601": (0.299, 0.114), "bt709": (0.2126, 0.0722)}


class YuvPainter:
    """Lays patches over I420 pictures of one kind. Not for several threads.

    Args:
        color: What the planes of the pictures mean.
    """

    def __init__(self, color: ColorSpace) -> None:
        self._matrix, self._offset = yuv_from_rgb(color)
        self._kept: tuple[Weighted, Weighted] | None = None

    def draw(self, frame: FrameArray, patches: Iterable[Patch]) -> None:
        """Lay patches over a picture, in place.

        Args:
            frame: uint8 ``(H * 3 // 2, W)``, C-contiguous: the rows of Y, then U, then
                V, as ``cv2.COLOR_YUV2RGB_I420`` takes them. H and W are even.
            patches: Inside the picture, in the order they are laid.
        """
        height, width = frame.shape[0] * 2 // 3, frame.shape[1]
        luma = frame[:height]
        chroma = frame[height:].reshape(2, height // 2, width // 2)
        for patch in patches:
            self._lay(luma, chroma, patch)

    def _lay(self, luma: FrameArray, chroma: FrameArray, patch: Patch) -> None:
        top, left = patch.top, patch.left
        bottom, right = top + patch.height, left + patch.width
        paint = self._converted(patch)
        lay(luma[top:bottom, left:right], patch.keep, paint[0])
        # One value of chroma stands for four pixels and gets the mean of their paint.
        # Cells that no paint touches are kept exactly: the mean of 255 is 255.
        cells = np.s_[top // 2 : (bottom + 1) // 2, left // 2 : (right + 1) // 2]
        edges = (top % 2, bottom % 2, left % 2, right % 2)
        weight = _halved(255 - patch.keep, edges)
        most = np.multiply(weight, 255, dtype=np.uint16)
        for plane, full in zip(chroma, paint[1:], strict=True):
            lay(plane[cells], 255 - weight, np.minimum(_halved(full, edges), most))

    def _converted(self, patch: Patch) -> Weighted:
        """The patch's paint as Y, U and V: uint16 ``(3, h or 1, w or 1)``."""
        if self._kept is not None and self._kept[0] is patch.add:
            return self._kept[1]
        weight = 255 - patch.keep.astype(np.float32)
        yuv = self._matrix @ patch.add.reshape(3, -1).astype(np.float32)
        yuv += self._offset[:, None] * weight.reshape(1, -1) + 0.5
        # Rounding may not take it over what the mixing allows.
        np.clip(yuv, 0, 255 * weight.reshape(1, -1), out=yuv)
        paint = yuv.astype(np.uint16).reshape(patch.add.shape)
        if not patch.add.flags.writeable:  # a label, the same on every picture
            self._kept = (patch.add, paint)
        return paint


def yuv_from_rgb(
    color: ColorSpace,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """The conversion of RGB to 8-bit YUV: ``yuv = matrix @ rgb + offset``.

    Args:
        color: What YUV means.

    Returns:
        float32 ``(3, 3)`` and ``(3,)``; all values are 0..255.
    """
    red, blue = _RED_BLUE[color.matrix]
    luma = np.array([red, 1 - red - blue, blue])
    rows = np.stack(
        [
            luma,
            (np.array([0, 0, 1]) - luma) / (2 * (1 - blue)),
            (np.array([1, 0, 0]) - luma) / (2 * (1 - red)),
        ]
    )
    scale = [1, 1, 1] if color.full_range else [219 / 255, 224 / 255, 224 / 255]
    offset = [0 if color.full_range else 16, 128, 128]
    matrix = rows * np.array(scale)[:, None]
    return matrix.astype(np.float32), np.array(offset, dtype=np.float32)


def _halved(values: Channel, edges: tuple[int, int, int, int]) -> Channel:
    """Means of 2x2 pixels.

    Args:
        values: uint8 or uint16 ``(h, w)``; a side of 1 says that all rows (columns)
            are alike.
        edges: Whether a first row, last row, first column, last column is missing to
            whole cells; there is no paint on these.

    Returns:
        Of the same type, half the size; a side of 1 stays.
    """
    if any(edges):
        padded = cv2.copyMakeBorder(values, *edges, cv2.BORDER_CONSTANT, value=0)
        values = np.asarray(padded, dtype=values.dtype)
    height, width = values.shape
    size = (max(1, width // 2), max(1, height // 2))
    half = cv2.resize(values, size, interpolation=cv2.INTER_AREA)
    return np.asarray(half, dtype=values.dtype)
