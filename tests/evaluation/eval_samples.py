"""What the evaluation's tests share: annotations by hand, and a model by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from evaluation.answers import convert_outputs
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


def answer_text(
    span_bins: tuple[int, int], boxes_bins: dict[int, tuple[int, int, int, int]]
) -> str:
    """An STVG answer in the model's words."""
    rows = ", ".join(
        f"<TEMP-{time:03d}>:[<WIDTH-{x1:03d}><HEIGHT-{y1:03d}>"
        f"<WIDTH-{x2:03d}><HEIGHT-{y2:03d}>]"
        for time, (x1, y1, x2, y2) in boxes_bins.items()
    )
    start, end = span_bins
    return (
        f"During the span of {{<TEMP-{start:03d}><TEMP-{end:03d}>}}. Object bounding "
        f"box: {rows}."
    )


#: The clip of ``golden_files.write_clip``: frames, size, side of its square.
CLIP_FRAMES, CLIP_WIDTH, CLIP_HEIGHT, SQUARE = 30, 96, 64, 16


def square_box(frame: int) -> list[float]:
    """Where the square of that clip is, in pixels."""
    left = frame * (CLIP_WIDTH - SQUARE) // (CLIP_FRAMES - 1)
    return [left, 20, left + SQUARE, 36]


def square_row(
    index: int,
    span: tuple[int, int] = (6, 24),
    answered: tuple[int, int] | None = None,
    shift: Callable[[float], float] = lambda share: 0.0,
    **changes: Any,
) -> dict[str, Any]:
    """A result row about that clip.

    Args:
        index: Its number.
        span: First and last frame of the event.
        answered: The same of the answer; None is the event's.
        shift: Pixels by which the answered box is too low, by share of its span.
    """
    last = CLIP_FRAMES - 1
    bins = tuple(round(frame / last * 99) for frame in answered or span)
    boxes = {}
    for time_bin in range(bins[0], bins[1] + 1):
        x1, y1, x2, y2 = square_box(round(time_bin / 99 * last))
        down = shift((time_bin - bins[0]) / max(bins[1] - bins[0], 1))
        corners = ((x1, CLIP_WIDTH), (y1 + down, CLIP_HEIGHT))
        corners += ((x2, CLIP_WIDTH), (y2 + down, CLIP_HEIGHT))
        boxes[time_bin] = tuple(
            min(max(round(value / size * 99), 0), 99) for value, size in corners
        )
    text = answer_text((bins[0], bins[1]), boxes)  # type: ignore[arg-type]
    return {
        "index": index,
        "task": "stvg",
        "model": "fake",
        "video": "square.mp4",
        "query": "the red square moving right",
        "prompt": "When?",
        "split": [0, last],
        "width": CLIP_WIDTH,
        "height": CLIP_HEIGHT,
        "gt": {
            "svg": {str(f): square_box(f) for f in range(span[0], span[1] + 1)},
            "tvg": list(span),
        },
        "outputs": text,
        "converted_outputs": convert_outputs(text),
        "finish_reason": "stop",
        "seconds": 1.0,
        "missing": False,
        "error": None,
        **changes,
    }


def without_answer(index: int, **changes: Any) -> dict[str, Any]:
    """A row of that clip with an answer that says nothing."""
    text = {"outputs": "I am not sure.", "converted_outputs": "I am not sure."}
    return square_row(index, **{**text, **changes})


def write_rows(path: Path, rows: list[dict[str, Any]]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def mixed_rows() -> list[dict[str, Any]]:
    """One row of each kind of answer; the first is right."""
    return [
        square_row(0),
        square_row(1, answered=(20, 29), query="the square, late"),
        square_row(2, shift=lambda _: 26.0, query="something else"),
        square_row(3, shift=lambda share: 24.0 * share),
        square_row(4, shift=lambda share: 26.0 * (share > 0.5)),
        without_answer(5, query="<script>alert('x')</script> | *bold*"),
        square_row(6, span=(2, 27), finish_reason="length"),
        without_answer(
            7, video="gone.mp4", missing=True, finish_reason=None, outputs="",
            converted_outputs="",
        ),
    ]  # fmt: skip
