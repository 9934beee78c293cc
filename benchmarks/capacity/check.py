"""A real batch of the demo model against what the simulation says of it.

Drawn videos in two halves. The first half's batch gives seconds of each stage, the
second half's is predicted: from its own seconds, which tells how well the simulation
knows the pipeline, and from the first half's, which is how a plan is made. Beside them
two predictions that need no simulation. What is predicted is the time that all videos
after the first one add: a whole batch's less that of one video, so that starting and
ending are left out on both sides.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks._timing import say, seconds_of
from benchmarks.batch import draw, run_engine, write_manifest
from benchmarks.capacity.line import FloatArray, Line, Outcome, Stage
from benchmarks.capacity.simulate import simulate
from stablechat.cli.batch.jobs import RESULT_FILE, RESULTS_FILE

STAGES = ("read", "answer", "finish")
_ANSWER = ("encode_seconds", "prefill_seconds", "decode_seconds")
_DRAWS = 20
#: Videos that Ray lets wait before the model; the frames' share of its store.
_RAY_ROOM = 4


@dataclass(frozen=True, eq=False)
class Ran:
    """A batch that was measured.

    Attributes:
        services: Seconds of each stage, (3, N), in the order of the ends.
        program_seconds: Of the whole program.
        finishing_seconds: From the first finished to the last.
    """

    services: FloatArray
    program_seconds: float
    finishing_seconds: float


def line_of(engine: str) -> Line:
    """The pipeline of an engine on this machine."""
    if engine == "local":
        # A thread before and one behind the model: each waits until the next one
        # takes what it made.
        return Line((Stage(1), Stage(1, room=0), Stage(1, room=0)))
    # The model's actor takes a hundredth of a processor, so one less is whole.
    processors = max(1, (os.cpu_count() or 1) - 1)
    stages = (Stage(processors), Stage(1, _RAY_ROOM), Stage(processors, _RAY_ROOM))
    return Line(stages, processors)


def run_batch(engine: str, rows: Sequence[dict[str, Any]], folder: Path) -> Ran:
    """Run a batch as a program, and read what it took.

    Args:
        engine: Of ``benchmarks.batch.ENGINES``.
        rows: Videos and queries.
        folder: For its files.
    """
    folder.mkdir(parents=True)
    write_manifest(rows, folder / "list.jsonl")
    out = folder / "out"
    seconds = seconds_of(lambda: run_engine(engine, folder / "list.jsonl", out))
    return read_run(out, seconds)


def read_run(out: Path, program_seconds: float) -> Ran:
    """What the files of a batch tell.

    Args:
        out: Of the batch.
        program_seconds: As the clock on the wall had it.

    Raises:
        ValueError: Something was not answered.
    """
    lines = (out / RESULTS_FILE).read_text(encoding="utf-8").splitlines()
    results = [json.loads(line) for line in lines]
    failed = [each["reason"] for each in results if each["status"] != "done"]
    if failed:
        raise ValueError(f"{len(failed)} were not answered: {failed[0]}")
    ended = [(out / r["folder"] / RESULT_FILE).stat().st_mtime for r in results]
    order = np.argsort(ended)
    services = np.array([_seconds(results[place]["timings"]) for place in order]).T
    return Ran(services, program_seconds, max(ended) - min(ended))


def _seconds(timings: dict[str, float]) -> tuple[float, float, float]:
    answer = sum(timings[name] for name in _ANSWER)
    return timings["read_seconds"], answer, timings["finish_seconds"]


def predicted(line: Line, services: FloatArray) -> tuple[float, Outcome]:
    """Seconds that the videos after the first one add, and all else."""
    outcome = simulate(line, np.zeros(services.shape[1]), services)
    return outcome.end_seconds - float(services[:, 0].sum()), outcome


def compare(
    line: Line, first: Ran, second: Ran, one_video_seconds: float
) -> dict[str, Any]:
    """Predictions of a batch, from its own seconds and from another's.

    Args:
        line: The pipeline.
        first: Whose seconds are known.
        second: Which is to be predicted.
        one_video_seconds: Of a whole program with one video.
    """
    count = second.services.shape[1]
    own, outcome = predicted(line, second.services)
    rng = np.random.default_rng(0)
    known = first.services.shape[1]
    drawn = [
        predicted(line, first.services[:, rng.integers(0, known, count)])[0]
        for _ in range(_DRAWS)
    ]
    means = first.services.mean(axis=1)
    measured = second.program_seconds - one_video_seconds
    spans = {
        "simulated, own seconds": own,
        "simulated, the other half's seconds": float(np.mean(drawn)),
        "baseline: stages one after the other": float(means.sum() * (count - 1)),
        "baseline: the slowest stage alone": float(means.max() * (count - 1)),
    }
    return {
        "videos": count,
        "mean_seconds": _by_stage(second.services.mean(axis=1)),
        "mean_seconds_of_the_other_half": _by_stage(means),
        "program_seconds": round(second.program_seconds, 2),
        "one_video_program_seconds": round(one_video_seconds, 2),
        "finishing_seconds": round(second.finishing_seconds, 2),
        "measured_span_seconds": round(measured, 2),
        "measured_videos_per_hour": round(3600 * (count - 1) / measured),
        "predictions": {
            name: {
                "span_seconds": round(span, 2),
                "error_percent": round(100 * (span / measured - 1), 1),
            }
            for name, span in spans.items()
        },
        "spread_of_draws_percent": round(100 * float(np.std(drawn)) / measured, 1),
        "utilisation": {
            # Without the first video, which the span leaves out.
            "measured": _by_stage(second.services[:, 1:].sum(axis=1) / measured),
            "simulated": _by_stage(
                [
                    (each.busy_seconds - first_one) / own
                    for each, first_one in zip(
                        outcome.stages, second.services[:, 0], strict=True
                    )
                ]
            ),
        },
    }


def _by_stage(values: Any) -> dict[str, float]:
    rounded = (round(float(each), 3) for each in values)
    return dict(zip(STAGES, rounded, strict=True))


def check(count: int, engines: Sequence[str], folder: Path) -> dict[str, Any]:
    """Measure and predict.

    Args:
        count: Videos of each half.
        engines: Of ``benchmarks.batch.ENGINES``.
        folder: For all files.
    """
    rows = draw(2 * count, folder / "drawn")
    halves = rows[:count], rows[count : 2 * count]
    found = {}
    for engine in engines:
        say(f"{engine}, one video")
        one = run_batch(engine, rows[:1], folder / f"{engine}-one").program_seconds
        first, second = (
            _half(engine, half, folder / f"{engine}{number}")
            for number, half in enumerate(halves)
        )
        found[engine] = compare(line_of(engine), first, second, one)
    return found


def _half(engine: str, rows: Sequence[dict[str, Any]], folder: Path) -> Ran:
    say(f"{engine}: {len(rows)} videos")
    return run_batch(engine, rows, folder)
