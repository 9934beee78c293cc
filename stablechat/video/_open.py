"""Opening a file that somebody else made: checks first, then FFmpeg, on a short lead.

FFmpeg follows playlists, scripts and data references to other files and hosts, and
reads names such as ``concat:a.mp4`` as protocols. So every file is checked with
``stat`` (a named pipe would block for ever), passed on as an absolute path, and
opened with a whitelist of real media containers and of the ``file`` protocol only.
"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction

import av
from av.container import InputContainer
from av.stream import Discard, Disposition
from av.video.stream import VideoStream

from stablechat.errors import LimitError, StableChatError, VideoError
from stablechat.sentences import Sentence
from stablechat.video.limits import VideoLimits, default_limits

PathLike = str | os.PathLike[str]

#: Media containers that hold their own data. No playlist (hls, dash, concat, sdp),
#: no picture sequence (image2) and no device may ever be added here.
DEMUXERS = (
    "mov,mp4,m4a,3gp,3g2,mj2,matroska,webm,avi,mpegts,mpeg,flv,asf,ogg,mxf,gxf,"
    "nut,dv,rm,wtv,nuv,ivf,obu,av1,h264,hevc,vvc,m4v,mpegvideo,h261,h263,vc1,"
    "yuv4mpegpipe,gif,apng,webp,jpegxl_anim"
)
PROTOCOLS = "file"

OPEN_TIMEOUT_SECONDS = 60.0  # for the header; a damaged index can make FFmpeg search
READ_TIMEOUT_SECONDS = 60.0  # for one packet

MAX_NAME_LENGTH = 80  # characters of a file name in a message
MAX_THREADS = 16
THREAD_PIXELS = 64 * 1920 * 1080  # frame threads hold a few pictures each

_NOT_VIDEO = Disposition.attached_pic | Disposition.timed_thumbnails


@dataclass(frozen=True)
class Source:
    """An open file and its one video stream; closed by :func:`open_source`."""

    name: str
    container: InputContainer
    stream: VideoStream
    time_base: Fraction
    size_bytes: int

    @property
    def start_seconds(self) -> float | None:
        """Zero of the container's clock, or None where it does not say."""
        start = self.container.start_time
        return None if start is None else start / av.time_base


def printable_name(path: PathLike | bytes) -> str:
    """The file's own name, safe to print on one line.

    Args:
        path: Any path; its name need not be valid UTF-8.

    Returns:
        The last part, with what can't be printed as ``?``, shortened in the middle.
    """
    name = os.fsencode(os.path.basename(os.fsdecode(path))).decode("utf-8", "replace")
    name = "".join(c if c.isprintable() else "?" for c in name)
    if len(name) > MAX_NAME_LENGTH:
        half = MAX_NAME_LENGTH // 2
        name = f"{name[:half]}...{name[-half:]}"
    return name or "?"


def check_file(path: PathLike, limits: VideoLimits | None = None) -> os.stat_result:
    """Refuse what is not an ordinary, non-empty file, without opening it.

    Args:
        path: The file.
        limits: ``max_bytes`` is applied.

    Returns:
        What ``os.stat`` says, links followed.

    Raises:
        VideoError: If it is missing, empty, a folder, a pipe, a socket or a device.
        LimitError: If it is too large.
    """
    limits = limits or default_limits()
    name = printable_name(path)
    status = _stat(path, name)
    if stat.S_ISDIR(status.st_mode):
        raise VideoError("{name} is a folder; give a video file.", name=name)
    if not stat.S_ISREG(status.st_mode):
        raise VideoError(
            "{name} is a pipe or device; give an ordinary video file.", name=name
        )
    if status.st_size == 0:
        raise VideoError(
            "{name} is empty (0 bytes); copy or upload it again.", name=name
        )
    if limits.max_bytes is not None and status.st_size > limits.max_bytes:
        raise LimitError(
            "{name} has {size:,} bytes and the limit is {max_bytes:,}; cut "
            "or compress it first.",
            name=name,
            size=status.st_size,
            max_bytes=limits.max_bytes,
        )
    return status


def _stat(path: PathLike, name: str) -> os.stat_result:
    try:
        return os.stat(path)
    except FileNotFoundError as error:
        raise VideoError(
            "There is no file {name}; check the path.", name=name
        ) from error
    except (OSError, ValueError) as error:
        raise VideoError(
            "{name} can't be read: {reason}.", name=name, reason=_reason(error)
        ) from error


def _reason(error: BaseException) -> str:
    """What went wrong as a few words on one line."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return " ".join(str(text).split()).rstrip(".")


@contextmanager
def foreign_errors(name: str, doing: str) -> Iterator[None]:
    """Turn what FFmpeg and Python raise into a :class:`VideoError`.

    Args:
        name: Printable name of the file.
        doing: Completes "... can't be", for example ``"decoded"``.

    Raises:
        VideoError: Instead of the foreign exception.
    """
    try:
        yield
    except StableChatError:
        raise
    except MemoryError as error:
        raise LimitError(
            "There is not enough memory for {name}; give a smaller video.", name=name
        ) from error
    except (av.FFmpegError, OSError, ValueError, ArithmeticError) as error:
        raise VideoError(
            "{name} can't be {doing}: {reason}. Check that it plays, or "
            "convert it to MP4.",
            name=name,
            doing=Sentence(doing),
            reason=_reason(error),
        ) from error


@contextmanager
def open_source(path: PathLike, limits: VideoLimits | None = None) -> Iterator[Source]:
    """Open a video and pick its picture stream; closes the file at the end.

    Args:
        path: The file.
        limits: Applied before anything is decoded.

    Yields:
        The open file.

    Raises:
        VideoError: If it can't be opened or holds no video.
        LimitError: If it is over a limit.
    """
    limits = limits or default_limits()
    status = check_file(path, limits)
    name = printable_name(path)
    container = _open_container(os.path.abspath(os.fsdecode(path)), name, limits)
    try:
        stream = _pick_video_stream(container, name, limits)
        _prepare_stream(container, stream, limits)
        time_base = stream.time_base or Fraction(1, 1000)
        yield Source(name, container, stream, time_base, status.st_size)
    finally:
        container.close()


def _open_container(absolute: str, name: str, limits: VideoLimits) -> InputContainer:
    whitelists = {"format_whitelist": DEMUXERS, "protocol_whitelist": PROTOCOLS}
    try:
        return av.open(
            absolute,
            mode="r",
            options=_decoder_options(limits),
            container_options=whitelists,
            metadata_errors="replace",
            timeout=(OPEN_TIMEOUT_SECONDS, READ_TIMEOUT_SECONDS),
        )
    except PermissionError as error:
        raise VideoError(
            "{name} may not be read; check its permissions.", name=name
        ) from error
    except (av.FFmpegError, OSError, ValueError) as error:
        raise VideoError(
            "{name} is not a video that can be read ({reason}); check that it "
            "plays, or convert it to MP4.",
            name=name,
            reason=_why_not_opened(error),
        ) from error


def _why_not_opened(error: BaseException) -> str:
    """FFmpeg's two answers in plain words; its own words for the rest."""
    if isinstance(error, av.InvalidDataError):
        return Sentence("it is damaged or of an unknown kind")
    if getattr(error, "errno", None) == errno.EINVAL:  # so says the whitelist
        words = "it is a playlist, a picture, sound, or of an unsupported kind"
        return Sentence(words)
    return _reason(error)


def _pick_video_stream(
    container: InputContainer, name: str, limits: VideoLimits
) -> VideoStream:
    count = len(container.streams)
    if count > limits.max_streams:
        raise LimitError(
            "{name} has {count} streams and the limit is {max_streams}; keep "
            "one video and one sound track.",
            name=name,
            count=count,
            max_streams=limits.max_streams,
        )
    real = [s for s in container.streams.video if not s.disposition & _NOT_VIDEO]
    if not real:
        only = Sentence("only sound" if container.streams.audio else "no pictures")
        raise VideoError(
            "{name} holds no video, {only}; give a file with pictures.",
            name=name,
            only=only,
        )
    known = [s for s in real if s.codec_context is not None]
    if not known:
        raise VideoError(
            "{name} uses a video codec that is not supported; convert it to MP4.",
            name=name,
        )
    check_pixels(known[0].width, known[0].height, name, limits)
    return known[0]


def check_pixels(width: int, height: int, name: str, limits: VideoLimits) -> None:
    """Refuse pictures that would not fit.

    Args:
        width: Of one picture, in pixels.
        height: Likewise.
        name: Printable name of the file.
        limits: ``max_pixels`` is applied.

    Raises:
        LimitError: If the picture is too large.
    """
    if width * height > limits.max_pixels:
        raise LimitError(
            "{name} has pictures of {width}x{height} pixels and the limit is "
            "{max_pixels:,} pixels; scale it down first.",
            name=name,
            width=width,
            height=height,
            max_pixels=limits.max_pixels,
        )


def _prepare_stream(
    container: InputContainer, stream: VideoStream, limits: VideoLimits
) -> None:
    for other in container.streams:
        if other.index != stream.index:
            other.discard = Discard.all  # lets the demuxer skip their bytes
    pixels = max(1, stream.width * stream.height)
    cores = os.cpu_count() or 1
    stream.thread_type = "AUTO"
    stream.thread_count = max(1, min(cores, MAX_THREADS, THREAD_PIXELS // pixels))
    stream.codec_context.options = _decoder_options(limits)


def _decoder_options(limits: VideoLimits) -> dict[str, str]:
    """Bind the decoder too, also the one that FFmpeg runs while it opens a file.

    It counts the pixels that pad a picture to whole blocks, so it gets some room.
    """
    return {"max_pixels": str(limits.max_pixels * 5 // 4 + (1 << 16))}
