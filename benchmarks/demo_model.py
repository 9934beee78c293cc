"""How long the demo model takes on this machine, from file to answer and clip.

    python -m benchmarks.demo_model [VIDEO QUERY] [--runs 5] [--out results.json]

Every run is a fresh process of its own for loading, and a fresh video (no feature is
reused) for answering; the first run of each is a warm-up and is not counted. The
result is the medians. An answer is there after ``answer_seconds``; whether it is told
as a guess, after ``second_look_seconds`` more.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

from render.clipper import cut_clip
from stablechat import StableChat
from stablechat.video import probe

_EXAMPLE = Path(__file__).parents[1] / "assets" / "examples" / "red_circle.mp4"
_QUERY = "the red circle moving left"
# Loading alone, in a process that has done nothing else; imports are timed apart.
_LOAD = """
import json, time
started = time.perf_counter()
from stablechat import StableChat
import torch, transformers
imported = time.perf_counter()
StableChat.from_pretrained()
print(json.dumps([imported - started, time.perf_counter() - imported]))
"""


def measure_loading(runs: int) -> dict[str, float]:
    """Seconds to import the libraries and to load the weights."""
    found = []
    for _ in range(runs + 1):
        output = subprocess.run(
            [sys.executable, "-c", _LOAD], check=True, capture_output=True, text=True
        ).stdout
        found.append(json.loads(output))
    imports, loads = zip(*found[1:], strict=True)
    return {
        "import_seconds": statistics.median(imports),
        "load_seconds": statistics.median(loads),
    }


def measure_answers(video: Path, query: str, runs: int) -> dict[str, float]:
    """Seconds of each stage, from the file to the finished clip."""
    found: list[dict[str, float]] = []
    chat = StableChat.from_pretrained()
    with tempfile.TemporaryDirectory() as folder:
        for run in range(runs + 1):
            # A new name each time, so that no features are kept from the run before.
            path = Path(folder) / f"{run}{video.suffix}"
            path.write_bytes(video.read_bytes())
            started = time.perf_counter()
            grounding = chat.ground(path, query)
            answered = time.perf_counter()
            grounding = chat.look_again(grounding)
            looked = time.perf_counter()
            cut_clip(grounding, Path(folder) / f"{run}_clip.mp4")
            timings = dict(grounding.generation.timings)
            timings["answer_seconds"] = answered - started
            timings["second_look_seconds"] = looked - answered
            timings["clip_seconds"] = time.perf_counter() - looked
            timings["tokens"] = len(grounding.generation.token_ids)
            found.append(timings)
    return {name: statistics.median(f[name] for f in found[1:]) for name in found[0]}


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("video", nargs="?", type=Path, default=_EXAMPLE)
    parser.add_argument("query", nargs="?", default=_QUERY)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--out", type=Path, help="a JSON file for the result")
    args = parser.parse_args()
    info = probe(args.video)
    report: dict[str, Any] = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "video": f"{info.width}x{info.height}, {info.duration_seconds:.1f} s",
        "runs": args.runs,
        **measure_loading(args.runs),
        **measure_answers(args.video, args.query, args.runs),
    }
    rounded = {k: round(v, 3) if isinstance(v, float) else v for k, v in report.items()}
    text = json.dumps(rounded, indent=2)
    print(text)
    if args.out is not None:
        args.out.write_text(f"{text}\n")


if __name__ == "__main__":
    main()
