"""Reading VidOR: objects with a box on every frame, and what they do to each other.

The format (https://xdshang.github.io/docs/vidor.html): one file for each video,
``{"video_id", "video_path", "frame_count", "fps", "width", "height",
"subject/objects": [{"tid", "category"}], "trajectories": [[{"tid", "bbox": {"xmin",
"ymin", "xmax", "ymax"}, "generated", "tracker"}, ...] for each frame],
"relation_instances": [{"subject_tid", "predicate", "object_tid", "begin_fid",
"end_fid"}]}``. The end of a relation is one behind its last frame.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from evaluation.datasets.values import (
    NOT_IN_FORMAT,
    checked_path,
    checked_size,
    checked_text,
    corner_box,
    finite,
    read_object,
    whole,
)
from evaluation.metrics import Box
from stablechat.errors import InputError

Track = Mapping[int, Box]


@dataclass(frozen=True)
class Relation:
    """One thing does something to another for a while.

    Attributes:
        subject_tid, object_tid: Who, to whom.
        predicate: As annotated, ``"hold"``, ``"next_to"``.
        first_frame, last_frame: When, both included.
    """

    subject_tid: int
    predicate: str
    object_tid: int
    first_frame: int
    last_frame: int


@dataclass(frozen=True)
class VidorVideo:
    """One annotated video.

    Attributes:
        video_id: Its name.
        video_path: Where its file is, relative to the folder of videos.
        num_frames: How many frames are annotated.
        fps: Frames a second.
        width, height: In pixels.
        categories: ``{tid: category}``.
        tracks: ``{tid: {frame: xyxy in pixels}}``, on the frames where it is seen.
        relations: In the file's order.
    """

    video_id: str
    video_path: str
    num_frames: int
    fps: float
    width: int
    height: int
    categories: Mapping[int, str]
    tracks: Mapping[int, Track]
    relations: tuple[Relation, ...]


def read_vidor(path: Path) -> VidorVideo:
    """Read one annotation file.

    Raises:
        InputError: It can't be read or is not in the format; the message names the file
            and what is wrong.
    """
    raw = read_object(path)
    try:
        return _read(raw)
    except KeyError as error:
        raise InputError(f"{path} lacks {error}.") from error
    except NOT_IN_FORMAT as error:
        raise InputError(f"{path}: {error}.") from error


def _read(raw: Mapping[str, Any]) -> VidorVideo:
    width, height = checked_size(raw["width"], raw["height"])
    num_frames = whole(raw["frame_count"])
    frames = raw["trajectories"]
    if len(frames) != num_frames:
        raise ValueError(f"{num_frames} frames, but boxes of {len(frames)}")
    categories = {
        whole(thing["tid"]): checked_text(thing["category"], "category")
        for thing in raw["subject/objects"]
    }
    video_id = checked_text(raw["video_id"], "video_id")
    return VidorVideo(
        video_id=video_id,
        video_path=checked_path(raw.get("video_path", f"{video_id}.mp4")),
        num_frames=num_frames,
        fps=finite(raw["fps"], "fps"),
        width=width,
        height=height,
        categories=categories,
        tracks=_tracks(frames, categories),
        relations=tuple(
            _relation(each, categories, num_frames)
            for each in raw["relation_instances"]
        ),
    )


def _tracks(frames: Any, categories: Mapping[int, str]) -> dict[int, dict[int, Box]]:
    tracks: dict[int, dict[int, Box]] = {tid: {} for tid in categories}
    for frame, entries in enumerate(frames):
        for entry in entries:
            tid = whole(entry["tid"])
            if tid not in tracks:
                raise ValueError(
                    f"frame {frame} has a box of {tid}, which is no object"
                )
            tracks[tid][frame] = corner_box(entry["bbox"])
    return tracks


def _relation(
    raw: Mapping[str, Any], categories: Mapping[int, str], num_frames: int
) -> Relation:
    found = Relation(
        subject_tid=whole(raw["subject_tid"]),
        predicate=checked_text(raw["predicate"], "predicate"),
        object_tid=whole(raw["object_tid"]),
        first_frame=whole(raw["begin_fid"]),
        last_frame=whole(raw["end_fid"]) - 1,
    )
    for tid in (found.subject_tid, found.object_tid):
        if tid not in categories:
            raise ValueError(f"a relation is about {tid}, which is no object")
    if not 0 <= found.first_frame <= found.last_frame < num_frames:
        raise ValueError(
            f"a relation from frame {found.first_frame} to {found.last_frame} does not "
            f"lie in the video's {num_frames} frames"
        )
    return found
