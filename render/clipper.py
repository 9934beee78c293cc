"""Cuts the answer out of a video: the span, a box on every picture, the sound.

One pass: pictures of the span only are decoded (by our reader), drawn on and piped to
the encoder by MoviePy; nothing of the video's full length is ever made. This is the
only module that imports MoviePy, and it uses MoviePy for writing only: its reader
turns phone videos wrongly, loses time in files of varying rate and can hang.
"""

from __future__ import annotations

import math
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
from moviepy import VideoClip

from render.boxes import DEFAULT_STYLE, BoxStyle, draw_box
from render.plan import CutPlan, box_on_screen, plan_cut
from render.sound import write_sound
from stablechat.errors import CancelledError, InputError, RenderError, VideoError
from stablechat.grounding import shown_span
from stablechat.types import (
    Clip,
    FloatArray,
    FrameArray,
    Grounding,
    TimeSpan,
    VideoInfo,
)
from stablechat.video import FrameReader, probe, read_timeline

#: libx264's speed settings, fastest first.
_PRESETS = (
    "ultrafast",
    "superfast",
    "veryfast",
    "faster",
    "fast",
    "medium",
    "slow",
    "slower",
    "veryslow",
)

#: Words that mark the line of FFmpeg's log that says what went wrong.
_REASON_WORDS = ("no space", "denied", "unknown", "invalid", "unable", "error", "fail")


@dataclass(frozen=True)
class ClipOptions:
    """How a clip is cut.

    Attributes:
        crf: Quality of the pictures, 0 (lossless) to 51; 18 to 23 look good.
        preset: Speed of the encoder; slower makes smaller files.
        draw_boxes: Whether the tube is drawn.
        label: Whether the question is written beside the box.
        pad_seconds: Seconds to add before and after the span.
        max_side: Longest side in pixels; larger videos are scaled down, because
            browsers refuse to play them.
        style: How the box looks.
    """

    crf: int = 20
    preset: str = "veryfast"
    draw_boxes: bool = True
    label: bool = True
    pad_seconds: float = 0.0
    max_side: int = 4096
    style: BoxStyle = field(default=DEFAULT_STYLE)

    def __post_init__(self) -> None:
        if not 0 <= self.crf <= 51:
            raise InputError(f"crf must be 0 to 51, got {self.crf}.")
        if self.preset not in _PRESETS:
            raise InputError(
                f"preset must be one of {', '.join(_PRESETS)}, got {self.preset!r}."
            )
        if not (math.isfinite(self.pad_seconds) and self.pad_seconds >= 0):
            raise InputError(f"pad_seconds must be 0 or more, got {self.pad_seconds}.")
        if self.max_side < 16:
            raise InputError(f"max_side must be at least 16, got {self.max_side}.")


DEFAULT_OPTIONS = ClipOptions()


def cut_clip(
    grounding: Grounding,
    out_path: Path,
    *,
    options: ClipOptions = DEFAULT_OPTIONS,
    on_progress: Callable[[float], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Clip:
    """Write the answer as an MP4 (H.264, AAC) that plays in a browser.

    The span is cut; without a span, the time of the tube. It is clamped to the video
    and widened to :data:`render.plan.MIN_CLIP_SECONDS`. The file appears under its
    name only when it is complete.

    Args:
        grounding: The answer; its video is read again.
        out_path: The ``.mp4`` file to write; an older one is replaced.
        options: Quality, padding, what is drawn.
        on_progress: Called with 0..1, never decreasing.
        cancelled: Asked for every picture; True stops.

    Returns:
        The clip as it was read back from the disk.

    Raises:
        RenderError: If there is nothing to cut or the file can't be written.
        CancelledError: If ``cancelled`` said so.
        VideoError: If the video can no longer be read.
    """
    video = grounding.video
    timeline = read_timeline(video.path)
    span = _wanted_span(grounding, options.pad_seconds)
    plan = plan_cut(video, timeline.seconds, span)
    out_path = _checked_output(out_path, video)
    report = on_progress or (lambda _: None)
    should_stop = cancelled or (lambda: False)
    try:
        # Beside the result, so that the last step is a rename within one disk.
        with tempfile.TemporaryDirectory(
            prefix=".stablechat-", dir=out_path.parent, ignore_cleanup_errors=True
        ) as folder:
            work = Path(folder)
            sound: Path | None = work / "sound.wav"
            if not write_sound(
                video,
                plan.start_seconds,
                plan.duration_seconds,
                work / "sound.wav",
                cancelled=should_stop,
            ):
                sound = None
            painter = _Painter(grounding, plan, options, report, should_stop)
            written = work / "clip.mp4"
            _encode(painter, plan, written, sound, options)
            made = _check_result(written, plan)
            os.replace(written, out_path)
    except OSError as error:
        raise RenderError(f"The clip can't be written: {_one_line(error)}.") from error
    report(1.0)
    return Clip(
        path=out_path,
        span=TimeSpan(plan.start_seconds, plan.start_seconds + plan.duration_seconds),
        width=made.width,
        height=made.height,
        num_frames=made.num_frames,
        has_audio=made.has_audio,
    )


def _wanted_span(grounding: Grounding, pad_seconds: float) -> TimeSpan:
    span = shown_span(grounding)
    if span is None:
        raise RenderError(
            "There is nothing to cut: the answer holds no time and no box."
        )
    return TimeSpan(
        max(0.0, span.start_seconds - pad_seconds), span.end_seconds + pad_seconds
    )


def _checked_output(out_path: Path, video: VideoInfo) -> Path:
    out_path = Path(out_path)
    if out_path.suffix.lower() != ".mp4":
        raise RenderError(f"The clip's name must end in .mp4, got {out_path.name}.")
    # Absolute, because FFmpeg reads names such as "a:b.mp4" as protocols.
    out_path = Path(os.path.abspath(out_path))
    if out_path.exists() and out_path.samefile(video.path):
        raise RenderError("The clip would replace the video; choose another name.")
    if out_path.is_dir():
        raise RenderError(f"{out_path.name} is a folder; choose another name.")
    try:
        out_path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RenderError(f"The clip can't be written: {_one_line(error)}.") from error
    return out_path


class _Painter:
    """Hands MoviePy the pictures of the clip, in order, with their boxes."""

    def __init__(
        self,
        grounding: Grounding,
        plan: CutPlan,
        options: ClipOptions,
        report: Callable[[float], None],
        should_stop: Callable[[], bool],
    ) -> None:
        video = grounding.video
        self._plan = plan
        self._timeline = read_timeline(video.path)
        self._tube = grounding.tube if options.draw_boxes else None
        self._label = grounding.query if options.label else None
        self._style = options.style
        self._report = report
        self._should_stop = should_stop
        scale = min(1.0, options.max_side / max(video.width, video.height))
        width = max(1, round(video.width * scale))
        height = max(1, round(video.height * scale))
        self._scale: FloatArray = np.tile(
            [width / video.width, height / video.height], 2
        )
        span = TimeSpan(plan.start_seconds, plan.start_seconds + plan.duration_seconds)
        size = None if scale == 1.0 else (width, height)
        self._reader = FrameReader(video, span, size=size)

    def __enter__(self) -> _Painter:
        self._reader.__enter__()
        return self

    def __exit__(self, *error: object) -> None:
        self._reader.__exit__(None, None, None)

    def __call__(self, seconds: float) -> FrameArray:
        """The picture at a moment of the clip, uint8 ``(H, W, 3)``, even H and W."""
        if self._should_stop():
            raise CancelledError("Stopped.")
        index = round(seconds * self._plan.fps)
        time = self._plan.time_of(index)
        shown = time + self._plan.tolerance_seconds
        frame = self._reader.at(shown)
        since = float(self._timeline.seconds[self._timeline.index_at(shown)])
        box = box_on_screen(self._tube, time, since, self._plan)
        if box is not None:
            frame = draw_box(frame, box * self._scale, self._label, self._style)
        self._report(index / self._plan.num_frames)
        return _even(frame)


def _even(frame: FrameArray) -> FrameArray:
    """Repeat the last row or column of an odd-sized picture: H.264 needs even sizes.

    The picture stays where it is, so boxes need no change.
    """
    height, width = frame.shape[:2]
    if height % 2 == 0 and width % 2 == 0:
        return frame
    padded = cv2.copyMakeBorder(
        frame, 0, height % 2, 0, width % 2, cv2.BORDER_REPLICATE
    )
    return np.asarray(padded, dtype=np.uint8)


def _encode(
    painter: _Painter,
    plan: CutPlan,
    written: Path,
    sound: Path | None,
    options: ClipOptions,
) -> None:
    """Run MoviePy's writer.

    Raises:
        RenderError: With FFmpeg's own reason.
    """
    # MoviePy takes floor(duration * fps) pictures; half a picture keeps it exact.
    duration = float((plan.num_frames + Fraction(1, 2)) / plan.fps)
    log = written.with_name(written.name + ".log")
    with painter:
        clip = VideoClip(frame_function=painter, duration=duration)
        try:
            clip.write_videofile(
                str(written),
                fps=float(plan.fps),
                codec="libx264",
                preset=options.preset,
                audio=str(sound) if sound else False,
                audio_codec="aac",
                ffmpeg_params=_ffmpeg_params(plan, options, has_sound=bool(sound)),
                # A log file: a pipe that nobody reads would block FFmpeg when full.
                write_logfile=True,
                logger=None,
            )
        except OSError as error:
            raise RenderError(
                f"The clip can't be written: {_reason(log, error)}."
            ) from error


def _ffmpeg_params(
    plan: CutPlan, options: ClipOptions, *, has_sound: bool
) -> list[str]:
    rate = f"{plan.fps.numerator}/{plan.fps.denominator}"
    # MoviePy announces the rate with two decimals (23.98 for 24000/1001), which would
    # drift away from the sound; the exact time base is set again here.
    timing = f"settb={plan.fps.denominator}/{plan.fps.numerator},setpts=N"
    # RGB becomes BT.709, and says so; untagged HD colours look wrong in browsers.
    colors = "scale=out_color_matrix=bt709:out_range=tv,format=yuv420p,"
    colors += "setparams=range=tv:colorspace=bt709:color_primaries=bt709"
    colors += ":color_trc=bt709"
    params = ["-hide_banner", "-loglevel", "error", "-nostats"]
    params += ["-vf", f"{timing},{colors}", "-r", rate, "-crf", str(options.crf)]
    # A key picture every two seconds makes the player's slider quick.
    params += ["-g", str(max(1, math.ceil(2 * plan.fps)))]
    params += ["-movflags", "+faststart", "-map_metadata", "-1"]
    if has_sound:
        params += ["-b:a", "160k"]
    return params


def _check_result(written: Path, plan: CutPlan) -> VideoInfo:
    """Read the file back: FFmpeg's exit code is not reported by MoviePy.

    Raises:
        RenderError: If the file is missing or incomplete.
    """
    log = written.with_name(written.name + ".log")
    try:
        made = probe(written)
    except VideoError as error:
        raise RenderError(
            f"The clip can't be written: {_reason(log, error)}."
        ) from error
    if made.num_frames != plan.num_frames:
        raise RenderError(
            f"The clip is incomplete ({made.num_frames} of {plan.num_frames} "
            f"pictures): {_reason(log, None)}."
        )
    return made


def _reason(log: Path, error: Exception | None) -> str:
    """The line of FFmpeg's log that says why, or the error itself, on one line."""
    try:
        lines = log.read_text(errors="replace").splitlines()
    except OSError:
        lines = []
    lines = [" ".join(line.split()) for line in lines if line.strip()]
    for word in _REASON_WORDS:
        for line in lines:
            if word in line.lower():
                return line.rstrip(".")
    if lines:
        return lines[-1].rstrip(".")
    return _one_line(error) if error is not None else "the encoder stopped early"


def _one_line(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(text).split()).rstrip(".")
