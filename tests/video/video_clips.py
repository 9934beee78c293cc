"""Clips whose every picture says its own number, so that a wrong frame is seen."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterable, Sequence
from fractions import Fraction
from pathlib import Path

import av
import imageio_ffmpeg
import numpy as np
import numpy.typing as npt
from av.container import OutputContainer

Picture = npt.NDArray[np.uint8]

BITS = 12
CLOCK = 90_000  # ticks a second of the clips; divides all the usual frame rates
SAMPLE_RATE = 48_000


def draw_number(number: int, width: int, height: int) -> Picture:
    """Upright RGB picture: the number as bars below a red-left, blue-right band."""
    bits = [1, 0] + [number >> k & 1 for k in reversed(range(BITS))]
    columns = np.arange(width) * len(bits) // width
    picture = np.empty((height, width, 3), np.uint8)
    picture[:] = (np.array(bits, np.uint8)[columns] * 220 + 16)[None, :, None]
    band = height // 4
    picture[:band, : width // 2] = (220, 20, 20)
    picture[:band, width // 2 :] = (20, 20, 220)
    return picture


def read_number(picture: Picture) -> int | None:
    """The number in an upright picture, None if it is not legible."""
    height, width = picture.shape[:2]
    row = picture[height // 2 : height * 3 // 4].mean(axis=(0, 2))
    total = BITS + 2
    centres = ((np.arange(total) + 0.5) * width / total).astype(int)
    bits = (row[centres] > 128).astype(int).tolist()
    if bits[:2] != [1, 0]:
        return None
    return int("".join(map(str, bits[2:])), 2)


def numbers(pictures: Iterable[Picture]) -> list[int | None]:
    """:func:`read_number` of each."""
    return [read_number(picture) for picture in pictures]


def is_upright(picture: Picture) -> bool:
    """Whether the band is on top with red on its left (not turned, not mirrored)."""
    height, width = picture.shape[:2]
    left = picture[height // 8, width // 4].astype(int)
    right = picture[height // 8, width * 3 // 4].astype(int)
    return bool(left[0] > left[2] + 80 and right[2] > right[0] + 80)


def write_clip(
    path: Path,
    count: int = 50,
    *,
    rate: Fraction | int = 25,
    times: Sequence[Fraction] | None = None,
    size: tuple[int, int] = (168, 96),
    turn: int = 0,
    mirror: bool = False,
    matrix: Sequence[int] | None = None,
    audio: bool = True,
    aspect: Fraction | None = None,
    codec: str = "libx264",
    pixel_format: str = "yuv420p",
    options: dict[str, str] | None = None,
) -> Path:
    """Encode ``count`` numbered pictures.

    ``turn`` quarter turns clockwise and then ``mirror`` are needed to show the stored
    pictures upright; the matrix that says so has to be given in ``matrix``.
    """
    times = times or [Fraction(k) / Fraction(rate) for k in range(count)]
    with av.open(str(path), "w") as container:
        stream = container.add_stream(codec, rate=Fraction(rate), options=options or {})
        width, height = (size[1], size[0]) if turn % 2 else size
        stream.width, stream.height, stream.pix_fmt = width, height, pixel_format
        stream.codec_context.time_base = Fraction(1, CLOCK)
        if aspect:
            stream.codec_context.sample_aspect_ratio = aspect
        if matrix:
            stream.set_display_matrix(list(matrix))
        if audio:
            _write_silence(container, times[-1] + 1 / Fraction(rate))
        for number, time in enumerate(times):
            picture = draw_number(number, *size)
            stored = np.rot90(picture[:, ::-1] if mirror else picture, turn)
            frame = av.VideoFrame.from_ndarray(np.ascontiguousarray(stored), "rgb24")
            frame.pts, frame.time_base = round(time * CLOCK), Fraction(1, CLOCK)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    return path


def _write_silence(container: OutputContainer, seconds: Fraction) -> None:
    stream = container.add_stream("aac", rate=SAMPLE_RATE)
    samples = np.zeros((1, int(seconds * SAMPLE_RATE)), np.float32)
    frame = av.AudioFrame.from_ndarray(samples, "fltp", "mono")
    frame.sample_rate, frame.pts = SAMPLE_RATE, 0
    container.mux(stream.encode(frame))
    container.mux(stream.encode(None))


_ONE = 1 << 16


def turn_matrix(clockwise: int, mirror: bool = False) -> list[int]:
    """Display matrix: turn by quarters, then flip left to right."""
    a, b = [(1, 0), (0, 1), (-1, 0), (0, -1)][clockwise // 90]
    c, d = -b, a
    if mirror:
        a, c = -a, -c
    return [a * _ONE, b * _ONE, 0, c * _ONE, d * _ONE, 0, 0, 0, 1 << 30]


def ffmpeg(*arguments: str | Path) -> None:
    """Run the machine's ffmpeg, or else the one that imageio-ffmpeg brings."""
    program = shutil.which("ffmpeg") or imageio_ffmpeg.get_ffmpeg_exe()
    command = [program, "-v", "error", "-nostdin", "-y", *map(str, arguments)]
    subprocess.run(command, check=True, timeout=60)
