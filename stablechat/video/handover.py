"""Work on a video in a child process that need not look at the file all over again."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from stablechat.types import VideoInfo
from stablechat.video._inspect import inspect, remember
from stablechat.video._inspection import NUM_ARRAYS, inspection_from, inspection_message
from stablechat.video._open import PathLike, printable_name
from stablechat.video.isolation import Cancelled, Message, SharedMemory, run_in_child
from stablechat.video.limits import VideoLimits, default_limits, set_default_limits
from stablechat.video.probe import probe


def read_in_child(
    module: str,
    request: Message,
    path: PathLike,
    *,
    limits: VideoLimits | None = None,
    memory: SharedMemory | None = None,
    on_message: Callable[[Message], None] | None = None,
    cancelled: Cancelled | None = None,
) -> Message:
    """Run a task that reads a video; it gets the file with :func:`take_over`.

    Args:
        module: Name of the module with the ``TASKS`` table.
        request: ``data["task"]`` names the task; the rest is for the task.
        path: The video.
        limits: What to refuse, and when to give up; None for this process's limits.
        memory: What the task may write to, at ``data["memory_fd"]``.
        on_message: Gets what the task sends while it works.
        cancelled: Asked often; True stops.

    Returns:
        What the task returned.

    Raises:
        StableChatError: What the task raised.
        VideoError: If the file can't be read, or made the child crash or hang.
        LimitError: If it took too long or too much memory.
        CancelledError: If ``cancelled`` said so.
    """
    limits = limits or default_limits()
    known = inspection_message(inspect(path, limits, cancelled=cancelled))
    about = {
        "path": os.path.abspath(os.fsdecode(path)),
        "limits": limits.as_dict(),
    }
    return run_in_child(
        module,
        Message(
            {**known.data, **about, **request.data}, [*known.arrays, *request.arrays]
        ),
        subject=printable_name(path),
        limits=limits.child,
        memory=memory,
        on_message=on_message,
        cancelled=cancelled,
    )


def take_over(request: Message) -> tuple[VideoInfo, Message]:
    """In the child: believe what the parent knows of the video, and its limits.

    Args:
        request: As it arrived.

    Returns:
        The video, and the request without what belongs to it.

    Raises:
        VideoError: If the file is gone.
    """
    limits = VideoLimits(**request.data["limits"])
    set_default_limits(limits)
    path = Path(request.data["path"])
    remember(path, limits, inspection_from(request))
    return probe(path), Message(request.data, request.arrays[NUM_ARRAYS:])
