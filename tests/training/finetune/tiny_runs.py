"""Training runs on the golden checkpoint and three clips."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import golden_files

from training.finetune.settings import Lora, Settings

ANSWERS = [
    "During the span of {<t0.1><t0.5>}. Object bounding box: <t0.1>:[<w0.2><h0.3>].",
    "{<t0.25><t0.75>}.",
    "Ends in <t0.9>, a square moves right.",
]


def rows(count: int = 3) -> list[dict[str, Any]]:
    return [
        {
            "id": f"row-{number}",
            "video": f"{number}.mp4",
            "segment_seconds": [0.5, 2.5] if number == 1 else None,
            "question": "Where is the square?",
            "answer": ANSWERS[number],
        }
        for number in range(count)
    ]


def write_data(folder: Path, lines: list[dict[str, Any]] | None = None) -> None:
    (folder / "videos").mkdir()
    for number in range(3):
        golden_files.write_clip(folder / "videos" / f"{number}.mp4", 20 + 10 * number)
    text = "".join(json.dumps(row) + "\n" for row in lines or rows())
    (folder / "train.jsonl").write_text(text)


def settings(folder: Path, **changed: Any) -> Settings:
    given: dict[str, Any] = {
        "model": str(golden_files.CHECKPOINT),
        "rows": (folder / "train.jsonl",),
        "videos": folder / "videos",
        "out": folder / "run",
        "learning_rates": {"language": 1e-2, "packer": 1e-3, "coordinates": 1e-3},
        "lora": Lora(r=4, alpha=8, dropout=0.1),
        "precision": "float32",
        "max_steps": 4,
        "save_steps": 2,
        "log_steps": 1,
        "report_to": (),
        "seed": 3,
    }
    return Settings(**{**given, **changed})


def write_questions(folder: Path, count: int) -> dict[str, Any]:
    """Annotations about the clips; returns the settings that ask them."""
    boxes = {str(frame): [10, 20, 16, 16] for frame in range(5, 10)}
    meta = {
        "width": 96,
        "height": 64,
        "split": [0, 19],
        "time_token": {"<s>": 5, "<e>": 9},
        "spatial_token": {"<bboxes>": boxes},
    }
    said = [{"value": "Where is the square?"}, {"value": "{<s>,<e>} <bboxes>"}]
    found = [
        {"video_path": f"{number % 3}.mp4", "meta": meta, "conversations": said}
        for number in range(count)
    ]
    (folder / "stvg.json").write_text(json.dumps(found))
    return {"eval_rows": folder / "stvg.json", "eval_videos": folder / "videos"}
