"""What the evaluation's tests share: annotations by hand, and a model by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from evaluation.datasets import Sample
from stablechat.errors import VideoError
from stablechat.types import Generation, GenerationConfig

GOLDEN_METRICS = Path(__file__).parents[1] / "golden" / "metrics"

#: Spans 0.2 to 0.5 of a clip of 101 frames, one box, in the model's words.
ANSWER = (
    "During the span of {<TEMP-020><TEMP-050>}. Object bounding box: "
    "<TEMP-020>:[<WIDTH-010><HEIGHT-020><WIDTH-030><HEIGHT-040>]."
)


def annotation(**changes: Any) -> dict[str, Any]:
    """An STVG row: a clip of 101 frames, 200x100 pixels, the event on 20 to 50."""
    row: dict[str, Any] = {
        "video_path": "a.mp4",
        "query": "the red circle moving left",
        "meta": {
            "width": 200,
            "height": 100,
            "split": [0, 100],
            "spatial_token": {
                "<bboxes>": {str(f): [20, 20, 40, 20] for f in range(20, 51)}
            },
            "time_token": {"<s>": 20, "<e>": 50},
        },
        "conversations": [
            {"value": "<video>\nWhen can we see it? "},
            {"value": "During the span of {<s>,<e>}. Object bounding box: <bboxes>."},
        ],
    }
    meta = changes.pop("meta", {})
    row.update(changes)
    row["meta"] = {**row["meta"], **meta}
    return row


def write_annotations(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text(json.dumps(rows))
    return path


class FakeAsker:
    """Answers by a function of the question's number; no model."""

    def __init__(
        self, answer: Callable[[int], str] = lambda _: ANSWER, name: str = "fake"
    ) -> None:
        self.name = name
        self.asked: list[str] = []
        self._answer = answer

    def ask(self, video: Path, sample: Sample, config: GenerationConfig) -> Generation:
        if video.name.startswith("missing"):
            raise VideoError(f"There is no file\n{video.name}.")
        self.asked.append(video.name)
        return Generation(self._answer(len(self.asked) - 1), (), "stop")
