"""Several questions about one video, one after another. No Gradio."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any

from stablechat.errors import CancelledError, StableChatError
from ui.asks import Ask
from ui.jobs import Job, without_frames
from ui.outcomes import Outcome
from ui.pipeline import Pipeline
from ui.runs import Run
from ui.tab import Session
from ui.together import can_be_together, write_together


@dataclass
class Batch:
    """What was asked at once, and what has become of it so far.

    Attributes:
        asks: The questions, in their order.
        runs: Those that were answered.
        failures: Those that could not be, with the error.
        together: All that was found as one clip, where there is more than one.
    """

    asks: tuple[Ask, ...]
    runs: list[Run] = field(default_factory=list)
    failures: list[tuple[Ask, StableChatError]] = field(default_factory=list)
    together: Run | None = None

    @property
    def first(self) -> Run | None:
        """What is shown first."""
        return self.together or next(iter(self.runs), None)


def answer_all(
    pipeline: Pipeline, batch: Batch, session: Session, job: Job[Any]
) -> None:
    """Answer the questions of a batch; called in the job's thread.

    A question that can't be answered does not keep the others from it. All are
    answered by one model.

    Args:
        pipeline: Answers them.
        batch: It is filled in.
        session: Gets the runs.
        job: Gets the progress and says when to stop.

    Raises:
        StableChatError: With one plain line, where there is one question only.
        CancelledError: Stop was pressed; what was answered is kept.
    """
    weight = sum(ask.num_answers for ask in batch.asks)
    with pipeline.lane.turn(job.cancelled, job.report_place, weight=weight):
        started = time.monotonic()
        outcomes = _answer_each(pipeline, batch, session, job)
    if can_be_together(outcomes):
        job.begin_part(len(batch.asks), len(batch.asks))
        batch.together = _join(outcomes, len(batch.asks), session, job, started)


def _answer_each(
    pipeline: Pipeline, batch: Batch, session: Session, job: Job[Any]
) -> list[Outcome]:
    outcomes = []
    for number, ask in enumerate(batch.asks):
        job.begin_part(number, len(batch.asks))
        try:
            run, outcome = _answer(pipeline, ask, session, job)
            batch.runs.append(run)
            outcomes.append(outcome)
        except CancelledError:
            raise
        except StableChatError as error:
            if len(batch.asks) == 1:
                raise
            batch.failures.append((ask, without_frames(error)))
    return outcomes


def answer_one(
    pipeline: Pipeline, ask: Ask, session: Session, job: Job[Any]
) -> tuple[Run, Outcome]:
    """Answer one question; called in the job's thread.

    Raises:
        StableChatError: With one plain line.
        CancelledError: Stop was pressed.
    """
    weight = ask.num_answers
    with (
        session.working_on(ask),
        pipeline.lane.turn(job.cancelled, job.report_place, weight=weight),
    ):
        return _answer(pipeline, ask, session, job)


def _answer(
    pipeline: Pipeline, ask: Ask, session: Session, job: Job[Any]
) -> tuple[Run, Outcome]:
    started, run = time.monotonic(), session.new_run()
    try:
        outcome = pipeline.run(ask, run.folder, job, session.style)
    except BaseException:
        run.remove()
        raise
    outcome = replace(outcome, elapsed_seconds=time.monotonic() - started)
    run.result = outcome
    session.keep(run)
    return run, outcome


def _join(
    outcomes: list[Outcome], asked: int, session: Session, job: Job[Any], started: float
) -> Run:
    run = session.new_run()
    try:
        together = write_together(outcomes, asked, run.folder, job)
    except BaseException:
        run.remove()
        raise
    run.result = replace(together, elapsed_seconds=time.monotonic() - started)
    session.keep(run)
    return run
