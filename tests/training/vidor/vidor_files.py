"""VidOR annotations made for tests."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

NUM_FRAMES = 100


def box(x1: float, y1: float, x2: float, y2: float) -> dict[str, float]:
    return {"xmin": x1, "ymin": y1, "xmax": x2, "ymax": y2}


def annotation(**changed: Any) -> dict[str, Any]:
    """Two dogs beside a child; one of them holds a ball from frame 40 to 59."""
    frames = [
        [
            {"tid": tid, "bbox": box(10 * tid + frame / 10, 20, 10 * tid + 60, 80)}
            for tid in range(4)
        ]
        for frame in range(NUM_FRAMES)
    ]
    things = ["dog", "dog", "child", "ball/sports_ball"]
    made = {
        "video_id": "7",
        "video_path": "0/7.mp4",
        "frame_count": NUM_FRAMES,
        "fps": 30.0,
        "width": 200,
        "height": 100,
        "subject/objects": [
            {"tid": tid, "category": category} for tid, category in enumerate(things)
        ],
        "trajectories": frames,
        "relation_instances": [
            relation(0, "next_to", 2, 10, 50),
            relation(1, "next_to", 2, 30, 80),
            relation(1, "hold", 3, 40, 60),
        ],
    }
    return {**made, **changed}


def relation(subject: int, predicate: str, thing: int, begin: int, end: int) -> Any:
    return {
        "subject_tid": subject,
        "predicate": predicate,
        "object_tid": thing,
        "begin_fid": begin,
        "end_fid": end,
    }


def write(folder: Path, **changed: Any) -> Path:
    path = folder / "7.json"
    path.write_text(json.dumps(annotation(**changed)))
    return path
