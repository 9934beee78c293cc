"""ST-Align annotations: rows to ask, with the question as it is put and the truth.

The format (LLaVA-ST, https://github.com/appletea233/LLaVA-ST): a list of
``{"video_path", "meta": {"width", "height", "split": [first, last],
"spatial_token": {"<bboxes>": {frame: [x, y, w, h]}, "<region>": [x, y, w, h]},
"time_token": {"<s>": frame, "<e>": frame}}, "conversations": [{"value"}, {"value"}]}``,
where the keys of the tokens stand in the question as placeholders. Ours may have the
bare ``query`` beside it. Frame numbers are inclusive.
"""

from __future__ import annotations

import json
import math
import random
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from evaluation.frames import Split, frame_to_unit, sampled_frames
from evaluation.metrics import Box
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

#: What reading a value that is not in the format raises, besides KeyError.
_NOT_IN_FORMAT = (TypeError, ValueError, AttributeError, OverflowError)

_BOXES_KEY, _START_KEY, _END_KEY = "<bboxes>", "<s>", "<e>"
_VIDEO_MARK = re.compile(r"^\s*<(?:video|image)>\s*")
_PLACEHOLDER = re.compile(r"<[A-Za-z_]\w*>")
# Upstream draws one of eight openings; always the same one is repeatable.
_SPAN_PHRASE = "From <s> to <e>", "Between {<s>,<e>}"
_CAPTION = re.compile(
    r"\s*(?:Ends in <e>\s*,)?\s*(.*?)[\s.]*(?:Object bounding box:.*)?\Z", re.DOTALL
)
_PIXEL_DECIMALS = 3


@dataclass(frozen=True)
class Sample:
    """One question of a benchmark.

    Attributes:
        index: Its place in the annotation file; stays the same in any subset.
        task: What is asked.
        video_path: As annotated, relative to the folder of videos.
        query: The bare query, or the question where there is none.
        prompt: What is put to the model, coordinates written ``<t0.087>``.
        split: First and last frame number of the clip that is asked about.
        width, height: Size in pixels that the boxes refer to.
        true_frames: Start and end of the event.
        true_boxes: ``{frame: box}`` on the frames that the model sees.
        caption: What happens, for ELC.
    """

    index: int
    task: Task
    video_path: str
    query: str
    prompt: str
    split: Split
    width: int
    height: int
    true_frames: tuple[int, int]
    true_boxes: Mapping[int, Box]
    caption: str = ""

    @property
    def asked_end_unit(self) -> float | None:
        """Where the clip's span ends, 0..1, if the question says so."""
        if self.task != "svg":
            return None
        return frame_to_unit(self.true_frames[1], self.split)

    @property
    def truth(self) -> dict[str, Any]:
        """The ``gt`` of a result row."""
        truth: dict[str, Any] = {
            "svg": {str(frame): list(box) for frame, box in self.true_boxes.items()}
        }
        if self.task != "svg":
            truth["tvg"] = list(self.true_frames)
        if self.task == "elc":
            truth["caption"] = self.caption
        return truth


def load_samples(path: Path, task: Task) -> list[Sample]:
    """Read an annotation file, all of it.

    Raises:
        InputError: It can't be read, or has rows that can't be used; the message says
            how many, and why the first of them.
    """
    samples, problems = [], []
    for index, raw in enumerate(_read_list(path)):
        try:
            samples.append(read_sample(index, raw, task))
        except KeyError as error:
            problems.append(f"row {index}: {error} is not there")
        except (*_NOT_IN_FORMAT, InputError) as error:
            problems.append(f"row {index}: {error}")
    if problems:
        total = len(samples) + len(problems)
        raise InputError(
            f"{len(problems)} of the {total} rows of {path} can't be used for task "
            f"{task}; the first is {problems[0]}."
        )
    if not samples:
        raise InputError(f"{path} holds no rows; give another annotation file.")
    return samples


def choose(
    samples: Sequence[Sample], subset: int | None, seed: int, limit: int | None
) -> list[Sample]:
    """A random subset, and the first few of it, in the file's order.

    Args:
        samples: All of them.
        subset: How many to draw; None keeps all. The same seed draws the same.
        seed: For the draw.
        limit: How many of those to keep; None keeps all.
    """
    chosen = list(samples)
    if subset is not None and subset < len(chosen):
        places = random.Random(seed).sample(range(len(chosen)), subset)
        chosen = [chosen[place] for place in sorted(places)]
    return chosen[:limit]


def read_sample(index: int, raw: Mapping[str, Any], task: Task) -> Sample:
    """Read one annotated row.

    Raises:
        KeyError, TypeError, ValueError, AttributeError, OverflowError, InputError: It
            is not in the format.
    """
    meta = raw["meta"]
    split = _checked_split(meta["split"])
    width, height = _checked_size(meta)
    times = {key: _whole(frame) for key, frame in meta["time_token"].items()}
    tokens = dict(meta["spatial_token"])
    boxes = dict(_boxes(tokens.pop(_BOXES_KEY)))
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
        video_path=_checked_path(raw["video_path"]),
        query=_checked_text(raw.get("query", asked), "query"),
        prompt=asked if asked.endswith(SUFFIXES[task]) else asked + SUFFIXES[task],
        split=split,
        width=width,
        height=height,
        true_frames=_checked_event(times[_START_KEY], times[_END_KEY], split),
        true_boxes=_seen(boxes, split),
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
    box = min(_boxes(value))[1] if isinstance(value, Mapping) else _box(value)
    unit = xyxy_to_unit(box, width, height)
    return f"[{', '.join(map(format_unit, 'whwh', unit))}]"


def _seen(boxes: Mapping[int, Box], split: Split) -> dict[int, Box]:
    """The boxes on frames that the model sees, as in the released loader.

    An event between two such frames keeps all its boxes: the row must not lose its
    truth, although no answer can match it.
    """
    frames = sampled_frames(split)
    seen = {frame: box for frame, box in sorted(boxes.items()) if frame in frames}
    return seen or dict(sorted(boxes.items()))


def _boxes(value: Mapping[str, Any]) -> Iterator[tuple[int, Box]]:
    if not value:
        raise ValueError("there are no boxes")
    for frame, box in value.items():
        yield int(frame), _box(box)


def _box(value: Any) -> Box:
    """``[x, y, w, h]`` as corners."""
    x, y, width, height = (float(number) for number in value)
    if not all(map(math.isfinite, (x, y, width, height))) or min(width, height) < 0:
        raise ValueError(f"a box must be [x, y, width, height] in pixels, got {value}")
    # Annotated with two decimals; the sum must not have seventeen.
    x1, y1, x2, y2 = (
        round(number, _PIXEL_DECIMALS) for number in (x, y, x + width, y + height)
    )
    return x1, y1, x2, y2


def _checked_split(value: Any) -> Split:
    first, last = map(_whole, value)
    if not 0 <= first < last:
        raise ValueError(f"split must be two frame numbers in order, got {value}")
    return first, last


def _checked_size(meta: Mapping[str, Any]) -> tuple[int, int]:
    width, height = _whole(meta["width"]), _whole(meta["height"])
    if min(width, height) < 1:
        raise ValueError(f"the size must be positive, got {width}x{height}")
    return width, height


def _checked_event(start: int, end: int, split: Split) -> tuple[int, int]:
    if not split[0] <= start <= end <= split[1]:
        raise ValueError(
            f"the event {start} to {end} must lie in the split {split[0]} to {split[1]}"
        )
    return start, end


def _checked_text(value: object, name: str) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name} must be text, got {value!r}")
    return value


def _checked_path(value: object) -> str:
    """A path that stays inside the folder of videos: annotations are not trusted."""
    text = _checked_text(value, "video_path")
    path = PurePosixPath(text.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"video_path must stay in the folder of videos, got {text!r}")
    return text


def _whole(value: Any) -> int:
    if isinstance(value, bool) or int(value) != value:
        raise ValueError(f"expected a whole number, got {value!r}")
    return int(value)


def _read_list(path: Path) -> list[Any]:
    try:
        content = json.loads(path.read_bytes())
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"{path} can't be read ({reason}).") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not a JSON file ({error}).") from error
    if not isinstance(content, list):
        raise InputError(f"{path} must hold a list of annotated rows.")
    return content
