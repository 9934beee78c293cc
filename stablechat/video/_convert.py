"""Swscale, told what the numbers in a picture mean."""

from __future__ import annotations

from typing import cast

import av
import numpy as np
from av.video.reformatter import Interpolation, VideoReformatter

from stablechat.types import FrameArray
from stablechat.video._tonemap import ToneMapper
from stablechat.video.color import (
    SDR,
    ColorSpace,
    SourceColor,
    source_color,
    tagged_for_swscale,
)

#: Swscale's flag, by its number: PyAV has no name for it before version 18.
_ACCURATE_RND = 0x40000
#: Bicubic that widens when shrinking, so small pictures are not aliased.
FILTER = int(Interpolation.BICUBIC) | _ACCURATE_RND
#: Swscale filters lines with half the picture's height times the threads; one thread
#: a picture is fastest while the decoder has the others busy.
_SCALER_THREADS = 1


class Scaler:
    """Makes pictures of one size, for an ordinary screen. Not for several threads.

    What may be transparent is put on black.

    Args:
        size: ``(width, height)`` of the results. Pictures of other sizes, also where
            the size changes in mid-stream, are scaled to it with a bicubic filter.
    """

    def __init__(self, size: tuple[int, int]) -> None:
        self._size = size
        self._last = VideoReformatter()
        self._mapper = ToneMapper()
        self._before = VideoReformatter()  # keeping each one's tables is much faster

    def rgb(self, frame: av.VideoFrame) -> FrameArray:
        """A picture in RGB.

        Args:
            frame: As the decoder gave it.

        Returns:
            uint8 ``(H, W, 3)``; a view of a picture that nothing else uses.
        """
        return plane_view(self._scaled(frame, "rgb24", SDR), 0, channels=3)

    def yuv(
        self, frame: av.VideoFrame, layout: str, color: ColorSpace
    ) -> av.VideoFrame:
        """A picture in YUV.

        Args:
            frame: As the decoder gave it.
            layout: FFmpeg's name of the pixel format.
            color: What its numbers shall mean.

        Returns:
            The picture, tagged with matrix and range.
        """
        return self._scaled(frame, layout, color)

    def _scaled(
        self, frame: av.VideoFrame, layout: str, color: ColorSpace
    ) -> av.VideoFrame:
        plain = self._plain(frame)
        source = source_color(plain)
        if source.needs_mapping:  # slow, so after any shrinking
            name = plain.format.name
            plain = reformat(self._last, plain, source, self._size, name, source)
            return self._mapper.to_sdr(plain, source, layout, color)
        return reformat(self._last, plain, source, self._size, layout, color)

    def _plain(self, frame: av.VideoFrame) -> av.VideoFrame:
        """The same picture in a form that swscale alone converts as it should."""
        source = source_color(frame)
        size = frame.width, frame.height
        if source.has_alpha:
            rgba = reformat(self._before, frame, source, size, "rgba", SDR)
            flat = av.VideoFrame.from_ndarray(_on_black(rgba), "rgb24")
            return _with_light_of(frame, flat)
        if not source.full_range and frame.format.name.startswith("gray"):
            # Swscale takes all gray for full range; as luma it believes the tag.
            kept = ColorSpace("bt709", True, source.primaries, source.transfer)
            luma = reformat(self._before, frame, source, size, "yuv420p", kept)
            luma.color_range = source.swscale_range
            return _with_light_of(frame, luma)
        return frame


def _with_light_of(frame: av.VideoFrame, result: av.VideoFrame) -> av.VideoFrame:
    """``result`` with the tags that conversions between YUV and RGB leave alone."""
    result.color_primaries, result.color_trc = frame.color_primaries, frame.color_trc
    return result


def _on_black(rgba: av.VideoFrame) -> FrameArray:
    """Blend ``(H, W)`` of RGBA with black: uint8 ``(H, W, 3)``."""
    view = plane_view(rgba, 0, channels=4)
    color, alpha = view[..., :3].astype(np.uint16), view[..., 3:]
    return ((color * alpha + 127) // 255).astype(np.uint8)


def reformat(
    reformatter: VideoReformatter,
    frame: av.VideoFrame,
    source: SourceColor,
    size: tuple[int, int],
    layout: str,
    color: ColorSpace | SourceColor,
) -> av.VideoFrame:
    """Scale and convert a picture with every number's meaning said.

    Args:
        reformatter: Swscale's tables; a new set is made when the rest changes.
        frame: The picture.
        source: What it means.
        size: ``(width, height)`` of the result.
        layout: FFmpeg's name of the result's pixel format.
        color: Matrix and range of the result; without effect on RGB.

    Returns:
        The result, or ``frame`` itself where there is nothing to do.
    """
    width, height = size
    with tagged_for_swscale(frame, source):
        return reformatter.reformat(
            frame,
            width=width,
            height=height,
            format=layout,
            dst_colorspace=color.swscale_matrix,
            dst_color_range=color.swscale_range,
            interpolation=FILTER,
            threads=_SCALER_THREADS,
        )


def plane_view(frame: av.VideoFrame, index: int, channels: int = 1) -> FrameArray:
    """The samples of one plane of 8 bits, without a copy.

    Args:
        frame: The picture; it stays in memory as long as the view.
        index: The plane's number.
        channels: Samples a pixel.

    Returns:
        uint8 ``(H, W)``, or ``(H, W, channels)`` for more than one.
    """
    plane = frame.planes[index]
    buffer = cast(memoryview, plane)  # it is a buffer, which its stubs do not say
    rows: FrameArray = np.frombuffer(buffer, np.uint8)
    rows = rows.reshape(plane.height, abs(plane.line_size))
    if plane.line_size < 0:  # stored from the bottom up
        rows = rows[::-1]
    samples = rows[:, : plane.width * channels]
    if channels == 1:
        return samples
    return samples.reshape(plane.height, plane.width, channels)
