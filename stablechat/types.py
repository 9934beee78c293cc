"""The values that flow from a video and a question to an answer.

Three coordinate spaces never mix inside one type:

* **bins**: int 0..99, what the model reads and writes;
* **unit**: float 0..1, ``bin / 99``;
* **native**: seconds on the video's own clock, pixels of the displayed frame.

Seconds count from the start of the container, the zero of a player's slider, so a
video track that starts late has its first picture at ``start_seconds > 0``.
All types are frozen and check themselves; this module needs numpy only.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from fractions import Fraction
from numbers import Integral, Real
from pathlib import Path
from typing import Literal

import numpy as np
import numpy.typing as npt

from stablechat.errors import InputError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
FrameArray = npt.NDArray[np.uint8]

#: Values one coordinate takes; bin ``k`` means the unit value ``k / (NUM_BINS - 1)``.
NUM_BINS = 100
#: Bins on either side of a written one whose probabilities are kept.
NEIGHBOUR_REACH = 3

Task = Literal["stvg", "svg", "elc", "tvg", "rec", "describe"]
FinishReason = Literal["stop", "length", "cancelled"]

BoxBins = tuple[int, int, int, int]
SpanBins = tuple[int, int]


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise InputError(message)


def _require_number(value: object, name: str, kind: type = Real) -> None:
    what = "a whole number" if kind is Integral else "a number"
    _require(isinstance(value, kind), f"{name} must be {what}, got {value!r}.")


def _floats(values: object, name: str) -> FloatArray:
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} must be an array of numbers: {error}.") from error


@dataclass(frozen=True)
class VideoInfo:
    """What a file holds, as a person sees it when it is played.

    Attributes:
        path: The file.
        width: Displayed width in square pixels, after rotation and sample aspect.
        height: Displayed height in pixels, likewise.
        rotation: Clockwise turn, in degrees (0, 90, 180, 270), from the stored to
            the displayed picture.
        fps: Pictures a second; the average when the rate varies.
        num_frames: Pictures that are shown (an estimate where the file does not say).
        duration_seconds: From the container's start to the end of the last picture.
        start_seconds: Time of the first picture, counted from the container's start.
        has_audio: Whether there is a sound track that can be decoded.
        codec: Name of the video codec, for example ``"h264"``.
        container: Name of the demuxer, for example ``"mov,mp4,m4a,3gp,3g2,mj2"``.
        mirrored: Whether the stored picture is flipped left to right after rotating.
        sample_aspect_ratio: Width of a stored pixel over its height.
        stored_width: Width of the stored picture, before rotation and aspect.
        stored_height: Height of the stored picture.
        pixel_format: FFmpeg's name, for example ``"yuv420p"``.
        variable_frame_rate: Whether the time between pictures varies.
        size_bytes: Size of the file.
        warnings: What a person should know, one plain sentence each.
    """

    path: Path
    width: int
    height: int
    rotation: int
    fps: Fraction
    num_frames: int
    duration_seconds: float
    start_seconds: float
    has_audio: bool
    codec: str
    container: str = ""
    mirrored: bool = False
    sample_aspect_ratio: Fraction = Fraction(1)
    stored_width: int = 0
    stored_height: int = 0
    pixel_format: str = ""
    variable_frame_rate: bool = False
    size_bytes: int = 0
    warnings: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _require(
            self.width > 0 and self.height > 0,
            f"A video needs a positive size, got {self.width}x{self.height}.",
        )
        _require(
            self.rotation in (0, 90, 180, 270),
            f"rotation must be 0, 90, 180 or 270, got {self.rotation}.",
        )
        _require(self.fps > 0, f"fps must be positive, got {self.fps}.")
        _require(
            math.isfinite(self.duration_seconds) and self.duration_seconds > 0,
            f"duration_seconds must be positive, got {self.duration_seconds}.",
        )


# Compared by identity: arrays have no single truth.
@dataclass(frozen=True, eq=False)
class FrameSample:
    """Frames picked from a video, each with its own time.

    Attributes:
        video: Where they come from.
        frames: uint8 ``(N, H, W, 3)``, RGB, as displayed (possibly scaled down).
        indices: int64 ``(N,)``, display-order frame numbers; repeats are allowed.
        pts_seconds: float64 ``(N,)``, when each frame is shown, never decreasing.
    """

    video: VideoInfo
    frames: FrameArray
    indices: IntArray
    pts_seconds: FloatArray

    def __post_init__(self) -> None:
        _require(
            self.frames.ndim == 4 and self.frames.shape[-1] == 3,
            f"frames must be (N, H, W, 3), got {self.frames.shape}.",
        )
        count = self.frames.shape[0]
        _require(count > 0, "A sample needs at least one frame.")
        _require(
            self.indices.shape == (count,) and self.pts_seconds.shape == (count,),
            f"indices {self.indices.shape} and pts_seconds {self.pts_seconds.shape} "
            f"must both be ({count},).",
        )
        rising = bool(np.all(np.diff(self.pts_seconds) >= 0))
        _require(rising, "pts_seconds must not decrease.")


@dataclass(frozen=True)
class GenerationConfig:
    """How an answer is decoded. The default is greedy.

    Attributes:
        max_new_tokens: Longest answer; a box on each of 100 frames takes about 800.
        temperature: 0 is greedy; above it tokens are sampled.
        top_p: Keep the likeliest tokens whose probabilities sum to this.
        seed: Makes sampling repeatable.
        stop_at_last_row: End the answer to a grounding question after the box of its
            span's last frame; what a model adds after it can't matter.
        speculation: Guess rows ahead and have the model check many tokens in one pass.
            The answer is the same; it comes sooner.
        grammar: Let the model write nothing but whole answers of the task's form.
        log_probs: Keep the log-probability of every token.
    """

    max_new_tokens: int = 1024
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    stop_at_last_row: bool = True
    speculation: bool = True
    grammar: bool = False
    log_probs: bool = False

    def __post_init__(self) -> None:
        _require_number(self.max_new_tokens, "max_new_tokens", Integral)
        _require_number(self.temperature, "temperature")
        _require_number(self.top_p, "top_p")
        _require_number(self.seed, "seed", Integral)
        _require(
            self.max_new_tokens >= 1,
            f"max_new_tokens must be at least 1, got {self.max_new_tokens}.",
        )
        _require(
            math.isfinite(self.temperature) and self.temperature >= 0,
            f"temperature must be 0 or more, got {self.temperature}.",
        )
        _require(0 < self.top_p <= 1, f"top_p must be in (0, 1], got {self.top_p}.")


@dataclass(frozen=True)
class Generation:
    """What the model wrote.

    Attributes:
        text: The answer, coordinate tokens included, without the end token.
        token_ids: Its token ids.
        finish_reason: ``"stop"`` (the model ended it), ``"length"`` (the limit cut
            it) or ``"cancelled"``.
        timings: Seconds by stage, for example ``{"decode_seconds": 0.8}``.
        num_passes: Forward passes of the language model after the prompt.
        log_probs: Natural logarithm of each token's probability, if asked for.
        neighbour_probabilities: float64 ``(T, 2 * NEIGHBOUR_REACH + 1)``, for each
            token the probabilities of the bins around it on its own axis, itself in
            the middle; 0 where there is no such bin, and for words. None where the
            model's scores are not known.
    """

    text: str
    token_ids: tuple[int, ...]
    finish_reason: FinishReason
    timings: Mapping[str, float] = field(default_factory=dict)
    num_passes: int = 0
    log_probs: tuple[float, ...] | None = None
    neighbour_probabilities: FloatArray | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        count = len(self.token_ids)
        if self.log_probs is not None:
            _require(
                len(self.log_probs) == count,
                f"log_probs must be {count} numbers, got {len(self.log_probs)}.",
            )
        if self.neighbour_probabilities is not None:
            shape = (count, 2 * NEIGHBOUR_REACH + 1)
            _require(
                self.neighbour_probabilities.shape == shape,
                f"neighbour_probabilities must be {shape}, "
                f"got {self.neighbour_probabilities.shape}.",
            )


@dataclass(frozen=True)
class CoordinateTokens:
    """Which of a text's coordinate tokens an answer's numbers were read from.

    Attributes:
        written: Axis (``"t"``, ``"w"`` or ``"h"``) and bin of every coordinate token
            in the text, in its order.
        span: Places in ``written`` of the span's start and end; None for one that no
            token gave.
        boxes: ``{frame bin: places of x1, y1, x2, y2}``, only boxes that tokens gave.
    """

    written: tuple[tuple[str, int], ...] = ()
    span: tuple[int | None, int | None] = (None, None)
    boxes: Mapping[int, tuple[int, int, int, int]] = field(default_factory=dict)


@dataclass(frozen=True)
class ParsedAnswer:
    """The model's text, read.

    Attributes:
        task: What was asked.
        prose: The text around the coordinates (the caption for ELC).
        span_bins: ``(start, end)``, start <= end, or None when there is none.
        boxes_bins: ``{frame bin: (x1, y1, x2, y2)}`` in ascending frame order. A
            still image's box has the key 0.
        issues: What was odd, one plain sentence each.
        tokens: Where the numbers stand in the text.
    """

    task: Task
    prose: str
    span_bins: SpanBins | None
    boxes_bins: Mapping[int, BoxBins]
    issues: tuple[str, ...] = ()
    tokens: CoordinateTokens = field(default=CoordinateTokens(), compare=False)

    def __post_init__(self) -> None:
        if self.span_bins is not None:
            start, end = self.span_bins
            _require(
                0 <= start <= end < NUM_BINS,
                f"span_bins must be ordered bins, got {self.span_bins}.",
            )
        for frame_bin, box in self.boxes_bins.items():
            _require(
                0 <= frame_bin < NUM_BINS and all(0 <= v < NUM_BINS for v in box),
                f"boxes_bins must hold bins, got {frame_bin}: {box}.",
            )


@dataclass(frozen=True)
class TimeSpan:
    """A stretch of time in seconds on the video's clock, ``start <= end``."""

    start_seconds: float
    end_seconds: float

    def __post_init__(self) -> None:
        _require_number(self.start_seconds, "start_seconds")
        _require_number(self.end_seconds, "end_seconds")
        _require(
            math.isfinite(self.start_seconds)
            and math.isfinite(self.end_seconds)
            and 0 <= self.start_seconds <= self.end_seconds,
            "A span needs 0 <= start <= end, got "
            f"{self.start_seconds} to {self.end_seconds} seconds.",
        )

    @property
    def duration_seconds(self) -> float:
        """Length in seconds."""
        return self.end_seconds - self.start_seconds


# Compared by identity: arrays have no single truth.
@dataclass(frozen=True, eq=False)
class Tube:
    """A box over time: known at some moments, interpolated between them.

    Lists will do; they become arrays.

    Attributes:
        times_seconds: float64 ``(K,)``, strictly increasing, K >= 1.
        xyxy: float64 ``(K, 4)``, pixels of the displayed frame, x1 <= x2, y1 <= y2.
        confidence: float64 ``(K,)`` in 0..1, or None.
    """

    times_seconds: FloatArray
    xyxy: FloatArray
    confidence: FloatArray | None = None

    def __post_init__(self) -> None:
        given = ("times_seconds", "xyxy", "confidence")
        for name in given if self.confidence is not None else given[:2]:
            object.__setattr__(self, name, _floats(getattr(self, name), name))
        count = self.times_seconds.shape[0] if self.times_seconds.ndim == 1 else 0
        _require(count > 0, "A tube needs at least one time in a flat array.")
        _require(
            self.xyxy.shape == (count, 4),
            f"xyxy must be ({count}, 4), got {self.xyxy.shape}.",
        )
        _require(
            bool(np.all(np.isfinite(self.times_seconds)))
            and bool(np.all(np.isfinite(self.xyxy))),
            "A tube's times and boxes must be finite.",
        )
        rising = bool(np.all(np.diff(self.times_seconds) > 0))
        _require(rising, "times_seconds must increase.")
        ordered = bool(np.all(self.xyxy[:, :2] <= self.xyxy[:, 2:]))
        _require(ordered, "xyxy must have x1 <= x2 and y1 <= y2.")
        scores = np.zeros(count) if self.confidence is None else self.confidence
        _require(scores.shape == (count,), f"confidence must be ({count},).")
        _require(
            bool(np.all((scores >= 0) & (scores <= 1))),
            f"confidence must be 0 to 1, got {scores.min()} to {scores.max()}.",
        )

    def at(self, time_seconds: float) -> FloatArray | None:
        """The box at a moment, linear between the known ones.

        Args:
            time_seconds: Seconds on the video's clock.

        Returns:
            float64 ``(4,)`` in pixels, or None before the first or after the last
            known moment.
        """
        times = self.times_seconds
        if not times[0] <= time_seconds <= times[-1]:
            return None
        return np.array(
            [np.interp(time_seconds, times, self.xyxy[:, i]) for i in range(4)]
        )


@dataclass(frozen=True)
class Grounding:
    """An answer in seconds and pixels.

    Attributes:
        video: The video asked about.
        query: What the person typed.
        task: How it was asked.
        span: When, or None if the model gave no time.
        tube: Where, or None if the model gave no boxes.
        prose: The words of the answer.
        confidence: 0..1 for the whole answer, or None when it was not measured; what
            it means is in docs/confidence.md.
        generation: The model's own text and how it ended.
        issues: What was odd, one plain sentence each.
        model: Name of the model that answered.
        span_confidence: 0..1 for the span, likewise.
        alternatives: Other answers to the same question, the likeliest first.
    """

    video: VideoInfo
    query: str
    task: Task
    span: TimeSpan | None
    tube: Tube | None
    prose: str
    confidence: float | None
    generation: Generation
    issues: tuple[str, ...] = ()
    model: str = ""
    span_confidence: float | None = None
    alternatives: tuple[Grounding, ...] = ()

    @property
    def found(self) -> bool:
        """Whether there is anything to show: a time or a box."""
        return self.span is not None or self.tube is not None


@dataclass(frozen=True)
class Description:
    """A plain answer about a video.

    Attributes:
        video: The video asked about.
        question: The question that was asked.
        text: The answer.
        generation: The model's own text and how it ended.
        model: Name of the model that answered.
    """

    video: VideoInfo
    question: str
    text: str
    generation: Generation
    model: str = ""


@dataclass(frozen=True)
class Clip:
    """A finished clip on disk.

    Attributes:
        path: The MP4 file.
        span: What part of the video it shows.
        width: Width in pixels.
        height: Height in pixels.
        num_frames: Pictures in it.
        has_audio: Whether it has sound.
    """

    path: Path
    span: TimeSpan
    width: int
    height: int
    num_frames: int
    has_audio: bool
