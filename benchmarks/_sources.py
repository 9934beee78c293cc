"""Videos to measure with: a moving textured picture that says its own number.

A pan over a rough texture, a second one moving across it, and grain like a camera's:
at a few megabits a second the decoder has as much to do as with a filmed video. The
same arguments give the same file.
"""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import cv2
import imageio_ffmpeg
import numpy as np
import numpy.typing as npt

from benchmarks._timing import say
from stablechat.types import FrameArray

FPS = 30
#: Bits of a picture's number; enough for nine minutes.
NUMBER_BITS = 14
#: Before the number; tells it from a picture that has none.
_MARK = (1, 0)
_BLACK, _WHITE = 16, 235
_BAND = 8  # the number takes this part of the height, at the bottom

_SEED = 7
_MARGIN = 256  # pixels the pan goes over, each way
_GRAIN = 2.5  # standard deviation, in steps of 255
_SAY_EVERY = 10 * FPS


@dataclass(frozen=True)
class SourceSpec:
    """What to make.

    Attributes:
        width: In pixels, even.
        height: In pixels, even.
        seconds: Length.
        gop: Pictures from one key picture to the next.
        kilobits: A second, of the pictures.
        sound: Whether there is an AAC track.
    """

    width: int
    height: int
    seconds: int
    gop: int
    kilobits: int
    sound: bool = False

    @property
    def num_frames(self) -> int:
        """Pictures of the video."""
        return self.seconds * FPS

    @property
    def title(self) -> str:
        """One line that says it."""
        return (
            f"{self.width}x{self.height}, {FPS} fps, {self.seconds} s, H.264 at "
            f"{self.kilobits / 1000:g} Mbit/s, GOP {self.gop}"
            f"{', AAC' if self.sound else ''}"
        )


def make_source(spec: SourceSpec, path: Path) -> Path:
    """Encode a video; takes about as long as it lasts.

    Args:
        spec: What to make.
        path: An ``.mp4`` file that does not exist.

    Returns:
        The same path.

    Raises:
        RuntimeError: With FFmpeg's own words, if it can't.
    """
    log = path.with_suffix(".log")
    with log.open("wb") as errors:
        process = subprocess.Popen(
            _encoder(spec, path), stdin=subprocess.PIPE, stderr=errors
        )
        assert process.stdin is not None
        try:
            for number, planes in enumerate(_pictures(spec)):
                process.stdin.write(planes)
                if number % _SAY_EVERY == 0:
                    say(f"making {spec.title}: {number}/{spec.num_frames} pictures")
            process.stdin.close()
            code = process.wait()
        except BrokenPipeError:
            code = process.wait()
        finally:
            process.kill()
            process.wait()
    if code != 0:
        raise RuntimeError(f"FFmpeg can't make {path.name}: {log.read_text().strip()}")
    log.unlink()
    return path


def _encoder(spec: SourceSpec, path: Path) -> list[str]:
    command = ffmpeg_command("-f", "rawvideo", "-pix_fmt", "yuv420p", "-r", str(FPS))
    command += ["-s", f"{spec.width}x{spec.height}", "-i", "-"]
    if spec.sound:
        noise = f"anoisesrc=color=pink:amplitude=0.2:seed={_SEED}:sample_rate=48000"
        command += ["-f", "lavfi", "-i", noise, "-c:a", "aac", "-b:a", "128k"]
    rate = spec.kilobits
    command += ["-c:v", "libx264", "-preset", "faster", "-b:v", f"{rate}k"]
    # No scene changes: key pictures come where the benchmark says.
    command += ["-g", str(spec.gop), "-keyint_min", str(spec.gop), "-sc_threshold", "0"]
    return [*command, "-t", str(spec.seconds), "-movflags", "+faststart", str(path)]


def repeat_source(piece: Path, copies: int, path: Path) -> Path:
    """Put copies of a video one after the other, without encoding.

    Args:
        piece: The video.
        copies: How many.
        path: The ``.mp4`` file to write.

    Returns:
        The same path.
    """
    say(f"making {path.name} of {copies} copies")
    command = ffmpeg_command("-stream_loop", str(copies - 1), "-i", str(piece))
    subprocess.run([*command, "-c", "copy", str(path)], check=True)
    return path


def ffmpeg_command(*arguments: str) -> list[str]:
    """The start of a command of the FFmpeg that also writes our clips."""
    program = imageio_ffmpeg.get_ffmpeg_exe()
    return [program, "-nostdin", "-v", "error", "-y", *arguments]


def _pictures(spec: SourceSpec) -> Iterator[bytes]:
    """Planes of yuv420p, one picture after the other."""
    rng = np.random.default_rng(_SEED)
    width, height = spec.width, spec.height
    margin = _MARGIN // 2
    back = _texture(rng, width + 2 * margin, height + 2 * margin)
    patch = _texture(rng, width // 4 & ~1, height // 3 & ~1)
    colors = [
        _texture(rng, width // 2 + 2 * margin, height // 2 + 2 * margin) // 3 + 85
        for _ in range(2)
    ]
    grain = rng.normal(0, _GRAIN, (height + 64, width + 64)).round().astype(np.int8)
    for number in range(spec.num_frames):
        seconds = number / FPS
        x = round(margin * (1 + np.sin(seconds * 0.9)))
        y = round(margin * (1 + np.sin(seconds * 0.7 + 1)))
        luma = back[y : y + height, x : x + width].copy()
        across = round((width - patch.shape[1]) * (0.5 + 0.5 * np.sin(seconds * 1.3)))
        down = round((height - patch.shape[0]) * (0.5 + 0.5 * np.cos(seconds)))
        luma[down : down + patch.shape[0], across : across + patch.shape[1]] = patch
        top, left = rng.integers(0, 64, 2)
        noise = grain[top : top + height, left : left + width]
        luma = cv2.add(luma, noise, dtype=cv2.CV_8U)
        chroma = [
            c[y // 2 : y // 2 + height // 2, x // 2 : x // 2 + width // 2].copy()
            for c in colors
        ]
        band = height // _BAND
        luma[-band:] = np.where(number_columns(number, width), _WHITE, _BLACK)
        for plane in chroma:
            plane[-(band // 2) :] = 128
        yield b"".join(plane.tobytes() for plane in (luma, *chroma))


def _texture(rng: np.random.Generator, width: int, height: int) -> FrameArray:
    """Rough at every scale, as nature is: octaves of random grids."""
    total = np.zeros((height, width), np.float32)
    cells = 4
    while cells < width:
        rows = max(2, cells * height // width)
        grid = rng.normal(0, 1, (rows, cells)).astype(np.float32)
        scaled = cv2.resize(grid, (width, height), interpolation=cv2.INTER_CUBIC)
        total += scaled / np.sqrt(cells)
        cells *= 2
    total = (total - total.min()) / (total.max() - total.min())
    return np.asarray(total * 200 + 25, np.uint8)


def number_columns(number: int, width: int) -> npt.NDArray[np.bool_]:
    """Which columns of a picture's band are white.

    Args:
        number: 0 to 2**14 - 1.
        width: Of the picture, in pixels.

    Returns:
        bool ``(width,)``.
    """
    bits = [*_MARK, *(number >> bit & 1 for bit in reversed(range(NUMBER_BITS)))]
    return np.array(bits, bool)[np.arange(width) * len(bits) // width]


def read_number(picture: FrameArray) -> int | None:
    """The number that a picture says.

    Args:
        picture: uint8 ``(H, W, 3)``, of any size.

    Returns:
        The number, or None if it is not legible.
    """
    height, width = picture.shape[:2]
    band = height // _BAND
    # The middle half: scaling blurs the edges.
    row = picture[height - band * 3 // 4 : height - band // 4].mean(axis=(0, 2))
    total = len(_MARK) + NUMBER_BITS
    centres = ((np.arange(total) + 0.5) * width / total).astype(int)
    bits = (row[centres] > 128).astype(int).tolist()
    if tuple(bits[: len(_MARK)]) != _MARK:
        return None
    return int("".join(map(str, bits[len(_MARK) :])), 2)
