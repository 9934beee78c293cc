"""One run of a batch: what is left is answered, and each answer is a line at once."""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from stablechat.cli.batch.inputs import facts_of
from stablechat.cli.batch.jobs import (
    BatchInput,
    Failure,
    Plan,
    Result,
    VideoJob,
    failed_result,
    jobs_of,
)
from stablechat.cli.batch.results import ResultsFile, sort_out
from stablechat.cli.batch.storage import sweep
from stablechat.cli.texts import one_line
from stablechat.times import format_time

Cancelled = Callable[[], bool]
Tell = Callable[[str], None]
Show = Callable[[str, float], None]

_LOST = Failure(
    "infrastructure",
    "The process or machine that worked on it ended, several times over; see whether "
    "memory or the video is to blame, then add --retry-failed.",
)
#: Where progress is not shown in place, a line now and then.
_SECONDS_PER_LINE = 30.0


class Engine(Protocol):
    """What runs the stages."""

    def run(
        self, jobs: Sequence[VideoJob], cancelled: Cancelled
    ) -> Generator[Result, None, None]:
        """A result for each input, in any order; none for one that was lost."""
        ...


@dataclass(frozen=True)
class Report:
    """Where a batch stands at the end of a run.

    Attributes:
        results: Of all inputs that have one, in the order of the inputs.
        num_inputs: All of them.
        num_before: Those that an earlier run had finished.
    """

    results: tuple[Result, ...]
    num_inputs: int
    num_before: int

    @property
    def failed(self) -> tuple[Result, ...]:
        """Those without an answer."""
        return tuple(each for each in self.results if each.status == "failed")

    @property
    def num_found(self) -> int:
        """Those where there was something."""
        return sum(each.found for each in self.results)

    @property
    def num_guesses(self) -> int:
        """Those of them that are better told as guesses."""
        return sum(each.found and each.is_guess for each in self.results)


@dataclass
class Progress:
    """How far a run is, and how long it will take.

    Attributes:
        total: Inputs of this run.
        tell: Says something that stays.
        show: Shows where it stands in place of what was shown; None where nothing can
            be.
    """

    total: int
    tell: Tell
    show: Show | None = None
    done: int = 0
    failed: int = 0
    _started: float = field(default_factory=lambda: time.monotonic())
    _told_at: float = field(default_factory=lambda: time.monotonic())

    def add(self, result: Result) -> None:
        """Count a result, and say so."""
        self.done += 1
        if result.status == "failed":
            self.failed += 1
            self.tell(f"{one_line(result.video)}: {result.reason}")
        if self.show is not None:
            self.show(self.line, self.done / self.total)
        elif time.monotonic() - self._told_at >= _SECONDS_PER_LINE:
            self._told_at = time.monotonic()
            if self.done < self.total:
                self.tell(f"{self.line.removesuffix(',')}.")

    @property
    def line(self) -> str:
        """For example "12 of 100, 1 failed, 0:05:10 left,"."""
        left = (self.total - self.done) * (time.monotonic() - self._started) / self.done
        shown = format_time(round(left), hours=True).partition(".")[0]
        failed = f", {self.failed} failed" if self.failed else ""
        return f"{self.done} of {self.total}{failed}, {shown} left,"


def run_batch(
    inputs: Sequence[BatchInput],
    plan: Plan,
    engine: Engine,
    cancelled: Cancelled,
    tell: Tell,
    show: Show | None = None,
    *,
    retry_failed: bool = False,
    overwrite: bool = False,
) -> Report:
    """Answer what is left, and add a line for each as it comes.

    Args:
        inputs: All of it.
        plan: How.
        engine: What runs the stages.
        cancelled: Asked often.
        tell, show: As :class:`Progress` has them.
        retry_failed: Whether to try again what failed.
        overwrite: Whether to answer all anew.

    Raises:
        InputError: The folder of the results can't be used.
        ModelError: The model can't be loaded.
        EngineError: The cluster can't be started or reached, or is gone.
        CancelledError: ``cancelled`` said so; what is finished stays.
    """
    facts = facts_of(inputs)
    sweep()
    with ResultsFile(plan.out) as file:
        options = {"retry_failed": retry_failed, "overwrite": overwrite}
        pending = sort_out(file, plan, inputs, facts, **options)
        if pending:
            progress = Progress(len(pending), tell, show)
            jobs = jobs_of(pending, facts)
            with closing(engine.run(jobs, cancelled)) as results:
                _record(results, pending, file, progress)
            _record_lost(plan, jobs, file, progress)
        known = [file.results.get(each.id) for each in inputs]
    sweep()
    done = tuple(each for each in known if each is not None)
    return Report(done, len(inputs), len(inputs) - len(pending))


def _record(
    results: Generator[Result, None, None],
    pending: Sequence[BatchInput],
    file: ResultsFile,
    progress: Progress,
) -> None:
    asked = {each.id for each in pending}
    for result in results:
        # A cluster that lost a machine may do something twice.
        if result.id in asked:
            asked.discard(result.id)
            file.append(result)
            progress.add(result)


def _record_lost(
    plan: Plan, jobs: Sequence[VideoJob], file: ResultsFile, progress: Progress
) -> None:
    for job in jobs:
        for each in job.inputs:
            if each.id not in file.results:
                lost = failed_result(plan, each, job.facts, _LOST)
                file.append(lost)
                progress.add(lost)


def num_recorded(out: Path, inputs: Sequence[BatchInput]) -> int:
    """How many inputs have a line now; for who was stopped."""
    with ResultsFile(out) as file:
        return sum(each.id in file.results for each in inputs)
