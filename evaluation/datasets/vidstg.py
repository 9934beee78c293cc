"""VidSTG: declarative and interrogative sentences about videos of VidOR.

The format (https://github.com/Guaranteer/VidSTG-Dataset): a list of ``{"vid",
"frame_count", "fps", "width", "height", "used_segment": {"begin_fid", "end_fid"},
"temporal_gt": {"begin_fid", "end_fid"}, "captions": [{"description", "target_id"}],
"questions": [...]}``. The end of the segment is its last frame; the end of the event is
one behind its last frame.

The boxes are VidOR's: one file for each video, ``<group>/<vid>.json`` with
``{"video_path", "trajectories": [[{"tid", "bbox": {"xmin", "ymin", "xmax", "ymax"}},
...] for each frame]}``. TVG, which asks for the time only, does without them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import lru_cache, partial
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
    corner_box,
    finite,
    read_list,
    read_object,
    whole,
)
from evaluation.metrics import Box
from stablechat.errors import InputError
from stablechat.types import Task

#: The lists of sentences of a row, and the kind of each.
_KINDS = {"captions": "declarative", "questions": "interrogative"}

#: Rows about one video mostly stand together.
_KEPT_VIDEOS = 4


def load(path: Path, task: Task, extra: Path | None = None) -> Loaded:
    """Read an annotation file; each row gives as many samples as it has sentences.

    Args:
        path: The annotation file.
        task: STVG or TVG.
        extra: The folder with VidOR's annotations, for STVG.

    Raises:
        InputError: It can't be read, is something else, or VidOR's are needed.
    """
    if task == "stvg" and extra is None:
        raise InputError(
            "VidSTG has no boxes of its own: name the folder of VidOR's annotations "
            "with --extra, or ask for the time only with --task tvg."
        )
    vidor = VidOR(extra) if extra is not None else None
    return read_rows(
        read_list(path),
        partial(_read_row, task=task, vidor=vidor),
        samples_in=lambda raw: sum(1 for _ in _sentences(raw)),
    )


class VidOR:
    """VidOR's annotations, found by the name of their video.

    Args:
        folder: Where they are, in any depth.

    Raises:
        InputError: There is no such folder, or nothing in it.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.is_dir():
            raise InputError(f"{folder} is not a folder; give VidOR's annotations.")
        self._files = {file.stem: file for file in folder.rglob("*.json")}
        if not self._files:
            raise InputError(f"{folder} holds no annotations of VidOR (*.json).")
        self._read = lru_cache(maxsize=_KEPT_VIDEOS)(read_object)

    def video(self, vid: str) -> Mapping[str, Any]:
        """The annotation of a video.

        Raises:
            InputError: It is not there, or can't be read.
        """
        if vid not in self._files:
            raise InputError(f"VidOR's annotation {vid}.json is not there")
        return self._read(self._files[vid])

    def track(self, vid: str, target: int, event: tuple[int, int]) -> dict[int, Box]:
        """An object's boxes on each frame of an event, both ends included."""
        frames = self.video(vid)["trajectories"]
        start, end = event
        if end >= len(frames):
            raise ValueError(
                f"the event ends at frame {end} and VidOR's {vid}.json has "
                f"{len(frames)} frames"
            )
        found = {
            frame: corner_box(entry["bbox"])
            for frame in range(start, end + 1)
            for entry in frames[frame]
            if entry["tid"] == target
        }
        lacking = end + 1 - start - len(found)
        if lacking:
            raise ValueError(
                f"VidOR's {vid}.json lacks the box of object {target} on {lacking} of "
                f"the frames {start} to {end}"
            )
        return found


def _read_row(
    index: int, raw: Mapping[str, Any], task: Task, vidor: VidOR | None
) -> list[Sample]:
    vid = checked_text(raw["vid"], "vid")
    segment, moment = raw["used_segment"], raw["temporal_gt"]
    split = checked_split((segment["begin_fid"], segment["end_fid"]))
    event = whole(moment["begin_fid"]), whole(moment["end_fid"]) - 1
    width, height = checked_size(raw["width"], raw["height"])
    path = f"{vid}.mp4" if vidor is None else vidor.video(vid)["video_path"]
    samples = []
    for number, (kind, sentence) in enumerate(_sentences(raw)):
        clip = Clip(
            video_path=checked_path(path),
            split=split,
            width=width,
            height=height,
            whole_video=split == (0, whole(raw["frame_count"]) - 1),
            facts={"kind": kind, "fps": finite(raw["fps"], "fps")},
        )
        target = whole(sentence["target_id"])
        track = {} if vidor is None else vidor.track(vid, target, event)
        query = checked_text(sentence["description"], "description")
        samples.append(make_sample(index + number, task, clip, query, event, track))
    if not samples:
        raise ValueError(f"{vid} has no sentence")
    return samples


def _sentences(raw: Any) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """Kind and sentence, declarative ones first; nothing of what is no row."""
    for name, kind in _KINDS.items():
        sentences = raw.get(name) if isinstance(raw, Mapping) else None
        for sentence in sentences if isinstance(sentences, list) else ():
            yield kind, sentence
