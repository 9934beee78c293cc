"""Scenes as video files: H.264, some with sound."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import numpy.typing as npt

SAMPLE_RATE = 44100
_TONE_VOLUME = 0.2
# Long enough that a tone does not click when it starts or ends.
_FADE_SECONDS = 0.02


@dataclass(frozen=True)
class Format:
    """Size, rate and length of a video.

    Attributes:
        width, height: Even, in pixels.
        fps: Pictures a second.
        num_frames: Pictures.
        has_audio: Whether a sound track is written.
    """

    width: int
    height: int
    fps: Fraction
    num_frames: int
    has_audio: bool

    @property
    def duration_seconds(self) -> float:
        """Length of the video."""
        return float(self.num_frames / self.fps)


def write_video(
    path: Path,
    layout: Format,
    frames: Iterable[npt.NDArray[np.uint8]],
    tones: Iterable[tuple[float, float, float]] = (),
    *,
    crf: int = 26,
) -> None:
    """Encode a video file.

    Args:
        path: The MP4 file to write.
        layout: Its format.
        frames: uint8 ``(height, width, 3)``, RGB.
        tones: ``(start_seconds, end_seconds, hertz)``, heard when there is sound.
        crf: x264's constant rate factor; 51 is the worst picture.
    """
    with av.open(str(path), "w", options={"movflags": "+faststart"}) as container:
        video = container.add_stream("libx264", rate=layout.fps)
        video.width, video.height = layout.width, layout.height
        video.pix_fmt = "yuv420p"
        video.options = {"crf": str(crf), "preset": "veryfast"}
        audio = (
            container.add_stream("aac", rate=SAMPLE_RATE) if layout.has_audio else None
        )
        for picture in frames:
            frame = av.VideoFrame.from_ndarray(picture, format="rgb24")
            container.mux(video.encode(frame))
        container.mux(video.encode())
        if audio is not None:
            _write_sound(container, audio, layout, tones)


def _write_sound(
    container: av.container.OutputContainer,
    stream: av.AudioStream,
    layout: Format,
    tones: Iterable[tuple[float, float, float]],
) -> None:
    sound = mix_tones(layout.duration_seconds, tones)
    frame = av.AudioFrame.from_ndarray(sound[np.newaxis], format="fltp", layout="mono")
    frame.sample_rate = SAMPLE_RATE
    container.mux(stream.encode(frame))
    container.mux(stream.encode())


def mix_tones(
    duration_seconds: float, tones: Iterable[tuple[float, float, float]]
) -> npt.NDArray[np.float32]:
    """Sine tones on silence: float32 ``(samples,)``."""
    time = np.arange(round(duration_seconds * SAMPLE_RATE)) / SAMPLE_RATE
    sound = np.zeros_like(time)
    for start, end, hertz in tones:
        inside = np.minimum(time - start, end - time)
        envelope = np.clip(inside / _FADE_SECONDS, 0, 1)
        sound += _TONE_VOLUME * envelope * np.sin(2 * np.pi * hertz * (time - start))
    return np.clip(sound, -1, 1).astype(np.float32)
