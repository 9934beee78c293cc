"""Ask a model every row of a benchmark, write each answer as it comes, go on later."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol, TextIO

from evaluation.answers import convert_outputs
from evaluation.datasets import Sample
from evaluation.rows import RowFile
from stablechat.errors import InputError
from stablechat.types import Generation, GenerationConfig

# How often a log that is not a terminal gets a line.
_SECONDS_BETWEEN_LINES = 10.0


class Asker(Protocol):
    """What the runner needs of a model."""

    name: str

    def ask(self, video: Path, sample: Sample, config: GenerationConfig) -> Generation:
        """Answer; raises InputError where the video can't be used."""


@dataclass(frozen=True)
class RunSummary:
    """What a result file holds after a run.

    Attributes:
        num_rows: Rows in it, those of earlier runs included.
        num_new: Rows of this run.
        num_missing: Rows whose video could not be used.
        num_cut: Answers that reached the length limit.
    """

    num_rows: int
    num_new: int
    num_missing: int
    num_cut: int


def pending(
    samples: Sequence[Sample], done: Iterable[Mapping[str, Any]]
) -> list[Sample]:
    """The samples that a result file lacks.

    Raises:
        InputError: The file belongs to another benchmark.
    """
    by_index = {sample.index: sample for sample in samples}
    for row in done:
        sample = by_index.get(row["index"])
        if sample is not None and not _is_row_of(sample, row):
            raise InputError(
                f"Row {sample.index} of the --out file is about other annotations or "
                "another task; choose another --out."
            )
    answered = {row["index"] for row in done}
    return [sample for sample in samples if sample.index not in answered]


def _is_row_of(sample: Sample, row: Mapping[str, Any]) -> bool:
    found = (row.get("task"), row.get("video"), row.get("prompt"))
    return found == (sample.task, sample.video_path, sample.prompt)


def check_same_model(rows: Iterable[Mapping[str, Any]], name: str) -> None:
    """Refuse to go on with another model's file.

    Raises:
        InputError: It is one.
    """
    others = sorted({str(row.get("model")) for row in rows} - {name})
    if others:
        raise InputError(
            f"The --out file holds answers of {others[0]}, not {name}; choose another."
        )


def run(
    samples: Sequence[Sample],
    videos: Path,
    asker: Asker,
    out: RowFile,
    config: GenerationConfig,
    *,
    stderr: TextIO | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> RunSummary:
    """Ask all that is not answered yet.

    Args:
        samples: All rows, in the order to ask in; one video's should stand together.
        videos: The folder of videos.
        asker: The model.
        out: The result file; rows that it holds are not asked again.
        config: How to decode.
        stderr: Where progress goes.
        clock: Seconds, for progress.

    Raises:
        InputError: The file holds another benchmark's or another model's rows.
        ModelError: The model failed; what is written so far is good.
    """
    check_same_model(out.rows, asker.name)
    todo = pending(samples, out.rows)
    rows = list(out.rows)
    progress = _Progress(len(samples), len(todo), stderr or sys.stderr, clock)
    with out:
        for sample in todo:
            rows.append(answer_row(sample, videos, asker, config))
            out.append(rows[-1])
            progress.tell(sum(bool(row.get("missing")) for row in rows))
    return RunSummary(
        num_rows=len(rows),
        num_new=len(todo),
        num_missing=sum(bool(row.get("missing")) for row in rows),
        num_cut=sum(row.get("finish_reason") == "length" for row in rows),
    )


def answer_row(
    sample: Sample, videos: Path, asker: Asker, config: GenerationConfig
) -> dict[str, Any]:
    """Ask one question; a video that can't be used gives a row that says so."""
    started = time.perf_counter()
    generation, problem = None, None
    try:
        generation = asker.ask(videos / sample.video_path, sample, config)
    except InputError as error:
        problem = " ".join(str(error).split())
    text = "" if generation is None else generation.text
    return {
        "index": sample.index,
        "task": sample.task,
        "model": asker.name,
        "video": sample.video_path,
        "query": sample.query,
        "prompt": sample.prompt,
        "split": list(sample.split),
        "width": sample.width,
        "height": sample.height,
        "gt": sample.truth,
        "outputs": text,
        "converted_outputs": convert_outputs(text),
        "finish_reason": None if generation is None else generation.finish_reason,
        "seconds": round(time.perf_counter() - started, 3),
        "missing": generation is None,
        "error": problem,
    }


class _Progress:
    """How far a run is and how long it will take, on stderr."""

    def __init__(
        self, total: int, todo: int, stream: TextIO, clock: Callable[[], float]
    ) -> None:
        self._total, self._todo, self._done = total, todo, 0
        self._stream, self._clock = stream, clock
        self._started = self._told = clock()
        if todo < total:
            print(f"{total - todo} of {total} rows are there already", file=stream)

    def tell(self, num_missing: int) -> None:
        """One more row is done."""
        self._done += 1
        now, left = self._clock(), self._todo - self._done
        terminal = self._stream.isatty()
        if not terminal and left and now - self._told < _SECONDS_BETWEEN_LINES:
            return
        self._told = now
        each = (now - self._started) / self._done
        line = (
            f"{self._total - left}/{self._total} rows, {num_missing} missing, "
            f"{each:.1f} s a row, {_duration(each * left)} left"
        )
        start, end = ("\r\033[K", "" if left else "\n") if terminal else ("", "\n")
        print(f"{start}{line}", end=end, file=self._stream, flush=True)


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}"
