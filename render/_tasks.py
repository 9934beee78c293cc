"""What a child process does for a clip; see :mod:`stablechat.video.isolation`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from render.boxes import BoxStyle
from render.clipper import cut_here
from render.encoding import ClipOptions, one_line
from render.parts import parts_from_message
from stablechat.errors import RenderError
from stablechat.video import read_timeline, take_over
from stablechat.video.isolation import Channel, Message


def _cut(request: Message, channel: Channel) -> Message:
    video, rest = take_over(request)
    try:
        facts = cut_here(
            parts_from_message(video, rest),
            read_timeline(video.path),
            Path(rest.data["written"]),
            ffmpeg=rest.data["ffmpeg"],
            options=_options(rest.data["options"]),
            on_progress=channel.progress,
        )
    except OSError as error:
        raise RenderError(
            "The clip can't be written: {reason}.", reason=one_line(error)
        ) from error
    return Message(asdict(facts))


def _options(data: Mapping[str, Any]) -> ClipOptions:
    style = {**data["style"]}
    for name in ("color_rgb", "outline_rgb"):
        style[name] = tuple(style[name])
    return ClipOptions(**{**data, "style": BoxStyle(**style)})


TASKS = {"cut": _cut}
