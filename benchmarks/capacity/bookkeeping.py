"""What the one results file of a batch and its list cost: where they stop being fit."""

from __future__ import annotations

import json
import tempfile
import tracemalloc
from pathlib import Path
from typing import Any

from benchmarks._timing import median, seconds_of
from stablechat.cli.batch.inputs import collect_inputs
from stablechat.cli.batch.jobs import Result
from stablechat.cli.batch.results import ResultsFile

_LINES = 2000


def measure() -> dict[str, Any]:
    """Seconds and bytes of a line of the results, and memory of an input."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        appending, size, held = _results(folder / "out")
        return {
            "append_seconds": appending,
            "bytes_per_result": round(size / _LINES),
            "memory_bytes_per_result": round(held / _LINES),
            "memory_bytes_per_input": round(_inputs(folder) / _LINES),
        }


def _result(number: int) -> Result:
    return Result(
        f"{number:016x}",
        f"s3://bucket/2026/11/26/{number:012d}.mp4",
        "the red circle moving left",
        "0" * 16,
        "done",
        found=True,
        start_seconds=2.88,
        end_seconds=4.55,
        confidence=0.91,
        folder=f"answers/{number:012d}-{number:016x}",
        files={"clip": f"{number:012d}_clip.mp4", "result": "result.json"},
        timings={
            f"{name}_seconds": 0.1234
            for name in ("read", "encode", "prefill", "decode", "finish")
        },
    )


def _results(out: Path) -> tuple[float, int, int]:
    tracemalloc.start()
    with ResultsFile(out) as file:
        results = (_result(number) for number in range(_LINES))
        seconds = [
            seconds_of(lambda: file.append(next(results))) for _ in range(_LINES)
        ]
        size = file.path.stat().st_size
    with ResultsFile(out) as file:
        before = tracemalloc.get_traced_memory()[0]
        again = ResultsFile(out.with_name("copy"))
        with again:
            for result in file.results.values():
                # By way of text, so that nothing is shared with the first.
                again.append(Result.from_dict(json.loads(json.dumps(result.to_dict()))))
        held = tracemalloc.get_traced_memory()[0] - before
    tracemalloc.stop()
    return median(seconds), size, held


def _inputs(folder: Path) -> int:
    path = folder / "list.jsonl"
    rows = (
        f'{{"video": "s3://b/{n:012d}.mp4", "query": "it"}}\n' for n in range(_LINES)
    )
    path.write_text("".join(rows), encoding="utf-8")
    collect_inputs([str(path)], ())  # what it imports does not count
    tracemalloc.start()
    inputs = collect_inputs([str(path)], ())
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert len(inputs) == _LINES
    return held
