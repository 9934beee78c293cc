"""Charades-STA: when something happens in a video (TVG).

Two formats. LLaVA-ST's ``test.json`` is a list of ``{"image_id": "AB1CD.mp4",
"caption", "timestamp": [start, end]}`` with times as shares of the video. The original
``charades_sta_test.txt`` (Gao et al. 2017) has a line ``AB1CD 24.3 30.4##sentence.``
for each question, in seconds; the length of each video is the column ``length`` of
Charades' own ``Charades_v1_test.csv``, looked for beside it.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

from evaluation.datasets.loading import Loaded, read_rows
from evaluation.datasets.sample import Sample
from evaluation.datasets.values import checked_path, checked_text, finite, read_list
from stablechat.errors import InputError
from stablechat.prompts import tvg_prompt
from stablechat.types import Task

#: By split; a file that is named for none may be of any.
LENGTHS_NAMES = {"test": "Charades_v1_test.csv", "train": "Charades_v1_train.csv"}

_LINE = re.compile(r"(\S+) (\S+) (\S+?)##(.*)\Z", re.DOTALL)
_UNIT_DECIMALS = 3
#: How far a time may lie behind the end of its video; the annotators rounded both.
_SLACK_SECONDS = 1.0


def load(path: Path, task: Task, extra: Path | None = None) -> Loaded:
    """Read an annotation file.

    Args:
        path: A ``.txt`` in the original format, anything else in LLaVA-ST's.
        task: TVG.
        extra: The CSV with the lengths; None looks beside a ``.txt``.

    Raises:
        InputError: A file can't be read, or is something else.
    """
    if path.suffix.lower() != ".txt":
        return read_rows(read_list(path), _read_json_row)
    lengths = _read_lengths(extra or _lengths_beside(path))
    return read_rows(_read_lines(path), partial(_read_line, lengths=lengths))


def _read_json_row(index: int, raw: Mapping[str, Any]) -> list[Sample]:
    start, end = (finite(time, "timestamp") for time in raw["timestamp"])
    if not 0 <= start <= end <= 1:
        raise ValueError(
            f"timestamp must be a start and an end in 0..1, got {raw['timestamp']}"
        )
    return [_sample(index, raw["image_id"], raw["caption"], (start, end))]


def _read_line(index: int, line: str, lengths: Mapping[str, float]) -> list[Sample]:
    match = _LINE.match(line)
    if match is None:
        raise ValueError(f"expected 'VIDEO START END##SENTENCE', got {line!r}")
    video, sentence = match[1], match[4]
    start, end = (finite(text, "a time") for text in match.group(2, 3))
    if video not in lengths:
        raise ValueError(f"the table of lengths does not have {video}")
    length = lengths[video]
    if not 0 <= start <= end or start >= length or end > length + _SLACK_SECONDS:
        raise ValueError(
            f"the event {start} to {end} must lie in the video, which lasts {length} s"
        )
    unit = start / length, min(end / length, 1.0)
    return [_sample(index, f"{video}.mp4", sentence, unit)]


def _sample(
    index: int, video: object, sentence: object, unit: tuple[float, float]
) -> Sample:
    # As upstream words it; its videos of ActivityNet begin with "v_", these do not.
    query = checked_text(sentence, "caption").strip().strip(".").strip().lower()
    start, end = (round(value, _UNIT_DECIMALS) for value in unit)
    return Sample(
        index=index,
        task="tvg",
        video_path=checked_path(video, "image_id"),
        query=query,
        prompt=tvg_prompt(query),
        true_unit=(start, end),
        whole_video=True,
    )


def _lengths_beside(path: Path) -> Path:
    names = [
        name
        for split, name in LENGTHS_NAMES.items()
        if split in path.stem or not any(each in path.stem for each in LENGTHS_NAMES)
    ]
    for name in names:
        if path.with_name(name).is_file():
            return path.with_name(name)
    raise InputError(
        f"{path.name} gives times in seconds, so the lengths of the videos are needed: "
        f"put {names[0]} beside it, or name it with --extra."
    )


def _read_lengths(path: Path) -> dict[str, float]:
    try:
        with path.open(encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        return {row["id"]: float(row["length"]) for row in rows}
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"{path} can't be read ({reason}).") from error
    except (KeyError, TypeError, ValueError, csv.Error) as error:
        raise InputError(
            f"{path} must be Charades' table with the columns id and length ({error})."
        ) from error


def _read_lines(path: Path) -> list[str]:
    try:
        text = path.read_text(encoding="utf-8")
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"{path} can't be read ({reason}).") from error
    except ValueError as error:
        raise InputError(f"{path} is not a text file ({error}).") from error
    return [line for line in text.splitlines() if line.strip()]
