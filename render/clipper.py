"""Cuts the answer out of a video: the span, a box on every picture, the sound.

One pass: pictures of the span only are decoded (by our reader), drawn on as the YUV
they are stored in, and piped together with the sound to the encoder by MoviePy's
writer; no file is made but the clip. This is the only module that imports MoviePy, and
it uses MoviePy for writing only: its reader turns phone videos wrongly, loses time in
files of varying rate and can hang.
"""

from __future__ import annotations

import os
import subprocess
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack, closing, suppress
from dataclasses import asdict, fields
from pathlib import Path
from typing import Any

import moviepy.video.io.ffmpeg_writer as moviepy_writer
from moviepy.tools import cross_platform_popen_params

from render.encoding import (
    DEFAULT_OPTIONS,
    NVIDIA_ENCODER,
    ClipOptions,
    encoder_arguments,
    find_reason,
    input_arguments,
    one_line,
    output_arguments,
)
from render.output import ClipFacts, check_result, checked_output
from render.parts import ClipPart, parts_to_message, plan_parts, whole_plan
from render.pictures import DrawnPictures
from render.plan import CutPlan
from render.sound import sound_format, stream_sound
from render.sound_feed import SoundFeed
from stablechat.errors import CancelledError, RenderError
from stablechat.types import Clip, FrameArray, Grounding
from stablechat.video import Timeline, read_in_child
from stablechat.video.isolation import Message, heartbeat

__all__ = [
    "DEFAULT_OPTIONS",
    "ClipFacts",
    "ClipOptions",
    "cut_clip",
    "cut_here",
    "merge_clips",
]

#: Where a child process finds what it is to do; that module imports this one.
_TASKS_MODULE = "render._tasks"

#: How often a wait for FFmpeg looks whether it is still wanted.
_POLL_SECONDS = 0.1
_ENCODER_TEST_SECONDS = 60.0


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
    return merge_clips(
        [grounding],
        out_path,
        options=options,
        on_progress=on_progress,
        cancelled=cancelled,
    )


def merge_clips(
    groundings: Sequence[Grounding],
    out_path: Path,
    *,
    options: ClipOptions = DEFAULT_OPTIONS,
    on_progress: Callable[[float], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> Clip:
    """Write several answers about one video as one MP4, one after the other.

    Each is cut as :func:`cut_clip` does, with its own sound; all of it is one pass of
    one encoder, so pictures and sound stay together across the joints.

    Args:
        groundings: At least one, in the order in which they are shown.
        out_path, options, on_progress, cancelled: As for :func:`cut_clip`.

    Returns:
        The clip as it was read back from the disk. Its span reaches from the first
        moment's start as far as all of them together last.

    Raises:
        RenderError: As for :func:`cut_clip`, or they are about several videos.
        CancelledError, VideoError: As for :func:`cut_clip`.
    """
    parts = plan_parts(
        groundings, options.pad_before_seconds, options.pad_after_seconds
    )
    out_path = checked_output(out_path, groundings[0].video)
    try:
        # Beside the result, so that the last step is a rename within one disk.
        with tempfile.TemporaryDirectory(
            prefix=".stablechat-", dir=out_path.parent, ignore_cleanup_errors=True
        ) as folder:
            written = Path(folder) / "clip.mp4"
            facts = _cut_in_child(parts, written, options, on_progress, cancelled)
            os.replace(written, out_path)
    except OSError as error:
        raise RenderError(
            "The clip can't be written: {reason}.", reason=one_line(error)
        ) from error
    if on_progress is not None:
        on_progress(1.0)
    return Clip(
        path=out_path,
        span=whole_plan(parts).span,
        width=facts.width,
        height=facts.height,
        num_frames=facts.num_frames,
        has_audio=facts.has_audio,
    )


def _cut_in_child(
    parts: Sequence[ClipPart],
    written: Path,
    options: ClipOptions,
    on_progress: Callable[[float], None] | None,
    cancelled: Callable[[], bool] | None,
) -> ClipFacts:
    """As :func:`cut_here`, in a process that a broken video may take down."""

    told = 0.0

    def listen(message: Message) -> None:
        nonlocal told
        fraction = message.data.get("progress")
        # What makes no sense (NaN too) is no progress.
        if isinstance(fraction, float) and told <= fraction <= 1:
            told = fraction
            if on_progress is not None:
                on_progress(fraction)

    data = {
        "task": "cut",
        "written": str(written),
        "options": asdict(options),
        "ffmpeg": moviepy_writer.FFMPEG_BINARY,
    }
    answer = read_in_child(
        _TASKS_MODULE,
        parts_to_message(parts, data),
        parts[0].grounding.video.path,
        on_message=listen,
        cancelled=cancelled,
    )
    return _checked_facts(answer, whole_plan(parts))


def _checked_facts(answer: Message, plan: CutPlan) -> ClipFacts:
    """What the child says of the clip, if it can be true."""
    values: list[Any] = [answer.data.get(field.name) for field in fields(ClipFacts)]
    # Not isinstance: True is an int too.
    if [type(value) for value in values] == [int, int, int, bool]:
        facts = ClipFacts(*values)
        if min(facts.width, facts.height) > 0 and facts.num_frames == plan.num_frames:
            return facts
    raise RenderError("The clip can't be written: the encoder's answer is odd.")


def cut_here(
    parts: Sequence[ClipPart],
    timeline: Timeline,
    written: Path,
    *,
    ffmpeg: str,
    options: ClipOptions = DEFAULT_OPTIONS,
    on_progress: Callable[[float], None] | None = None,
    cancelled: Callable[[], bool] | None = None,
) -> ClipFacts:
    """Decode, draw, encode and check, all in this process and its FFmpeg.

    All that is needed is passed in, and can be sent to another process.

    Args:
        parts: What becomes the clip, in its order; their video is read again.
        timeline: Of the video.
        written: The ``.mp4`` file to write, and to leave half written on an error. A
            log, and where pipes can't be passed on the sound, lie beside it.
        ffmpeg: The program that encodes.
        options: Quality, size, what is drawn.
        on_progress: Called with 0..1, never decreasing.
        cancelled: Asked for every picture; True stops.

    Returns:
        What the file holds.

    Raises:
        RenderError: If the file can't be written.
        CancelledError: If ``cancelled`` said so.
        VideoError: If the video can no longer be read.
        OSError: If there is no room for the log.
    """
    if options.encoder == NVIDIA_ENCODER:
        _check_encoder(ffmpeg, options)
    report = on_progress or (lambda _: None)
    plan = whole_plan(parts)

    def watch() -> None:
        heartbeat()
        if cancelled is not None and cancelled():
            raise CancelledError("Stopped.")
        if feed is not None:
            feed.check()

    with ExitStack() as stack:
        pictures = DrawnPictures(parts, timeline, options)
        stack.enter_context(closing(pictures))
        feed = _sound_feed(parts, timeline, written.parent)
        if feed is not None:
            stack.enter_context(feed)
        color = pictures.color
        arguments = [
            *input_arguments(pictures.size, plan, color),
            *(feed.arguments if feed is not None else []),
            *output_arguments(plan, color, options, has_sound=feed is not None),
        ]
        writer = stack.enter_context(_ClipWriter(ffmpeg, written, arguments, feed))
        if feed is not None:
            feed.start()
        for index, picture in enumerate(pictures):
            watch()
            writer.write_frame(picture)
            report(index / plan.num_frames)
        writer.finish(watch)
    return check_result(written, plan)


def _sound_feed(
    parts: Sequence[ClipPart], timeline: Timeline, folder: Path
) -> SoundFeed | None:
    """The sound of the clip, or None if the video has none."""
    video = parts[0].grounding.video
    form = sound_format(video)
    if form is None:
        return None

    def produce(write: Callable[[bytes], object], stopped: Callable[[], bool]) -> None:
        for part in parts:
            span = part.plan.span
            stream_sound(video, timeline, span, form, write, stopped=stopped)

    return SoundFeed(form, produce, folder)


class _ClipWriter(moviepy_writer.FFMPEG_VideoWriter):  # type: ignore[misc]
    """MoviePy's writer, with a command of ours. A context manager: FFmpeg has ended.

    MoviePy's own command takes RGB, announces the rate with two decimals, asks for
    pictures with alpha and wants the sound as a file.
    """

    def __init__(
        self, ffmpeg: str, written: Path, arguments: list[str], feed: SoundFeed | None
    ) -> None:
        # Not MoviePy's __init__, which starts FFmpeg; what its methods need is here.
        self.filename = str(written)
        self.ext = "mp4"
        self.codec = "libx264"
        log = written.with_name(written.name + ".log")
        # A file: a pipe that nobody reads would block FFmpeg when it is full.
        self.logfile = log.open("w+", encoding="utf-8", errors="replace")
        streams = {
            "stdin": subprocess.PIPE,
            "stdout": subprocess.DEVNULL,
            "stderr": self.logfile,
            "pass_fds": () if feed is None else feed.pass_fds,
        }
        quiet = ["-y", "-hide_banner", "-loglevel", "error", "-nostats"]
        try:
            self.proc = subprocess.Popen(
                [ffmpeg, *quiet, *arguments, self.filename],
                **cross_platform_popen_params(streams),
            )
        except OSError as error:
            self.logfile.close()
            raise RenderError(
                "FFmpeg can't be started: {reason}.", reason=one_line(error)
            ) from error

    def write_frame(self, picture: FrameArray) -> None:
        """Write one picture.

        Args:
            picture: uint8 ``(H * 3 // 2, W)``, I420.

        Raises:
            RenderError: With FFmpeg's own reason, if it has ended.
        """
        try:
            super().write_frame(picture)
        except OSError as error:
            raise self._failure() from error

    def finish(self, watch: Callable[[], None]) -> None:
        """Let FFmpeg encode what it still holds and end the file.

        Args:
            watch: Called now and then while FFmpeg works; what it raises is passed on.

        Raises:
            RenderError: With FFmpeg's own reason, if it failed.
        """
        self._close_input()
        while True:
            watch()
            try:
                code = self.proc.wait(timeout=_POLL_SECONDS)
                break
            except subprocess.TimeoutExpired:
                pass
        if code != 0:
            raise self._failure() from subprocess.CalledProcessError(code, "ffmpeg")

    def close(self) -> None:
        """Stop FFmpeg if it still runs; may be called twice."""
        if self.proc is not None:
            self.proc.kill()
            self._close_input()
        super().close()
        self.logfile.close()

    def _close_input(self) -> None:
        if self.proc.stdin is not None:
            # What is left of a picture can't be written to an FFmpeg that has ended;
            # why it has, its exit code and its log say.
            with suppress(OSError):
                self.proc.stdin.close()

    def _failure(self) -> RenderError:
        self.logfile.seek(0)
        reason = find_reason(self.logfile.read()) or "the encoder stopped early"
        return RenderError("The clip can't be written: {reason}.", reason=reason)


def _check_encoder(ffmpeg: str, options: ClipOptions) -> None:
    """Encode one picture with an encoder that needs hardware.

    Raises:
        RenderError: If that fails.
    """
    source = ["-f", "lavfi", "-i", "color=size=256x256:rate=25:duration=0.04"]
    command = [ffmpeg, "-v", "error", "-nostdin", *source]
    command += [*encoder_arguments(options), "-f", "null", "-"]
    try:
        subprocess.run(
            command,
            check=True,
            capture_output=True,
            stdin=subprocess.DEVNULL,
            timeout=_ENCODER_TEST_SECONDS,
        )
    except (OSError, subprocess.SubprocessError) as error:
        log = (getattr(error, "stderr", None) or b"").decode(errors="replace")
        # The first line is the cause; the others say what else fails because of it.
        reason = find_reason(log.strip().partition("\n")[0]) or one_line(error)
        raise RenderError(
            "This machine has no NVIDIA encoder that FFmpeg can use "
            "({reason}); use libx264.",
            reason=reason,
        ) from error
