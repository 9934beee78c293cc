"""The frames of a video that a model sees, read where there need be no model."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from stablechat.encoding import bounded_size
from stablechat.errors import InputError
from stablechat.model.preprocess import to_squares
from stablechat.pictures import is_image, read_image
from stablechat.types import FrameSample, TimeSpan
from stablechat.video import probe, sample_frames
from stablechat.windows import check_segment

Cancelled = Callable[[], bool]


def read_video(
    path: Path,
    num_frames: int,
    segment: TimeSpan | None = None,
    *,
    on_progress: Callable[[float], None] | None = None,
    cancelled: Cancelled | None = None,
) -> FrameSample:
    """Frames spread evenly over a video.

    Args:
        path: The video.
        num_frames: As many as the model sees.
        segment: Look at this part only.
        on_progress: Called with the share that is done.
        cancelled: Asked often.

    Raises:
        InputError: The segment is outside the video.
        VideoError: The video can't be read.
        CancelledError: ``cancelled`` said so.
    """
    info = probe(path, cancelled=cancelled)
    if segment is not None:
        check_segment(info, segment)
    return sample_frames(
        info,
        num_frames,
        span=segment,
        size=bounded_size(info, num_frames),
        on_progress=on_progress,
        cancelled=cancelled,
    )


def read_picture(
    path: Path, at_seconds: float = 0.0, *, cancelled: Cancelled | None = None
) -> FrameSample:
    """An image file, or one picture of a video; raises as :func:`read_video`."""
    if is_image(path):
        if at_seconds:
            raise InputError("A still image has no moments; omit at_seconds (--at).")
        return read_image(path, cancelled=cancelled)
    moment = TimeSpan(at_seconds, at_seconds)
    return sample_frames(path, 1, span=moment, cancelled=cancelled)


def as_seen(sample: FrameSample, image_size: int) -> FrameSample:
    """The same frames as small as the vision tower sees them.

    They can be sent to where the model is: 100 frames at 384 pixels are 44 MB,
    whatever the video was. The tower's own resizing then leaves them as they are.

    Args:
        sample: Frames of any size.
        image_size: Side of the tower's square, in pixels.
    """
    return replace(sample, frames=to_squares(sample.frames, image_size))
