"""How many videos a batch gets through, in one process and on a Ray cluster.

    python -m benchmarks.batch --out benchmarks/results/batch_cpu.json

Draws videos and asks the demo model for one thing in each, by both engines in turn. An
engine's time is that of the whole program, with its imports, its model and, for Ray,
its cluster, which starts and ends with it; that share is measured by a batch of one
video. Both must give the same answers.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from benchmarks._timing import (
    machine,
    median,
    run_main,
    say,
    seconds_of,
    table,
    take_turns,
    write_report,
)
from training.synthetic.__main__ import generate

_SEED = 20261126
ENGINES = ("local", "ray")
Answers = dict[str, dict[str, Any]]


def run_engine(engine: str, manifest: Path, out: Path) -> None:
    """One batch, as a program of its own."""
    command = [
        *(sys.executable, "-m", "stablechat", "batch", str(manifest)),
        *("--out", str(out), "--engine", engine, "--device", "cpu", "--json"),
    ]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def write_manifest(rows: Sequence[Mapping[str, Any]], path: Path) -> None:
    """A list of one question about each video."""
    lines = [json.dumps({"video": r["video"], "query": r["query"]}) for r in rows]
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")


def draw(count: int, folder: Path) -> list[dict[str, Any]]:
    """Draw videos; returns a video and a query for each.

    Args:
        count: How many.
        folder: Where to.
    """
    generate(_SEED, count, folder)
    found: dict[str, dict[str, Any]] = {}
    for row in json.loads((folder / "stvg.json").read_text(encoding="utf-8")):
        video = str(folder / "videos" / Path(str(row["video_path"])).name)
        found.setdefault(video, {"video": video, "query": row["query"]})
    return list(found.values())


def answers_in(out: Path) -> Answers:
    """What was answered, by id, without what differs from run to run."""
    lines = (out / "results.jsonl").read_text(encoding="utf-8").splitlines()
    rows = [json.loads(line) for line in lines]
    return {
        row["id"]: {name: row.get(name) for name in ("status", "start_seconds")}
        | {"end_seconds": row.get("end_seconds")}
        for row in rows
    }


def measure(count: int, runs: int, folder: Path) -> dict[str, Any]:
    """Seconds of both engines, and what follows from them.

    Args:
        count: Videos of a batch.
        runs: Batches of each engine that count.
        folder: For all files.
    """
    rows = draw(count, folder / "drawn")
    everything, one = folder / "all.jsonl", folder / "one.jsonl"
    write_manifest(rows, everything)
    write_manifest(rows[:1], one)
    number = iter(range(1_000_000))
    last: dict[str, Path] = {}

    def batch(engine: str) -> None:
        last[engine] = folder / f"out{next(number)}"
        run_engine(engine, everything, last[engine])

    startup = {
        engine: seconds_of(
            lambda: run_engine(engine, one, folder / f"out{next(number)}")  # noqa: B023
        )
        for engine in ENGINES
    }
    seconds = take_turns(
        {"local": lambda: batch("local"), "ray": lambda: batch("ray")}, runs, burn_in=0
    )
    local, ray = (answers_in(last[engine]) for engine in ENGINES)
    return {
        "videos": len(rows),
        "runs": runs,
        "same_answers": local == ray,
        "engines": {
            engine: engine_report(seconds[engine], startup[engine], len(rows))
            for engine in ENGINES
        },
    }


def engine_report(
    seconds: Sequence[float], one_seconds: float, count: int
) -> dict[str, Any]:
    """What one engine needed.

    Args:
        seconds: Of each batch.
        one_seconds: Of a batch of one video.
        count: Videos of a batch.
    """
    whole = median(seconds)
    added = (whole - one_seconds) / (count - 1)
    return {
        "seconds": [round(each, 2) for each in seconds],
        "median_seconds": round(whole, 2),
        "one_video_seconds": round(one_seconds, 2),
        "seconds_per_further_video": round(added, 3),
        "videos_per_hour_once_started": round(3600 / added) if added > 0 else None,
    }


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--count", type=int, default=16, help="videos (default: 16)")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--out", type=Path, required=True)
    args = parser.parse_args()
    if args.count < 2 or args.runs < 1:
        parser.error("--count must be 2 or more, and --runs 1 or more")
    with tempfile.TemporaryDirectory() as folder:
        found = measure(args.count, args.runs, Path(folder))
    load = [round(each, 1) for each in os.getloadavg()]
    report = {
        **machine(),
        "ray": metadata.version("ray"),
        "load_average_at_the_end": load,
        **found,
    }
    if not found["same_answers"]:
        say("The engines did not give the same answers.")
    write_report(report, args.out)
    rows = [(name, *list(each.values())[1:]) for name, each in found["engines"].items()]
    print(table(("engine", "batch s", "one s", "further s", "videos/h"), rows))


if __name__ == "__main__":
    run_main(main)
