"""Reading values out of annotations, which are not trusted.

Each of these raises what :data:`NOT_IN_FORMAT` lists when a value is not what it must
be; the message is for the person who has the file.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from evaluation.frames import Split, sampled_frames
from evaluation.metrics import Box
from stablechat.errors import InputError

#: What reading a value that is not in the format raises, besides KeyError.
NOT_IN_FORMAT = (TypeError, ValueError, AttributeError, OverflowError, InputError)

_PIXEL_DECIMALS = 3


def read_json(path: Path) -> Any:
    """The content of a JSON file.

    Raises:
        InputError: It can't be read, or is something else.
    """
    try:
        return json.loads(path.read_bytes())
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"{path} can't be read ({reason}).") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path} is not a JSON file ({error}).") from error


def read_list(path: Path) -> list[Any]:
    """A JSON file that holds a list.

    Raises:
        InputError: It can't be read, or is something else.
    """
    content = read_json(path)
    if not isinstance(content, list):
        raise InputError(f"{path} must hold a list of annotated rows.")
    return content


def read_object(path: Path) -> dict[str, Any]:
    """A JSON file that holds an object.

    Raises:
        InputError: It can't be read, or is something else.
    """
    content = read_json(path)
    if not isinstance(content, dict):
        raise InputError(f"{path} must hold a JSON object.")
    return content


def corner_box(bbox: Mapping[str, Any]) -> Box:
    """VidOR's ``{"xmin", "ymin", "xmax", "ymax"}``, in pixels."""
    x1, y1, x2, y2 = (
        finite(bbox[name], name) for name in ("xmin", "ymin", "xmax", "ymax")
    )
    if x1 > x2 or y1 > y2:
        raise ValueError(f"a box must have its corners in order, got {dict(bbox)}")
    return x1, y1, x2, y2


def xywh_box(value: Any) -> Box:
    """``[x, y, w, h]`` as corners."""
    x, y, width, height = (float(number) for number in value)
    if not all(map(math.isfinite, (x, y, width, height))) or min(width, height) < 0:
        raise ValueError(f"a box must be [x, y, width, height] in pixels, got {value}")
    # Annotated with two decimals; the sum must not have seventeen.
    x1, y1, x2, y2 = (
        round(number, _PIXEL_DECIMALS) for number in (x, y, x + width, y + height)
    )
    return x1, y1, x2, y2


def xywh_boxes(value: Mapping[str, Any]) -> Iterator[tuple[int, Box]]:
    """``{frame: [x, y, w, h]}`` as numbers and corners."""
    if not value:
        raise ValueError("there are no boxes")
    for frame, box in value.items():
        yield int(frame), xywh_box(box)


def seen_boxes(boxes: Mapping[int, Box], split: Split) -> dict[int, Box]:
    """The boxes on frames that the model sees, as in the released loader.

    An event between two such frames keeps all its boxes: the row must not lose its
    truth, although no answer can match it.
    """
    frames = sampled_frames(split)
    seen = {frame: box for frame, box in sorted(boxes.items()) if frame in frames}
    return seen or dict(sorted(boxes.items()))


def checked_split(value: Any) -> Split:
    """First and last frame number of a clip."""
    first, last = map(whole, value)
    if not 0 <= first < last:
        raise ValueError(f"split must be two frame numbers in order, got {value}")
    return first, last


def checked_size(width: Any, height: Any) -> tuple[int, int]:
    """Width and height in pixels."""
    size = whole(width), whole(height)
    if min(size) < 1:
        raise ValueError(f"the size must be positive, got {size[0]}x{size[1]}")
    return size


def checked_event(start: int, end: int, split: Split) -> tuple[int, int]:
    """First and last frame of an event."""
    if not split[0] <= start <= end <= split[1]:
        raise ValueError(
            f"the event {start} to {end} must lie in the split {split[0]} to {split[1]}"
        )
    return start, end


def checked_text(value: object, name: str) -> str:
    """Text that is not empty."""
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{name} must be text, got {value!r}")
    return value


def checked_path(value: object, name: str = "video_path") -> str:
    """A path that stays inside the folder of videos."""
    text = checked_text(value, name)
    path = PurePosixPath(text.replace("\\", "/"))
    if path.is_absolute() or ".." in path.parts:
        raise ValueError(f"{name} must stay in the folder of videos, got {text!r}")
    return text


def whole(value: Any) -> int:
    """A whole number."""
    if isinstance(value, bool) or int(value) != value:
        raise ValueError(f"expected a whole number, got {value!r}")
    return int(value)


def finite(value: Any, name: str) -> float:
    """A number."""
    number = float(value)
    if isinstance(value, bool) or not math.isfinite(number):
        raise ValueError(f"{name} must be a number, got {value!r}")
    return number
