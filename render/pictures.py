"""The pictures of a clip, part by part, with what is drawn on them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, closing

from render.encoding import ClipOptions
from render.parts import ClipPart
from render.scene import Scene, scaled_size
from stablechat.types import FrameArray
from stablechat.video import FrameReader, Timeline
from stablechat.video.ahead import read_ahead


class DrawnPictures:
    """Decodes and draws the pictures of a clip, once. To be closed.

    Args:
        parts: At least one, of one video.
        timeline: Of the video.
        options: The size, and what is drawn.

    Raises:
        VideoError: The video can no longer be read; here, or while it is gone through.
    """

    def __init__(
        self, parts: Sequence[ClipPart], timeline: Timeline, options: ClipOptions
    ) -> None:
        self._parts = parts
        self._timeline = timeline
        self._options = options
        self._open = ExitStack()
        self._reader, self._scene = self._begin(parts[0])
        #: What the planes of the pictures mean.
        self.color = self._reader.color
        #: ``(width, height)`` of the pictures, both even.
        self.size = self._scene.size

    def __iter__(self) -> Iterator[FrameArray]:
        """uint8 ``(H * 3 // 2, W)`` each, I420."""
        for number, part in enumerate(self._parts):
            if number:
                self._open.close()
                self._reader, self._scene = self._begin(part)
            moments = (part.plan.shown_at(i) for i in range(part.plan.num_frames))
            ahead = read_ahead(map(self._reader.at, moments))
            for index, picture in enumerate(self._open.enter_context(closing(ahead))):
                self._scene.draw(index, picture)
                yield picture

    def close(self) -> None:
        """Close the video; may be called twice."""
        self._open.close()

    def _begin(self, part: ClipPart) -> tuple[FrameReader, Scene]:
        video, plan = part.grounding.video, part.plan
        size = scaled_size(video, self._options.max_side)
        reader = FrameReader(video, plan.span, size=size, pixel_format="yuv420p")
        self._open.enter_context(reader)
        scene = Scene(
            part.grounding, self._timeline, plan, self._options, reader.color, size
        )
        return reader, scene
