"""What is laid over a rectangle of a picture: some of it stays, some colour is added.

A patch is linear in the picture, so the same patch serves RGB and, its colours
converted, Y'CbCr: drawing needs no conversion of the picture itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from render.labels import ColorRGB, LabelPicture
from stablechat.types import FrameArray

#: Colour values times 255.
Weighted: TypeAlias = npt.NDArray[np.uint16]


@dataclass(frozen=True, eq=False)
class Patch:
    """A rectangle of a picture that becomes ``(picture * keep + add) / 255``.

    Where all columns (or rows) of the rectangle are alike, ``keep`` and ``add`` hold
    one of them.

    Attributes:
        left: Left edge in pixels.
        top: Top edge in pixels.
        width: Of the rectangle, in pixels.
        height: Of the rectangle, in pixels.
        keep: uint8 ``(height or 1, width or 1)``, 255 where the picture stays.
        add: uint16 ``(3, height or 1, width or 1)``, red, green and blue, each at most
            ``255 * (255 - keep)``. Read-only if it is laid on many pictures.
    """

    left: int
    top: int
    width: int
    height: int
    keep: FrameArray
    add: Weighted

    def lay_on(self, canvas: FrameArray) -> None:
        """Lay the patch over an RGB picture, in place.

        Args:
            canvas: uint8 ``(H, W, 3)``; the patch must lie inside it.
        """
        rows = slice(self.top, self.top + self.height)
        pixels = canvas[rows, self.left : self.left + self.width]
        for channel in range(3):
            lay(pixels[:, :, channel], self.keep, self.add[channel])


def lay(pixels: FrameArray, keep: FrameArray, add: Weighted) -> None:
    """Mix ``add`` into one channel, in place; where ``keep`` is 255 it stays as it is.

    Args:
        pixels: uint8 ``(h, w)``.
        keep: uint8, broadcast to it.
        add: uint16, broadcast to it, at most ``255 * (255 - keep)``.
    """
    mixed = np.multiply(pixels, keep, dtype=np.uint16)
    mixed += add
    mixed += 127  # rounds; the sum is at most 255 * 255 + 127
    mixed //= 255
    pixels[:] = mixed


def coat_patch(
    region: tuple[int, int, int, int],
    over: tuple[ColorRGB, FrameArray],
    under: tuple[ColorRGB, FrameArray],
) -> Patch:
    """Two coats of paint: one colour over another over the picture.

    Args:
        region: Left, top, right, bottom in pixels, the last two exclusive.
        over: Colour of the upper coat, and uint8 ``(h or 1, w or 1)``, 255 where it
            hides everything.
        under: The same of the lower coat.

    Returns:
        The patch.
    """
    left, top, right, bottom = region
    (over_color, over_alpha), (under_color, under_alpha) = over, under
    seen = np.multiply(255 - over_alpha, under_alpha, dtype=np.uint16)
    under_weight = ((seen + 127) // 255).astype(np.uint8)
    add = np.empty((3, *over_alpha.shape), np.uint16)
    for channel in range(3):
        np.multiply(over_alpha, over_color[channel], dtype=np.uint16, out=add[channel])
        add[channel] += under_weight * np.uint16(under_color[channel])
    keep = 255 - over_alpha - under_weight
    return Patch(left, top, right - left, bottom - top, keep, add)


@lru_cache(maxsize=32)
def _label_paint(picture: LabelPicture) -> tuple[FrameArray, Weighted]:
    """The ``keep`` and ``add`` of a label; read-only, because they are kept here."""
    alpha = picture.alpha[:, :, 0]
    keep: FrameArray = 255 - alpha
    channels = np.moveaxis(picture.rgb, -1, 0)
    add: Weighted = np.multiply(channels, alpha, dtype=np.uint16)
    keep.flags.writeable = add.flags.writeable = False
    return keep, add


def label_patch(left: int, top: int, picture: LabelPicture) -> Patch:
    """A label whose upper left corner is at a place in pixels."""
    keep, add = _label_paint(picture)
    return Patch(left, top, picture.width, picture.height, keep, add)
