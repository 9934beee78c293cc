"""How a clip is encoded, in FFmpeg's words; and FFmpeg's words on what went wrong."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

from render.boxes import DEFAULT_STYLE, BoxStyle
from render.plan import CutPlan
from stablechat.errors import InputError
from stablechat.video.color import ColorSpace

#: libx264's speed settings, fastest first, and their like of NVIDIA's encoder.
_PRESETS = {
    "ultrafast": "p1",
    "superfast": "p1",
    "veryfast": "p2",
    "faster": "p3",
    "fast": "p4",
    "medium": "p4",
    "slow": "p5",
    "slower": "p6",
    "veryslow": "p7",
}

NVIDIA_ENCODER = "h264_nvenc"
_ENCODERS = ("libx264", NVIDIA_ENCODER)

#: Longest padding and trail: a day is longer than any video here.
_MOST_SECONDS = {
    "pad_before_seconds": 86400.0,
    "pad_after_seconds": 86400.0,
    "trail_seconds": 60.0,
}

#: A key picture this often makes the player's slider quick.
_SECONDS_PER_KEY = 2

#: Words that mark the line of FFmpeg's log that says what went wrong.
_REASON_WORDS = ("no space", "denied", "unknown", "invalid", "unable", "error", "fail")

#: What FFmpeg puts before a line: ``[libx264 @ 0x55d0] ``, once or more.
_PART_NAMES = re.compile(r"^(\[[^\]]* @ 0x[^\]]*\] ?)+")


@dataclass(frozen=True)
class ClipOptions:
    """How a clip is cut.

    Attributes:
        crf: Quality of the pictures, 0 (lossless) to 51; 18 to 23 look good.
        preset: Speed of the encoder; slower makes smaller files.
        draw_boxes: Whether the tube is drawn.
        label: Whether the question is written beside the box.
        pad_before_seconds: Seconds to add before the span.
        pad_after_seconds: Seconds to add after it.
        max_side: Longest side in pixels; larger videos are scaled down, because
            browsers refuse to play them.
        style: How the box looks.
        label_text: What is written instead of the question; None for the question.
        trail_seconds: How far back the way of the box is drawn; 0 draws none.
        encoder: ``libx264``; or ``h264_nvenc``, the encoder of an NVIDIA card, which
            spares the processor and makes larger files.
    """

    crf: int = 20
    preset: str = "veryfast"
    draw_boxes: bool = True
    label: bool = True
    pad_before_seconds: float = 0.0
    pad_after_seconds: float = 0.0
    max_side: int = 4096
    style: BoxStyle = field(default=DEFAULT_STYLE)
    label_text: str | None = None
    trail_seconds: float = 0.0
    encoder: str = "libx264"

    def __post_init__(self) -> None:
        if not 0 <= self.crf <= 51:
            raise InputError(f"crf must be 0 to 51, got {self.crf}.")
        for name, known in (("preset", tuple(_PRESETS)), ("encoder", _ENCODERS)):
            value = getattr(self, name)
            if value not in known:
                raise InputError(
                    f"{name} must be one of {', '.join(known)}, got {value!r}."
                )
        for name, most in _MOST_SECONDS.items():
            seconds = getattr(self, name)
            if not 0 <= seconds <= most:
                raise InputError(f"{name} must be 0 to {most:g}, got {seconds}.")
        if self.max_side < 16:
            raise InputError(f"max_side must be at least 16, got {self.max_side}.")


DEFAULT_OPTIONS = ClipOptions()


def input_arguments(
    size: tuple[int, int], plan: CutPlan, color: ColorSpace
) -> list[str]:
    """FFmpeg's arguments for pictures that come as I420 through its standard input.

    Args:
        size: ``(width, height)`` in pixels, both even.
        plan: Says the rate.
        color: What the planes mean.

    Returns:
        The arguments.
    """
    layout = ["-f", "rawvideo", "-pix_fmt", "yuv420p", "-s", f"{size[0]}x{size[1]}"]
    return [*layout, "-r", _rate(plan), *_color_tags(color), "-i", "pipe:0"]


def output_arguments(
    plan: CutPlan, color: ColorSpace, options: ClipOptions, *, has_sound: bool
) -> list[str]:
    """FFmpeg's arguments for the file: an MP4 that browsers play.

    Args:
        plan: Says the rate.
        color: What the planes mean; players that are not told guess.
        options: Quality and speed.
        has_sound: Whether a second input brings sound.

    Returns:
        The arguments, without the file's name.
    """
    pictures = ["-map", "0:v:0", *encoder_arguments(options), "-pix_fmt", "yuv420p"]
    pictures += [*_color_tags(color), "-r", _rate(plan)]
    pictures += ["-g", str(max(1, math.ceil(_SECONDS_PER_KEY * plan.fps)))]
    sound = ["-map", "1:a:0", "-c:a", "aac", "-b:a", "160k"] if has_sound else []
    return [*pictures, *sound, "-movflags", "+faststart", "-map_metadata", "-1"]


def encoder_arguments(options: ClipOptions) -> list[str]:
    """FFmpeg's arguments for the encoder of the pictures and its quality."""
    chosen = ["-c:v", options.encoder]
    if options.encoder == NVIDIA_ENCODER:
        # Its scale is about that of crf, but for 0: that lets it choose by itself.
        quality = ["-rc", "vbr", "-cq", str(max(1, options.crf)), "-b:v", "0"]
        return [*chosen, "-preset", _PRESETS[options.preset], *quality]
    return [*chosen, "-preset", options.preset, "-crf", str(options.crf)]


def _rate(plan: CutPlan) -> str:
    # Exact: 23.98 instead of 24000/1001 drifts away from the sound by 10 ms a minute.
    return f"{plan.fps.numerator}/{plan.fps.denominator}"


def _color_tags(color: ColorSpace) -> list[str]:
    matrix = "bt709"
    if color.matrix == "bt601":  # two names for the same numbers
        matrix = "bt470bg" if color.primaries == "bt470bg" else "smpte170m"
    tags = ["-colorspace", matrix, "-color_primaries", color.primaries]
    tags += ["-color_trc", color.transfer]
    return [*tags, "-color_range", "pc" if color.full_range else "tv"]


def find_reason(log: str) -> str | None:
    """The line of FFmpeg's log that says what went wrong.

    Args:
        log: What FFmpeg wrote.

    Returns:
        One line without its full stop and without the names and addresses of FFmpeg's
        parts, or None if there is nothing in the log.
    """
    lines = [_PART_NAMES.sub("", " ".join(line.split())) for line in log.splitlines()]
    lines = [line for line in lines if line]
    for word in _REASON_WORDS:
        for line in lines:
            if word in line.lower():
                return line.rstrip(".")
    return lines[-1].rstrip(".") if lines else None


def one_line(error: BaseException) -> str:
    """What an error says, on one line without its full stop."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(text).split()).rstrip(".")
