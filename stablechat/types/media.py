"""Videos, what is taken from them, and what is cut from them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import numpy as np

from stablechat.types.base import (
    FloatArray,
    FrameArray,
    IntArray,
    require,
    require_number,
)


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
        require(
            self.width > 0 and self.height > 0,
            f"A video needs a positive size, got {self.width}x{self.height}.",
        )
        require(
            self.rotation in (0, 90, 180, 270),
            f"rotation must be 0, 90, 180 or 270, got {self.rotation}.",
        )
        require(self.fps > 0, f"fps must be positive, got {self.fps}.")
        require(
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
        require(
            self.frames.ndim == 4 and self.frames.shape[-1] == 3,
            f"frames must be (N, H, W, 3), got {self.frames.shape}.",
        )
        count = self.frames.shape[0]
        require(count > 0, "A sample needs at least one frame.")
        require(
            self.indices.shape == (count,) and self.pts_seconds.shape == (count,),
            f"indices {self.indices.shape} and pts_seconds {self.pts_seconds.shape} "
            f"must both be ({count},).",
        )
        rising = bool(np.all(np.diff(self.pts_seconds) >= 0))
        require(rising, "pts_seconds must not decrease.")


@dataclass(frozen=True)
class TimeSpan:
    """A stretch of time in seconds on the video's clock, ``start <= end``."""

    start_seconds: float
    end_seconds: float

    def __post_init__(self) -> None:
        require_number(self.start_seconds, "start_seconds")
        require_number(self.end_seconds, "end_seconds")
        require(
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
