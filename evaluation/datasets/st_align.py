"""ST-Align annotations: rows to ask, with the question as it is put and the truth.

The format (LLaVA-ST, https://github.com/appletea233/LLaVA-ST): a list of
``{"video_path", "meta": {"width", "height", "split": [first, last],
"spatial_token": {"<bboxes>": {frame: [x, y, w, h]}, "<region>": [x, y, w, h]},
"time_token": {"<s>": frame, "<e>": frame}}, "conversations": [{"value"}, {"value"}]}``,
where the keys of the tokens stand in the question as placeholders. Ours may have the
bare ``query`` beside it. Frame numbers are inclusive.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from evaluation.datasets.loading import Loaded, checked, read_rows
from evaluation.datasets.sample import Sample
from evaluation.datasets.values import (
    checked_event,
    checked_path,
    checked_size,
    checked_split,
    checked_text,
    read_list,
    seen_boxes,
    whole,
    xywh_box,
    xywh_boxes,
)
from evaluation.frames import frame_to_unit
from stablechat.errors import InputError
from stablechat.grounding import xyxy_to_unit
from stablechat.prompts import format_unit
from stablechat.types import Task

#: Tasks of this format.
TASKS: tuple[Task, ...] = ("stvg", "svg", "elc")

#: What follows the question; upstream's annotations leave it to the evaluation.
SUFFIXES: Mapping[Task, str] = {
    "stvg": "Please firstly give the timestamps, and then give the spatial bounding "
    "box corresponding to each timestamp in the time period.",
    "svg": "Please give the spatial bounding box corresponding to each timestamp in "
    "the time period.",
    "elc": "Please firstly give the end timestamp, then give the event associated with "
    "the object/subject, finally give the spatial bounding box corresponding to each "
    "timestamp in the time period.",
}

_BOXES_KEY, _START_KEY, _END_KEY = "<bboxes>", "<s>", "<e>"
_VIDEO_MARK = re.compile(r"^\s*<(?:video|image)>\s*")
_PLACEHOLDER = re.compile(r"<[A-Za-z_]\w*>")
# Upstream draws one of eight openings; always the same one is repeatable.
_SPAN_PHRASE = "From <s> to <e>", "Between {<s>,<e>}"
_CAPTION = re.compile(
    r"\s*(?:Ends in <e>\s*,)?\s*(.*?)[\s.]*(?:Object bounding box:.*)?\Z", re.DOTALL
)


def load(path: Path, task: Task, extra: Path | None = None) -> Loaded:
    """Read an annotation file; ``extra`` is not used.

    Raises:
        InputError: It can't be read, or holds no list.
    """
    return read_rows(
        read_list(path), lambda index, raw: [read_sample(index, raw, task)]
    )


def load_samples(path: Path, task: Task) -> list[Sample]:
    """Read an annotation file, all of it.

    Raises:
        InputError: It can't be read, or has rows that can't be used; the message says
            how many, and why the first of them.
    """
    return checked(load(path, task), path, task).samples


def read_sample(index: int, raw: Mapping[str, Any], task: Task) -> Sample:
    """Read one annotated row.

    Raises:
        KeyError, TypeError, ValueError, AttributeError, OverflowError, InputError: It
            is not in the format.
    """
    meta = raw["meta"]
    split = checked_split(meta["split"])
    width, height = checked_size(meta["width"], meta["height"])
    times = {key: whole(frame) for key, frame in meta["time_token"].items()}
    tokens = dict(meta["spatial_token"])
    boxes = dict(xywh_boxes(tokens.pop(_BOXES_KEY)))
    question, answer = (turn["value"] for turn in raw["conversations"][:2])
    fillings = {
        **{key: _written_region(value, width, height) for key, value in tokens.items()},
        **{
            key: format_unit("t", frame_to_unit(frame, split))
            for key, frame in times.items()
        },
    }
    asked = fill(question, fillings)
    caption = _CAPTION.match(answer)
    return Sample(
        index=index,
        task=task,
        video_path=checked_path(raw["video_path"]),
        query=checked_text(raw.get("query", asked), "query"),
        prompt=asked if asked.endswith(SUFFIXES[task]) else asked + SUFFIXES[task],
        split=split,
        width=width,
        height=height,
        true_frames=checked_event(times[_START_KEY], times[_END_KEY], split),
        true_boxes=seen_boxes(boxes, split),
        caption=caption[1] if caption else "",
    )


def fill(question: str, fillings: Mapping[str, str]) -> str:
    """Put values in the places of a question's placeholders.

    Raises:
        InputError: A placeholder is left.
    """
    text = _VIDEO_MARK.sub("", question).replace(*_SPAN_PHRASE)
    if fillings:
        # In one go, longest first, so that no value and no longer key is cut up.
        keys = sorted(fillings, key=len, reverse=True)
        either = re.compile("|".join(map(re.escape, keys)))
        text = either.sub(lambda match: fillings[match[0]], text)
    left = _PLACEHOLDER.search(text)
    if left:
        raise InputError(f"nothing in meta says what {left[0]} in the question is")
    return text


def _written_region(value: Any, width: int, height: int) -> str:
    """A region as a question has it; of one that moves, its first box."""
    box = min(xywh_boxes(value))[1] if isinstance(value, Mapping) else xywh_box(value)
    unit = xyxy_to_unit(box, width, height)
    return f"[{', '.join(map(format_unit, 'whwh', unit))}]"
