"""Source clips that say which picture is which, and a reader for finished clips."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np

BITS = 8
BAR_ROWS = 24
GRAY, FLASH = 90, 235
SOUND_RATE = 48000
RED = (255, 0, 0)


def picture(index: int, width: int, height: int, *, flash: bool = False) -> np.ndarray:
    """Gray, with the number of the picture in black and white blocks at the bottom."""
    frame = np.full((height, width, 3), FLASH if flash else GRAY, np.uint8)
    block = width // BITS
    for bit in range(BITS):
        value = 235 if index >> bit & 1 else 16
        frame[-BAR_ROWS:, bit * block : (bit + 1) * block] = value
    return frame


def number_of(frame: np.ndarray, width: int, height: int) -> int:
    """Read the number back; size as it was drawn, without padding."""
    block = width // BITS
    rows = frame[height - BAR_ROWS + 6 : height - 6, :, :].astype(float)
    return sum(
        (rows[:, bit * block + 4 : (bit + 1) * block - 4].mean() > 125) << bit
        for bit in range(BITS)
    )


def tone(start: float, end: float, beep: float | None) -> np.ndarray:
    """Silence with 60 ms of 1 kHz at ``beep`` (everywhere for None), int16 (n,)."""
    seconds = np.arange(round(start * SOUND_RATE), round(end * SOUND_RATE)) / SOUND_RATE
    wave = 0.5 * np.sin(2 * np.pi * 1000 * seconds)
    if beep is not None:
        wave[(seconds < beep) | (seconds >= beep + 0.06)] = 0
    return (wave * 32767).astype(np.int16)


def regular(fps: Fraction | int, seconds: float, start: float = 0.0) -> list[float]:
    """Times of pictures at a constant rate."""
    return [start + float(i / Fraction(fps)) for i in range(round(seconds * fps))]


def write_source(
    path: Path,
    times: Sequence[float],
    *,
    width: int = 160,
    height: int = 120,
    flash_at: float | None = None,
    sound: tuple[float, float] | None = None,
    beep: float | None = None,
    rotation: int = 0,
    rate: Fraction | int = 30,
) -> Path:
    """Write a clip whose pictures appear at ``times``; size is the displayed one."""
    target = path if rotation == 0 else path.with_name("unturned" + path.suffix)
    with av.open(str(target), "w") as container:
        video = container.add_stream("libx264", rate=rate)
        odd = width % 2 or height % 2
        video.pix_fmt = "yuv444p" if odd else "yuv420p"
        turned = rotation in (90, 270)
        video.width, video.height = (height, width) if turned else (width, height)
        video.options = {"crf": "12", "preset": "ultrafast", "bf": "2"}
        video.codec_context.time_base = Fraction(1, 90000)
        audio = None
        if sound is not None:
            audio = container.add_stream("aac", rate=SOUND_RATE, layout="mono")
            _write_sound(container, audio, sound, beep)
        for index, time in enumerate(times):
            flash = flash_at is not None and time <= flash_at + 1e-6 < time + 0.02
            pixels = picture(index, width, height, flash=flash)
            stored = np.ascontiguousarray(np.rot90(pixels, rotation // 90))
            frame = av.VideoFrame.from_ndarray(stored, format="rgb24")
            frame.pts, frame.time_base = round(time * 90000), Fraction(1, 90000)
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    if rotation:
        # Counter-clockwise in FFmpeg, clockwise here.
        run_ffmpeg(
            "-display_rotation", str(-rotation), "-i", target, "-c", "copy", path
        )
    return path


def _write_sound(container, stream, sound, beep) -> None:  # type: ignore[no-untyped-def]
    samples, start = tone(*sound, beep), round(sound[0] * SOUND_RATE)
    for first in range(0, len(samples), 1024):
        part = samples[None, first : first + 1024]
        frame = av.AudioFrame.from_ndarray(part, format="s16", layout="mono")
        frame.sample_rate, frame.pts = SOUND_RATE, start + first
        frame.time_base = Fraction(1, SOUND_RATE)
        container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


def run_ffmpeg(*arguments: object) -> None:
    """Run the bundled FFmpeg; an older file is replaced."""
    program = imageio_ffmpeg.get_ffmpeg_exe()
    command = [program, "-y", "-v", "error", *map(str, arguments)]
    subprocess.run(command, check=True, timeout=30, stdin=subprocess.DEVNULL)


@dataclass(frozen=True)
class Finished:
    """A clip as a browser would get it."""

    frames: list[np.ndarray]
    times: list[float]
    sound: np.ndarray | None
    sound_start: float
    codec: str
    pixel_format: str
    audio_codec: str | None

    def onset(self, level: float = 0.1) -> float:
        """When it is first louder than ``level``, in seconds; inf for never."""
        if self.sound is None:
            return float("inf")
        loud = np.flatnonzero(np.abs(self.sound) > level)
        if not loud.size:
            return float("inf")
        return self.sound_start + float(loud[0]) / SOUND_RATE

    def flash(self) -> float:
        """When the first bright picture appears."""
        bright = [f[4:20, 4:20].mean() > 160 for f in self.frames]
        return self.times[bright.index(True)]


def read_clip(path: Path) -> Finished:
    """Decode a finished clip completely."""
    with av.open(str(path)) as container:
        video = container.streams.video[0]
        frames, times = [], []
        for frame in container.decode(video):
            frames.append(frame.to_ndarray(format="rgb24"))
            times.append(float(frame.pts * frame.time_base))
        codec, pixel_format = video.codec_context.name, video.codec_context.pix_fmt
    sound, start, name = _read_sound(path)
    return Finished(frames, times, sound, start, codec, pixel_format or "", name)


def _read_sound(path: Path) -> tuple[np.ndarray | None, float, str | None]:
    with av.open(str(path)) as container:
        if not container.streams.audio:
            return None, 0.0, None
        stream = container.streams.audio[0]
        resampler = av.AudioResampler("flt", "mono", SOUND_RATE)
        parts, start = [], None
        for frame in container.decode(stream):
            if start is None:
                start = float(frame.pts * frame.time_base)
            parts += [f.to_ndarray()[0] for f in resampler.resample(frame)]
        return np.concatenate(parts), start or 0.0, stream.codec_context.name


def red_extent(frame: np.ndarray) -> tuple[int, int, int, int] | None:
    """Bounds of the red pixels, ``(x1, y1, x2, y2)``, the last two exclusive."""
    values = frame.astype(int)
    red = (values[..., 0] > 140) & (values[..., 1] < 100) & (values[..., 2] < 100)
    rows, columns = np.flatnonzero(red.any(1)), np.flatnonzero(red.any(0))
    if not rows.size:
        return None
    return columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
