"""HC-STVG, versions 1 and 2: a person in a film clip of 20 seconds.

The format (https://github.com/tzhhhh123/HC-STVG): ``{video name: {"bbox": [[x, y, w,
h], ...], "st_frame": number of the first box's frame, from 1, "img_num": frames of the
video, "st_time", "ed_time", "caption", "width", "height"}}``. Version 2 names the
sentence ``English`` and the size ``img_size``, height first. There is a box for every
frame of the event; the times in seconds say the same and are not used.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from evaluation.datasets.loading import Loaded, read_rows
from evaluation.datasets.sample import Sample
from evaluation.datasets.tracks import Clip, make_sample
from evaluation.datasets.values import (
    checked_path,
    checked_size,
    checked_split,
    checked_text,
    finite,
    read_object,
    whole,
    xywh_box,
)
from stablechat.types import Task

_SECONDS = 20.0


def load(path: Path, task: Task, extra: Path | None = None) -> Loaded:
    """Read an annotation file of either version; ``extra`` is not used.

    Raises:
        InputError: It can't be read, or is something else.
    """
    return read_rows(read_object(path).items(), partial(_read_item, task=task))


def _read_item(
    index: int, item: tuple[str, Mapping[str, Any]], task: Task
) -> list[Sample]:
    name, raw = item
    num_frames = whole(raw["img_num"])
    split = checked_split((0, num_frames - 1))
    width, height = _size(raw)
    boxes = [xywh_box(box) for box in raw["bbox"]]
    if not boxes:
        raise ValueError(f"{name} has no boxes")
    start = whole(raw["st_frame"]) - 1
    clip = Clip(
        video_path=checked_path(name, "the video's name"),
        split=split,
        width=width,
        height=height,
        whole_video=True,
        facts={"fps": finite(raw.get("fps", num_frames / _SECONDS), "fps")},
    )
    sentence = raw["caption"] if "caption" in raw else raw["English"]
    query = checked_text(sentence, "the sentence")
    event = start, start + len(boxes) - 1
    track = dict(enumerate(boxes, start=start))
    return [make_sample(index, task, clip, query, event, track)]


def _size(raw: Mapping[str, Any]) -> tuple[int, int]:
    if "img_size" in raw:
        height, width = raw["img_size"]
        return checked_size(width, height)
    return checked_size(raw["width"], raw["height"])
