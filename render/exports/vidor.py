"""Answers in VidOR's annotation format (https://xdshang.github.io/docs/vidor.html).

Each answer with boxes is an object, the question its category, its boxes a trajectory.
VidOR has no sentences about one object, so there are no relations, and an answer of
times alone leaves nothing behind.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from render.exports.frames import answer_frames
from render.exports.words import BY_HAND, plain_line, safe_stem, title_of
from stablechat.types import FloatArray, Grounding
from stablechat.video import Timeline

Json = dict[str, Any]


def vidor(answers: Sequence[Grounding], timeline: Timeline) -> Json:
    """One video's annotation.

    Args:
        answers: About one video, at least one.
        timeline: When the video shows which picture.

    Returns:
        Plain values; boxes are whole pixels, as VidOR's are, and marked as generated.
    """
    video = answers[0].video
    boxed = [answer for answer in answers if answer.tube is not None]
    trajectories: list[list[Json]] = [[] for _ in range(len(timeline))]
    for tid, answer in enumerate(boxed):
        for frame in answer_frames(answer, timeline):
            if frame.xyxy is not None:
                trajectories[frame.number].append(_entry(tid, frame.xyxy))
    name = plain_line(video.path.name)
    return {
        "version": "VERSION 1.0",
        "video_id": safe_stem(name),
        "video_hash": "",
        "video_path": name,
        "frame_count": len(timeline),
        "fps": round(float(video.fps), 6),
        "width": video.width,
        "height": video.height,
        "subject/objects": [
            {"tid": tid, "category": title_of(answer), **_corrected(answer)}
            for tid, answer in enumerate(boxed)
        ],
        "trajectories": trajectories,
        "relation_instances": [],
    }


def _corrected(answer: Grounding) -> Json:
    return {} if answer.original is None else {"source": BY_HAND}


def _entry(tid: int, xyxy: FloatArray) -> Json:
    x1, y1 = (math.floor(value) for value in xyxy[:2].tolist())
    x2, y2 = (math.ceil(value) for value in xyxy[2:].tolist())
    return {
        "tid": tid,
        "bbox": {"xmin": x1, "ymin": y1, "xmax": x2, "ymax": y2},
        "generated": 1,
        "tracker": "linear",
    }
