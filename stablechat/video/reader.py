"""Displayed pictures by time, for drawing over a stretch of a video."""

from __future__ import annotations

from collections.abc import Iterator
from types import TracebackType
from typing import Literal

import numpy as np

from stablechat.types import FrameArray, TimeSpan, VideoInfo
from stablechat.video._inspect import inspect
from stablechat.video._open import foreign_errors, printable_name
from stablechat.video._pictures import Numbered, PictureStream, Playhead
from stablechat.video._planes import PlaneConverter, Planes, joined
from stablechat.video.color import SDR, ColorSpace
from stablechat.video.limits import VideoLimits
from stablechat.video.orient import PictureConverter
from stablechat.video.sampling import checked_size, indices_in_span, orientation_of

PixelFormat = Literal["rgb24", "yuv420p"]
View = FrameArray | Planes


class FrameReader:
    """The pictures of a video, or of a span of it, as a person sees them.

    A context manager: it holds an open file, closed by ``with`` or :meth:`close`.
    Only the span is decoded (from the key picture before it). Pictures are found by
    their own times, so rate, gaps and B-frames do not matter. Not for several threads.

    Pictures are uint8 arrays, contiguous, the caller's own to draw on: ``(H, W, 3)``
    RGB, or with ``yuv420p`` ``(H * 3 // 2, W)`` in the layout that OpenCV calls I420
    (Y, then U and V as ``H // 4`` rows each), where W and H are even: the last column
    or row of an odd picture is repeated. :attr:`color` says what those planes mean;
    8-bit 4:2:0 of unchanged size is copied to the bit. RGB is that of an ordinary
    screen. What may be transparent is put on black.

    Args:
        video: What :func:`stablechat.video.probe` said.
        span: Seconds on the container's clock; None for the whole video.
        size: ``(width, height)`` of the pictures; None for the displayed size.
        pixel_format: ``rgb24`` or ``yuv420p``.
        limits: What to refuse.

    Raises:
        VideoError: If the file can't be read any more.
        InputError: If ``span`` or ``size`` is out of range.
    """

    def __init__(
        self,
        video: VideoInfo,
        span: TimeSpan | None = None,
        size: tuple[int, int] | None = None,
        *,
        pixel_format: PixelFormat = "rgb24",
        limits: VideoLimits | None = None,
    ) -> None:
        self.video = video
        self._name = printable_name(video.path)
        self._timeline = inspect(video.path, limits).timeline
        self._first, self._last = indices_in_span(self._timeline, span)
        if span is not None:  # the picture on screen when the span begins belongs to it
            self._first = min(self._first, self._timeline.index_at(span.start_seconds))
        size = checked_size(video, size)
        kind = PlaneConverter if pixel_format == "yuv420p" else PictureConverter
        self._converter = kind(orientation_of(video), size)
        self._stream = PictureStream(video.path, self._timeline, limits)
        self._playhead: Playhead | None = None
        self._wanted = self._first
        self._cached: tuple[int, View] | None = None

    def __enter__(self) -> FrameReader:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc_value: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file; may be called twice."""
        self._playhead = None
        self._stream.close()

    @property
    def num_frames(self) -> int:
        """Pictures in the span, the one on screen at its start included."""
        return self._last - self._first + 1

    @property
    def color(self) -> ColorSpace:
        """What the planes mean, for all pictures; for RGB, what it is best made into.

        The first picture that is asked for decides it; one is decoded now if none has
        been.

        Raises:
            VideoError: If nothing can be decoded.
        """
        if isinstance(self._converter, PictureConverter):
            return SDR
        with foreign_errors(self._name, "decoded"):
            _, frame = self._go_to(self._wanted)
            return self._converter.color(frame)

    def at(self, time_seconds: float) -> FrameArray:
        """The picture on screen at a moment.

        Cheap when called with times that do not decrease; a step back seeks.

        Args:
            time_seconds: Seconds on the container's clock. Outside the span the
                first or the last picture of the span is given.

        Returns:
            uint8 ``(H, W, 3)`` or ``(H * 3 // 2, W)``, the caller's own to draw on.

        Raises:
            VideoError: If nothing can be decoded.
        """
        index = self._timeline.index_at(time_seconds)
        return _own(self._view(min(max(index, self._first), self._last))[1])

    def frames(self) -> Iterator[tuple[float, FrameArray]]:
        """All pictures of the span, each once, in the order they are shown.

        Yields:
            ``(pts_seconds, picture)``: when the picture comes on screen, in seconds
            on the container's clock, and the caller's own array, as :meth:`at` gives.
            The first may have come on before the span begins. Pictures that can't be
            decoded are left out.

        Raises:
            VideoError: If nothing can be decoded.
        """
        shown = -1
        for index in range(self._first, self._last + 1):
            number, view = self._view(index)
            if number > shown:
                shown = number
                yield float(self._timeline.seconds[number]), _own(view)

    def _view(self, index: int) -> tuple[int, View]:
        """The picture with this number; converted once, however often it is shown."""
        with foreign_errors(self._name, "decoded"):
            number, frame = self._go_to(index)
            if self._cached is None or self._cached[0] != number:
                self._cached = (number, self._converter.view(frame))
        return self._cached

    def _go_to(self, index: int) -> Numbered:
        ahead = index > self._wanted and self._stream.worth_seeking(self._wanted, index)
        if self._playhead is None or index < self._wanted or ahead:
            first_tick = int(self._timeline.ticks[index])
            pictures = self._stream.pictures(index, first_tick.__le__)
            self._playhead = Playhead(pictures)
        self._wanted = index
        return self._playhead.go_to(index)


def _own(view: View) -> FrameArray:
    """The one copy of a picture, made from what the converter or the decoder holds."""
    return joined(view) if isinstance(view, tuple) else np.array(view, order="C")
