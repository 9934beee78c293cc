"""The pictures of a clip, one after the other, and what is drawn on them."""

from __future__ import annotations

import numpy as np

from render.boxes import box_patches, line_thickness
from render.drawing import YuvPainter
from render.encoding import ClipOptions
from render.patches import Patch
from render.plan import CutPlan, box_on_screen
from render.trails import trail_patches, trail_points
from stablechat.types import FloatArray, FrameArray, Grounding, VideoInfo
from stablechat.video import Timeline
from stablechat.video.color import ColorSpace


def scaled_size(video: VideoInfo, max_side: int) -> tuple[int, int]:
    """The size of a video's pictures once they are scaled down to fit.

    Args:
        video: The video.
        max_side: Longest side, in pixels.

    Returns:
        ``(width, height)``, each at least 1; the video's own if that fits.
    """
    scale = min(1.0, max_side / max(video.width, video.height))
    return max(1, round(video.width * scale)), max(1, round(video.height * scale))


class Scene:
    """Where the box is on each picture of a clip, and how it is drawn.

    Args:
        grounding: The answer.
        timeline: Of its video.
        plan: Which moments are the clip's pictures.
        options: Whether and how the box is drawn.
        color: What the planes of the pictures mean.
        size: ``(width, height)`` of the pictures before they are made even.
    """

    def __init__(
        self,
        grounding: Grounding,
        timeline: Timeline,
        plan: CutPlan,
        options: ClipOptions,
        color: ColorSpace,
        size: tuple[int, int],
    ) -> None:
        video = grounding.video
        self._plan = plan
        self._timeline = timeline
        self._tube = grounding.tube if options.draw_boxes else None
        self._label = _label(grounding, options)
        self._style = options.style
        self._trail_seconds = options.trail_seconds
        self._painter = YuvPainter(color)
        width, height = size
        #: H.264 needs even sizes. The last row and column are repeated, so that the
        #: picture stays where it is and boxes need no change.
        self.size = (width + width % 2, height + height % 2)
        self._scale: FloatArray = np.tile(
            [width / video.width, height / video.height], 2
        )

    def draw(self, index: int, picture: FrameArray) -> None:
        """Draw the box, and the way it came, on a picture, in place.

        Args:
            index: Number of the picture in the clip.
            picture: uint8 ``(H * 3 // 2, W)``, I420.
        """
        shown = self._timeline.index_at(self._plan.shown_at(index))
        since = float(self._timeline.seconds[shown])
        box = box_on_screen(self._tube, self._plan.time_of(index), since, self._plan)
        if box is None:
            return
        self._painter.draw(picture, self._trail(since))
        box = box * self._scale
        patches = box_patches(self.size, box, self._label, self._style)
        self._painter.draw(picture, patches)

    def _trail(self, moment: float) -> list[Patch]:
        if self._tube is None or not self._trail_seconds:
            return []
        points = trail_points(self._tube, moment, self._trail_seconds)
        points[:, :2] *= self._scale[:2]
        thickness = line_thickness(*self.size, self._style)
        colors = (self._style.color_rgb, self._style.outline_rgb)
        return trail_patches(points, self.size, thickness, *colors)


def _label(grounding: Grounding, options: ClipOptions) -> str | None:
    if not options.label:
        return None
    return grounding.query if options.label_text is None else options.label_text
