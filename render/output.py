"""Files that are whole or not there, and what a finished clip holds."""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from render.encoding import one_line
from render.plan import CutPlan
from stablechat.errors import RenderError, VideoError
from stablechat.types import VideoInfo
from stablechat.video import probe


@dataclass(frozen=True)
class ClipFacts:
    """What a finished clip holds, read back from the disk.

    Attributes:
        width: Of its pictures, in pixels.
        height: Of its pictures, in pixels.
        num_frames: How many pictures.
        has_audio: Whether it has sound.
    """

    width: int
    height: int
    num_frames: int
    has_audio: bool


def checked_output(out_path: Path, video: VideoInfo) -> Path:
    """Refuse a name that a clip can't have, and make its folder.

    Args:
        out_path: The file to write.
        video: Where the clip comes from.

    Returns:
        The same, absolute: FFmpeg reads names such as "a:b.mp4" as protocols.

    Raises:
        RenderError: If it is not an ``.mp4`` file, would replace the video, or can't
            be written.
    """
    out_path = Path(out_path)
    if out_path.suffix.lower() != ".mp4":
        raise RenderError(
            "The clip's name must end in .mp4, got {name}.", name=out_path.name
        )
    out_path = Path(os.path.abspath(out_path))
    if out_path.exists() and out_path.samefile(video.path):
        raise RenderError("The clip would replace the video; choose another name.")
    if out_path.is_dir():
        raise RenderError(
            "{name} is a folder; choose another name.", name=out_path.name
        )
    try:
        out_path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RenderError(
            "The clip can't be written: {reason}.", reason=one_line(error)
        ) from error
    return out_path


def check_result(written: Path, plan: CutPlan) -> ClipFacts:
    """Read a finished clip back.

    Args:
        written: The file.
        plan: What it should hold.

    Returns:
        What it holds.

    Raises:
        RenderError: If the file is missing or incomplete.
    """
    try:
        made = probe(written)
    except VideoError as error:
        raise RenderError(
            "The clip can't be written: {reason}.", reason=one_line(error)
        ) from error
    if made.num_frames != plan.num_frames:
        raise RenderError(
            "The clip is incomplete: it has {num_frames} of {wanted} pictures.",
            num_frames=made.num_frames,
            wanted=plan.num_frames,
        )
    return ClipFacts(made.width, made.height, made.num_frames, made.has_audio)


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A name to write to that becomes ``path`` when all went well, and goes if not.

    Args:
        path: The file; an older one is replaced.

    Raises:
        RenderError: If it can't be written.
    """
    unfinished = path.with_name(f".{secrets.token_hex(8)}{path.suffix}")
    try:
        yield unfinished
        os.replace(unfinished, path)
    except OSError as error:
        raise RenderError(
            "{name} can't be written: {reason}.",
            name=path.name,
            reason=error.strerror or error,
        ) from error
    finally:
        unfinished.unlink(missing_ok=True)
