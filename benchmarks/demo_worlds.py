"""Measure demo models in every world, on videos of a seed that training never used.

    python -m benchmarks.demo_worlds --model assets/demo --seed 20261127 --count 40 \\
        --work runs/worlds --out benchmarks/results/demo_worlds.json

Videos are drawn, written and read like any other; STVG rows are scored by the strict
protocol. The work folder keeps videos and answers: started again, it goes on where it
was ended.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from dataclasses import fields
from pathlib import Path
from statistics import fmean
from typing import Any

from evaluation.asking import BenchmarkChat, load_chat
from evaluation.datasets import load_samples
from evaluation.frames import frame_to_unit
from evaluation.json_lines import read_json_lines
from evaluation.metrics import span_iou
from evaluation.protocols import score
from evaluation.row_file import RowFile
from evaluation.rows import read_result_rows
from evaluation.run_info import hardware
from evaluation.runner import run
from render.exports import write_json
from stablechat.errors import InputError, StableChatError
from stablechat.types import GenerationConfig
from training.demo.naming import Naming, judge
from training.synthetic.generating import generate
from training.synthetic.worlds import WORLDS

_COLUMNS = ("mtiou", "msiou", "mstiou", "viou@0.5", "objects", "colors", "actions")
_BAD_INPUT, _INTERRUPTED = 2, 130
Json = dict[str, Any]


def draw_world(
    folder: Path, world: str, seed: int, count: int, workers: int = 1
) -> None:
    """Write a world's videos, unless they are there.

    Raises:
        InputError: The folder holds others.
    """
    wanted = {"world": world, "seed": seed, "count": count}
    note = folder / "drawn.json"
    if not note.exists():
        generate(seed, count, folder, WORLDS[world], workers)
        write_json(note, wanted)
    elif json.loads(note.read_text("utf-8")) != wanted:
        raise InputError(f"{folder} holds other videos; choose another --work.")


def measure(chat: BenchmarkChat, folder: Path, answers: Path) -> Json:
    """Ask a model about one world's videos; what its answers are worth.

    Args:
        chat: The model.
        folder: Of the world.
        answers: Where the answers are kept, and gone on with.
    """
    samples = load_samples(folder / "stvg.json", "stvg")
    chat.keep_videos(len(samples))
    rows = answers / "stvg.jsonl"
    run(samples, folder / "videos", chat, RowFile(rows), GenerationConfig())
    names = _describe(chat, folder, answers / "descriptions.jsonl")
    return {
        **score(read_result_rows(rows, "stvg"), "stvg", "strict"),
        **{
            field.name: fmean(getattr(name, field.name) for name in names)
            for field in fields(Naming)
        },
    }


def whole_video_mtiou(annotations: Path) -> float:
    """What it is worth to answer "the whole video" every time.

    Args:
        annotations: Questions of task STVG.
    """
    spans = [
        [frame_to_unit(frame, sample.split) for frame in sample.true_frames or ()]
        for sample in load_samples(annotations, "stvg")
    ]
    return float(span_iou(spans, [0.0, 1.0]).mean())


def _describe(chat: BenchmarkChat, folder: Path, path: Path) -> list[Naming]:
    truths = json.loads((folder / "descriptions.json").read_text("utf-8"))
    with RowFile(path) as file:
        for index, truth in enumerate(truths[len(file.rows) :], len(file.rows)):
            text = chat.describe(folder / "videos" / truth["video_path"]).text
            file.append({"index": index, **truth, "answer": text})
    rows = read_json_lines(path)
    return [judge(row["text"], row["answer"]) for row in rows]


def table(found: Json) -> str:
    """A report's worlds and models as Markdown."""
    lines = [f"| world | model | {' | '.join(_COLUMNS)} |", "|---" * 9 + "|"]
    for world, models in found["worlds"].items():
        whole = {"the whole video": {"mtiou": found["whole_video_mtiou"][world]}}
        for name, values in {**models, **whole}.items():
            numbers = " | ".join(_number(column, values) for column in _COLUMNS)
            lines.append(f"| {world} | {name} | {numbers} |")
    return "\n".join(lines)


def _number(column: str, values: Json) -> str:
    if column not in values:
        return "-"
    share = values[column] / 100 if "@" in column else values[column]
    return f"{share:.3f}"


def report(args: argparse.Namespace) -> Json:
    """Draw, ask and measure."""
    found: Json = {world: {} for world in args.world}
    for world in args.world:
        draw_world(args.work / world, world, args.seed, args.count)
    for folder in args.model:
        chat = load_chat(str(folder), args.device, None)
        for world in args.world:
            answers = args.work / world / "answers" / folder.name
            print(f"{folder.name}, {world}", file=sys.stderr)
            found[world][folder.name] = measure(chat, args.work / world, answers)
    return {
        "what": "demo models on held-out synthetic videos of every world, decoded from "
        "MP4: STVG by the strict protocol, and what descriptions name",
        "seed": args.seed,
        "videos_per_world": args.count,
        "hardware": hardware(str(chat.device)),
        "whole_video_mtiou": {
            world: whole_video_mtiou(args.work / world / "stvg.json") for world in found
        },
        "worlds": found,
    }


def parse_arguments(argv: Sequence[str] | None = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.demo_worlds",
        description="Measure demo models in every world.",
    )
    add = parser.add_argument
    add("--model", metavar="DIR", type=Path, required=True, action="append")
    add("--seed", metavar="S", type=int, required=True, help="one never trained on")
    add("--count", metavar="N", type=int, default=40, help="videos of each world")
    add("--world", nargs="+", choices=tuple(WORLDS), default=list(WORLDS))
    add("--device", help="default: the best")
    add("--work", metavar="DIR", type=Path, required=True)
    add("--out", metavar="FILE.json", type=Path, help="default: print a table only")
    args = parser.parse_args(argv)
    if args.count < 1:
        parser.error("--count must be at least 1")
    if len({folder.name for folder in args.model}) < len(args.model):
        parser.error("the models' folders must have names of their own")
    return args


def main(argv: Sequence[str] | None = None) -> int:
    """Entry point; returns the exit code."""
    args = parse_arguments(argv)
    try:
        found = report(args)
        if args.out is not None:
            write_json(args.out, found)
    except (StableChatError, OSError) as error:
        print(f"error: {error}", file=sys.stderr)
        return _BAD_INPUT
    except KeyboardInterrupt:
        print("\nstopped", file=sys.stderr)
        return _INTERRUPTED
    print(table(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
