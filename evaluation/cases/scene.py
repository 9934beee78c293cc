"""A case on its video: boxes on any moment, spans in seconds."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from evaluation.cases.bars import Bars
from evaluation.cases.case import Case
from evaluation.datasets.videos import VideoFolder
from evaluation.frames import Split
from evaluation.metrics import Box
from evaluation.predictions import true_span
from render.boxes import BoxStyle, draw_box
from render.labels import ColorRGB
from stablechat.types import (
    NUM_BINS,
    FloatArray,
    FrameArray,
    TimeSpan,
    Tube,
    VideoInfo,
)
from stablechat.video import frames_at, probe, read_timeline

TRUTH_RGB: ColorRGB = (46, 204, 113)
ANSWER_RGB: ColorRGB = (235, 64, 52)

_TRUTH_STYLE = BoxStyle(color_rgb=TRUTH_RGB, show_label=False, line_scale=2.0)
_ANSWER_STYLE = BoxStyle(color_rgb=ANSWER_RGB, show_label=False)

#: Small videos are enlarged this much at most.
_LARGEST_SCALE = 3.0


class CaseScene:
    """Draws pictures of a case.

    Args:
        case: What to draw.
        videos: The folder of videos.

    Attributes:
        video: The video.
        clip: The part of it that was asked about, in seconds.

    Raises:
        VideoError: The video can't be read.
        InputError: Several files have its name.
    """

    def __init__(self, case: Case, videos: Path) -> None:
        path = VideoFolder(videos).find(case.row.video)
        self.case = case
        self.video: VideoInfo = probe(path)
        self._seconds = read_timeline(path).seconds
        self._split = _within(case.row.split, len(self._seconds))
        self.clip = self._time_span((0.0, 1.0))
        truth, answer = true_span(case.row), case.prediction.span
        self._truth = self._tube(case.row.true_track or case.row.true_boxes)
        self._answer = self._tube(case.prediction.boxes)
        self._spans = (
            self._time_span(truth) if truth else _extent(self._truth),
            self._time_span(answer) if answer else _extent(self._answer),
        )

    @property
    def event(self) -> TimeSpan:
        """From the first to the last moment at which truth or answer see something."""
        spans = [span for span in self._spans if span is not None]
        if not spans:
            return self.clip
        return TimeSpan(
            min(span.start_seconds for span in spans),
            max(span.end_seconds for span in spans),
        )

    def bars(self, width: int) -> Bars:
        """Both spans on a line of time."""
        truth, answer = self._spans
        return Bars(
            width,
            self.clip,
            (("truth", truth, TRUTH_RGB), ("answer", answer, ANSWER_RGB)),
        )

    def pictures(self, times: list[float], side: int) -> FrameArray:
        """The video at some moments, with the boxes of both.

        Args:
            times: Seconds, never decreasing.
            side: Longest side in pixels.

        Returns:
            uint8 ``(N, H, W, 3)``; H and W are even.
        """
        longest = max(self.video.width, self.video.height)
        scale = min(_LARGEST_SCALE, side / longest)
        size = tuple(
            max(2, 2 * round(scale * length / 2))
            for length in (self.video.width, self.video.height)
        )
        sample = frames_at(self.video, times, size=(size[0], size[1]))
        # The truth is in the pixels of the annotation, which may be of another size.
        ratio = np.tile(
            [size[0] / self.case.row.width, size[1] / self.case.row.height], 2
        )
        drawn = [
            self._draw(frame, time, ratio)
            for frame, time in zip(sample.frames, times, strict=True)
        ]
        return np.stack(drawn)

    def _draw(self, frame: FrameArray, time: float, ratio: FloatArray) -> FrameArray:
        # The truth first and thicker, so that it shows below an answer that is right.
        for tube, style in ((self._truth, _TRUTH_STYLE), (self._answer, _ANSWER_STYLE)):
            box = None if tube is None else self._box_at(tube, time)
            if box is not None:
                frame = draw_box(frame, box * ratio, None, style)
        return frame

    def _box_at(self, tube: Tube, time: float) -> FloatArray | None:
        """The box at a moment; it is held for a bin, or a picture, beyond its ends.

        A span in bins begins and ends between two pictures, and there are boxes on the
        pictures that the model sees only.
        """
        first, last = tube.times_seconds[[0, -1]]
        nearest = min(max(time, first), last)
        a_bin = self.clip.duration_seconds / (NUM_BINS - 1)
        slack = max(float(1 / self.video.fps), a_bin)
        return tube.at(nearest) if abs(nearest - time) <= slack else None

    def _tube(self, boxes: Mapping[int, Box]) -> Tube | None:
        ordered = sorted(boxes.items())
        if not ordered:
            return None
        times = self._frame_seconds(np.array([frame for frame, _ in ordered]))
        xyxy = np.array([box for _, box in ordered], np.float64)
        # An answer may have exchanged corners; to be drawn they are put in order.
        xyxy = np.hstack(
            [
                np.minimum(xyxy[:, :2], xyxy[:, 2:]),
                np.maximum(xyxy[:, :2], xyxy[:, 2:]),
            ]
        )
        moments, places = np.unique(times, return_index=True)
        return Tube(moments, xyxy[places])

    def _time_span(self, unit: tuple[float, float]) -> TimeSpan:
        first, last = self.case.row.split
        frames = np.array([first + value * (last - first) for value in sorted(unit)])
        start, end = self._frame_seconds(frames)
        return TimeSpan(max(0.0, float(start)), max(0.0, float(end)))

    def _frame_seconds(self, frames: FloatArray) -> FloatArray:
        """Times of annotated frame numbers, whatever number of frames the file has."""
        first, last = self.case.row.split
        share = (frames - first) / (last - first)
        start, end = self._split
        numbers = start + share * (end - start)
        return np.interp(numbers, np.arange(len(self._seconds)), self._seconds)


def _within(split: Split, num_frames: int) -> Split:
    return min(split[0], num_frames - 1), min(split[1], num_frames - 1)


def _extent(tube: Tube | None) -> TimeSpan | None:
    if tube is None:
        return None
    first, last = tube.times_seconds[[0, -1]]
    return TimeSpan(max(0.0, float(first)), max(0.0, float(last)))
