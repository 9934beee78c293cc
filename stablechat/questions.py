"""A request, checked and put into the words the model was trained with."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np

from stablechat import prompts
from stablechat.errors import InputError
from stablechat.grounding import span_to_unit, xyxy_to_unit
from stablechat.last_row import TIMES_BEFORE_ROWS, LastRow
from stablechat.types import NUM_BINS, FloatArray, Task, TimeSpan, VideoInfo

#: Tasks whose answer is a time or a box.
GROUNDING_TASKS: tuple[Task, ...] = tuple(
    task for task in get_args(Task) if task != "describe"
)


@dataclass(frozen=True)
class Question:
    """What is asked about a video, before the video is known.

    Attributes:
        query: What the person typed; ELC needs none.
        task: How it is asked.
        span: The stretch of time that an SVG question names.
        region: xyxy in pixels, the thing that an ELC question is about.
        start_seconds: When the event of an ELC question starts.
    """

    query: str
    task: Task
    span: TimeSpan | None = None
    region: Sequence[float] | FloatArray | None = None
    start_seconds: float | None = None

    def __post_init__(self) -> None:
        if self.task not in GROUNDING_TASKS:
            raise InputError(
                "There is no task {task!r}; use {choices}.",
                task=self.task,
                choices=", ".join(GROUNDING_TASKS),
            )
        self._check_times()
        if self.task == "elc":
            self._check_region()
        else:
            # Raises for an empty question, before anything slow begins.
            prompts.clean_query(self.query)

    def _check_times(self) -> None:
        if (self.span is not None) != (self.task == "svg"):
            raise InputError(
                "Task svg needs the span that is asked about."
                if self.task == "svg"
                else "Only task svg takes a span; to look at a part of the video, "
                "give it as the segment."
            )
        is_elc = self.task == "elc"
        if (self.region is not None) != is_elc or (
            self.start_seconds is not None
        ) != is_elc:
            raise InputError(
                "Task elc needs a region (x1, y1, x2, y2 in pixels) and a start."
                if is_elc
                else "Only task elc takes a region and a start."
            )

    def _check_region(self) -> None:
        region = np.asarray(self.region, np.float64)
        if region.shape != (4,) or not np.isfinite(region).all():
            raise InputError(
                "region must be four numbers, got {region}.", region=self.region
            )
        start = self.start_seconds
        if start is None or not math.isfinite(start) or start < 0:
            raise InputError(
                "start must be 0 seconds or later, got {start}.", start=start
            )

    def prompt(self, video: VideoInfo, pts_seconds: FloatArray) -> str:
        """The question in the model's words.

        Args:
            video: What it is about.
            pts_seconds: float64 ``(N,)``, times of the frames the model sees.

        Raises:
            InputError: The time or the place lies outside of what the model sees.
        """
        if self.task == "svg" and self.span is not None:
            self._check_seen(self.span, video, pts_seconds)
            return prompts.svg_prompt(self.query, span_to_unit(self.span, pts_seconds))
        if self.task == "elc" and self.region is not None:
            self._check_inside(video)
            return prompts.elc_prompt(
                self._start_unit(pts_seconds),
                xyxy_to_unit(self.region, video.width, video.height),
            )
        return _PLAIN_PROMPTS[self.task](self.query)

    def last_row(
        self, first_time_token: int, pts_seconds: FloatArray
    ) -> LastRow | None:
        """What tells that an answer is complete; None where it has no rows.

        Args:
            first_time_token: Id of ``<TEMP-000>``.
            pts_seconds: float64 ``(N,)``, times of the frames the model sees.
        """
        if self.task == "svg" and self.span is not None:
            end_unit = span_to_unit(self.span, pts_seconds)[1]
            end_bin = round(min(max(end_unit, 0.0), 1.0) * (NUM_BINS - 1))
            return LastRow(first_time_token, 0, end_bin)
        times = TIMES_BEFORE_ROWS.get(self.task)
        return None if times is None else LastRow(first_time_token, times)

    def _check_seen(
        self, span: TimeSpan, video: VideoInfo, pts_seconds: FloatArray
    ) -> None:
        # The last picture stays for as long as one does.
        first, end = pts_seconds[0], pts_seconds[-1] + float(1 / video.fps)
        if span.start_seconds >= end or span.end_seconds < first:
            raise InputError(
                "The span goes from {start:.2f} to {end:.2f} seconds and the frames "
                "from {first:.2f} to {last:.2f}; choose one among them.",
                start=span.start_seconds,
                end=span.end_seconds,
                first=first,
                last=pts_seconds[-1],
            )

    def _check_inside(self, video: VideoInfo) -> None:
        xs, ys = np.asarray(self.region, np.float64).reshape(2, 2).T
        outside = xs.max() < 0 or ys.max() < 0
        if outside or xs.min() > video.width or ys.min() > video.height:
            raise InputError(
                "The region lies outside of the picture, which has {width}x{height} "
                "pixels.",
                width=video.width,
                height=video.height,
            )

    def _start_unit(self, pts_seconds: FloatArray) -> float:
        start = self.start_seconds or 0.0
        if start > pts_seconds[-1]:
            raise InputError(
                "The start is at {start:.2f} seconds and the last frame at "
                "{last:.2f}; choose an earlier one.",
                start=start,
                last=pts_seconds[-1],
            )
        # 0 is the beginning, wherever the clock of a file starts.
        if 0 < start < pts_seconds[0]:
            raise InputError(
                "The start is at {start:.2f} seconds and the first frame at "
                "{first:.2f}; choose a later one.",
                start=start,
                first=pts_seconds[0],
            )
        return span_to_unit(TimeSpan(start, start), pts_seconds)[0]


def check_looked_at(
    task: Task,
    segment: TimeSpan | None,
    at_seconds: float | None,
    *,
    is_read: bool = False,
) -> None:
    """Refuse what a task does not look at.

    Args:
        task: How it is asked.
        segment: The part of the video that is looked at.
        at_seconds: The picture that is looked at.
        is_read: Whether frames are given in place of a video.

    Raises:
        InputError: A part, or a picture, is chosen where there is none to choose.
    """
    if segment is not None and task == "rec":
        raise InputError("segment is not for task rec; choose at_seconds.")
    if at_seconds is not None and (task != "rec" or not 0 <= at_seconds < math.inf):
        raise InputError("at_seconds is for task rec, and must be 0 or later.")
    if is_read and (segment, at_seconds) != (None, None):
        raise InputError("segment and at_seconds choose frames; these are read.")


_PLAIN_PROMPTS = {
    "stvg": prompts.stvg_prompt,
    "tvg": prompts.tvg_prompt,
    "rec": prompts.rec_prompt,
}
