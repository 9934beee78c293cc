"""Ask a model every row of a benchmark, write each answer as it comes, go on later."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Protocol, TextIO

from evaluation.answers import convert_outputs
from evaluation.datasets import Sample
from evaluation.datasets.videos import VideoFolder
from evaluation.processes import (
    ALONE,
    Processes,
    count_lines,
    part_files,
    take_over_parts,
)
from evaluation.progress import Progress
from evaluation.row_file import RowFile
from stablechat.errors import InputError
from stablechat.types import Generation, GenerationConfig

# Sampled rows draw from seeds of their own, so that no row's answer depends on where
# a run was ended, or on how many processes share it.
_SEEDS_A_ROW = 1_000_003


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
    """The samples that a result file lacks, or has no usable video for.

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
    # The video may be there now: it was another --videos, or is on a disk that failed.
    answered = {row["index"] for row in done if not row.get("missing")}
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
    processes: Processes = ALONE,
    stderr: TextIO | None = None,
    clock: Callable[[], float] = time.monotonic,
) -> RunSummary | None:
    """Ask all that is not answered yet.

    Args:
        samples: All rows, in the order to ask in; one video's should stand together.
        videos: The folder of videos.
        asker: The model.
        out: The result file; rows that it holds are not asked again, unless their
            video could not be used.
        config: How to decode.
        processes: Which part of the rows is this process's.
        stderr: Where progress goes.
        clock: Seconds, for progress.

    Returns:
        What the file holds; None in a process that does not own it.

    Raises:
        InputError: The file holds another benchmark's or another model's rows, or
            another run writes it.
        ModelError: The model failed; what is written so far is good.
    """
    work = _Work(
        samples, VideoFolder(videos), asker, config, stderr or sys.stderr, clock
    )
    if processes.count == 1:
        with out:
            is_again = work.take_up(out)
            work.answer_all(samples, out, out.rows, work.progress(samples, out.rows))
            if is_again:
                out.replace(_in_order(out.rows, samples))
            return _summary(out.rows, work.num_new)
    if not processes.is_main:
        processes.wait_for_all()
        work.answer_part(processes, out.path)
        processes.wait_for_all()
        return None
    with out:
        work.take_up(out)
        num_before = len(out.rows)
        # The others begin when the file is this run's and at rest.
        processes.wait_for_all()
        work.answer_part(processes, out.path)
        processes.wait_for_all()
        take_over_parts(out)
        out.replace(_in_order(out.rows, samples))
        return _summary(out.rows, len(out.rows) - num_before)


class _Work:
    """Asks the questions of one process."""

    def __init__(
        self,
        samples: Sequence[Sample],
        videos: VideoFolder,
        asker: Asker,
        config: GenerationConfig,
        stderr: TextIO,
        clock: Callable[[], float],
    ) -> None:
        self.num_new = 0
        self._samples, self._videos, self._asker = samples, videos, asker
        self._config, self._stderr, self._clock = config, stderr, clock

    def progress(
        self,
        samples: Sequence[Sample],
        done: Sequence[Mapping[str, Any]],
        count_done: Callable[[], int] | None = None,
    ) -> Progress:
        """What tells how far the run is."""
        todo = len(pending(samples, done))
        return Progress(len(samples), todo, self._stderr, self._clock, count_done)

    def take_up(self, out: RowFile) -> bool:
        """Take over what earlier runs have left; whether some of it is asked again."""
        take_over_parts(out)
        check_same_model(out.rows, self._asker.name)
        num_before = len(out.rows)
        out.drop({sample.index for sample in pending(self._samples, out.rows)})
        return len(out.rows) < num_before

    def answer_part(self, processes: Processes, path: Path) -> None:
        """Ask this process's share, into its own file."""
        done = RowFile(path, check_lock=False).rows
        progress = None
        if processes.is_main:
            progress = self.progress(
                self._samples, done, lambda: count_lines(part_files(path))
            )
        share = processes.part_of(pending(self._samples, done))
        with RowFile(processes.part_file(path)) as part:
            self.answer_all(share, part, done, progress)

    def answer_all(
        self,
        samples: Sequence[Sample],
        out: RowFile,
        done: Sequence[Mapping[str, Any]],
        progress: Progress | None,
    ) -> None:
        """Ask those of some samples that are not answered yet.

        Args:
            samples: What to ask.
            out: Where the answers go.
            done: The rows that are there already.
            progress: Told after each row.
        """
        check_same_model(done, self._asker.name)
        todo = pending(samples, done)
        num_missing = sum(bool(row.get("missing")) for row in done)
        for sample in todo:
            row = answer_row(sample, self._videos, self._asker, self._config)
            out.append(row)
            self.num_new += 1
            num_missing += row["missing"]
            if progress is not None:
                progress.tell(num_missing)


def _in_order(
    rows: Iterable[Mapping[str, Any]], samples: Sequence[Sample]
) -> list[Mapping[str, Any]]:
    """Rows as one process would have written them; others behind."""
    places = {sample.index: place for place, sample in enumerate(samples)}
    return sorted(rows, key=lambda row: places.get(row["index"], len(places)))


def _summary(rows: Sequence[Mapping[str, Any]], num_new: int) -> RunSummary:
    return RunSummary(
        num_rows=len(rows),
        num_new=num_new,
        num_missing=sum(bool(row.get("missing")) for row in rows),
        num_cut=sum(row.get("finish_reason") == "length" for row in rows),
    )


def answer_row(
    sample: Sample, videos: VideoFolder, asker: Asker, config: GenerationConfig
) -> dict[str, Any]:
    """Ask one question; a video that can't be used gives a row that says so."""
    started = time.perf_counter()
    generation, problem = None, None
    try:
        path = videos.find(sample.video_path)
        generation = asker.ask(path, sample, _seeded(config, sample))
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
        **sample.truth_fields,
        "outputs": text,
        "converted_outputs": convert_outputs(text),
        "finish_reason": None if generation is None else generation.finish_reason,
        "num_tokens": 0 if generation is None else len(generation.token_ids),
        "num_passes": 0 if generation is None else generation.num_passes,
        "seconds": round(time.perf_counter() - started, 3),
        "missing": generation is None,
        "error": problem,
    }


def _seeded(config: GenerationConfig, sample: Sample) -> GenerationConfig:
    if config.temperature == 0:
        return config
    return replace(config, seed=config.seed * _SEEDS_A_ROW + sample.index)
