"""Drawn videos as VidOR and VidSTG would annotate them.

VidOR knows a box of everything on every frame, and of each thing its kind only: here,
the shape. VidSTG's sentences say which one does what, and name their target.
"""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

from training.synthetic.annotations import Event, ask_about, askable_events
from training.synthetic.painter import frame_times
from training.synthetic.video import Format
from training.synthetic.world import SHAPES, Scenes, boxes_of, states_at


def vidor_annotation(
    path: Path, scene: Scenes, events: list[Event], layout: Format
) -> dict[str, Any]:
    """A video's file in VidOR's format.

    Args:
        path: The video.
        scene: A batch of exactly one scene.
        events: Of that scene.
        layout: The video's format.
    """
    count = layout.num_frames
    boxes = boxes_of(scene, states_at(scene, frame_times(count)))[0]
    kinds = [SHAPES[int(shape)] for shape in scene.shape[0]]
    there = [k for k in range(len(kinds)) if scene.exists[0, k]]
    return {
        "version": "1.0",
        "video_id": path.stem,
        "video_path": path.name,
        "frame_count": count,
        "fps": float(layout.fps),
        "width": layout.width,
        "height": layout.height,
        "subject/objects": [{"tid": k, "category": kinds[k]} for k in there],
        "trajectories": [
            [_box(k, boxes[frame, k].tolist(), layout) for k in there]
            for frame in range(count)
        ],
        "relation_instances": [
            relation for event in events for relation in _relations(event, there)
        ],
    }


def vidstg_rows(
    video_id: str, events: list[Event], layout: Format, rng: random.Random
) -> list[dict[str, Any]]:
    """A sentence about each event that one can pick out, in VidSTG's format."""
    return [
        {
            "vid": video_id,
            "frame_count": layout.num_frames,
            "fps": float(layout.fps),
            "width": layout.width,
            "height": layout.height,
            "used_segment": {"begin_fid": 0, "end_fid": layout.num_frames - 1},
            "temporal_gt": {
                "begin_fid": event.first_frame,
                "end_fid": event.last_frame + 1,
            },
            "captions": [
                {
                    "type": SHAPES[event.kinds[1]],
                    "target_id": event.index,
                    "description": ask_about(event, events, rng),
                }
            ],
            "questions": [],
        }
        for event in askable_events(events)
    ]


def _box(tid: int, unit: list[float], layout: Format) -> dict[str, Any]:
    names = ("xmin", "ymin", "xmax", "ymax")
    sizes = (layout.width, layout.height) * 2
    pixels = [round(value * size) for value, size in zip(unit, sizes, strict=True)]
    box = dict(zip(names, pixels, strict=True))
    return {"tid": tid, "bbox": box, "generated": 1, "tracker": "none"}


def _relations(event: Event, there: list[int]) -> list[dict[str, Any]]:
    """While it acts, a thing is next to each other one: VidOR's word for together."""
    return [
        {
            "subject_tid": event.index,
            "predicate": "next_to",
            "object_tid": other,
            "begin_fid": event.first_frame,
            "end_fid": event.last_frame + 1,
        }
        for other in there
        if other != event.index
    ]
