"""Read, answer, finish: what every engine does with an input, wherever it runs.

::

    read     a file -> frames            processors; the file is opened once a video
    answer   frames, queries -> answers  the model
    finish   an answer -> clip, JSON     processors; the file is opened once more

What crosses from the first to the second are frames as small as the model sees them,
and from the second to the third an answer. Neither is told to try again when a video
or a query is bad: that is a result, with its reason.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

from stablechat.cli.asking import Answers
from stablechat.cli.batch.failures import Cancelled, attempt, never
from stablechat.cli.batch.jobs import (
    RESULT_FILE,
    Answered,
    BatchInput,
    Failure,
    Plan,
    Result,
    VideoJob,
    failed_result,
)
from stablechat.cli.batch.results import finished_result, remove_answers
from stablechat.cli.batch.searches import (
    found_to_dict,
    groundings_of,
    placed,
    search,
    tell_address,
)
from stablechat.cli.batch.storage import fetched, is_remote
from stablechat.cli.inputs import set_limits
from stablechat.cli.saving import NOTHING, Saved, save
from stablechat.doubts import is_unsure
from stablechat.questions import Question
from stablechat.types import FrameSample, Grounding, Moments

if TYPE_CHECKING:
    from render.exports import ExportFormat


class Chat(Protocol):
    """What is asked of a model; ``StableChat`` does it."""

    def ground(self, *args: Any, **options: Any) -> Grounding:
        """See ``StableChat.ground``."""
        ...

    def look_again(self, *args: Any, **options: Any) -> Grounding:
        """See ``StableChat.look_again``."""
        ...


@dataclass(frozen=True, eq=False)
class ReadVideo:
    """A video's frames, and what can't be asked about it.

    Attributes:
        job: The video and its inputs.
        sample: None where nothing is to be asked, and where the model's process reads
            window by window.
        failures: Why, by the input's id.
        read_seconds: How long it took.
    """

    job: VideoJob
    sample: FrameSample | None
    failures: Mapping[str, Failure]
    read_seconds: float = 0.0

    @property
    def is_asked(self) -> bool:
        """Whether the model is needed."""
        return len(self.failures) < len(self.job.inputs)


def read(
    plan: Plan, job: VideoJob, cancelled: Cancelled = never, *, small: bool = False
) -> ReadVideo:
    """Read a video, once for all its queries.

    Args:
        plan: Of the run.
        job: The video.
        cancelled: Asked often.
        small: Whether to make the frames as small as the model sees them, to be sent.

    Raises:
        CancelledError: ``cancelled`` said so.
    """
    started = time.perf_counter()
    failures = {
        each.id: failure
        for each in job.inputs
        if (failure := _why_not_asked(plan, each)) is not None
    }
    sample: FrameSample | None = None
    if plan.window_seconds is None and len(failures) < len(job.inputs):
        frames = partial(_read_frames, plan, job.video, cancelled, small)
        got = attempt(frames, cancelled)
        if isinstance(got, Failure):
            failures = {each.id: failures.get(each.id, got) for each in job.inputs}
        else:
            sample = got
    return ReadVideo(job, sample, failures, time.perf_counter() - started)


def answer(
    plan: Plan, chat: Chat | None, video: ReadVideo, cancelled: Cancelled = never
) -> Iterator[Answered]:
    """Put all queries about a video to the model, which one without frames needs not.

    Yields:
        An answer, or the reason why there is none, for each input.

    Raises:
        CancelledError: ``cancelled`` said so.
    """
    job = video.job
    if plan.window_seconds is not None:
        yield from _search(plan, chat, video, cancelled)
        return
    for each in job.inputs:
        outcome: Grounding | Failure | None = video.failures.get(each.id)
        if outcome is None:
            ask = partial(_ask, plan, chat, video, each, cancelled)
            outcome = attempt(ask, cancelled)
        yield Answered(each, job.facts, outcome)


def _search(
    plan: Plan, chat: Chat | None, video: ReadVideo, cancelled: Cancelled
) -> Iterator[Answered]:
    """All queries at once, which share each window; after a bug, each alone."""
    job = video.job
    asked = [each for each in job.inputs if each.id not in video.failures]
    groups = [asked] if asked else []
    for each in job.inputs:
        if each.id in video.failures:
            yield Answered(each, job.facts, video.failures[each.id])
    while groups:
        group = groups.pop(0)
        queries = [each.query for each in group]
        work = partial(search, plan, chat, job.video, queries, cancelled)
        got = attempt(work, cancelled)
        if not isinstance(got, Failure):
            found, seconds = got
            for each, moments in zip(group, found, strict=True):
                yield Answered(each, job.facts, moments, {"search_seconds": seconds})
        elif got.kind == "bug" and len(group) > 1:
            groups = [[each] for each in group]
        else:
            yield from (Answered(each, job.facts, got) for each in group)


def finish(plan: Plan, answered: Answered, cancelled: Cancelled = never) -> Result:
    """Write an answer's files, unless that was done before.

    Raises:
        CancelledError: ``cancelled`` said so; nothing is written then.
    """
    asked, outcome = answered.input, answered.outcome
    if not isinstance(outcome, Failure):
        known = finished_result(plan, asked, answered.facts)
        if known is not None:
            return known
        done = attempt(partial(_write, plan, answered, outcome, cancelled), cancelled)
        if not isinstance(done, Failure):
            return done
        remove_answers(plan, asked)
        outcome = done
    return failed_result(plan, asked, answered.facts, outcome)


def _why_not_asked(plan: Plan, asked: BatchInput) -> Failure | None:
    made = attempt(
        lambda: Question(
            asked.query, plan.task, plan.span, plan.region, plan.start_seconds
        )
    )
    return made if isinstance(made, Failure) else None


def _read_frames(
    plan: Plan, address: str, cancelled: Cancelled, small: bool
) -> FrameSample:
    from stablechat.reading import as_seen, read_picture, read_video

    set_limits(plan.limits)
    with fetched(address, cancelled) as path:
        if plan.task == "rec":
            sample = read_picture(path, plan.at_seconds or 0.0, cancelled=cancelled)
        else:
            sample = read_video(
                path, plan.num_frames, plan.segment, cancelled=cancelled
            )
    return as_seen(sample, plan.image_size) if small else sample


def _ask(
    plan: Plan,
    chat: Chat | None,
    video: ReadVideo,
    asked: BatchInput,
    cancelled: Cancelled,
) -> Grounding:
    assert chat is not None and video.sample is not None
    answer = chat.ground(
        video.sample,
        asked.query,
        task=plan.task,
        span=plan.span,
        region=plan.region,
        start_seconds=plan.start_seconds,
        candidates=plan.candidates,
        choose=plan.choose,
        config=plan.config,
        cancelled=cancelled,
    )
    timings = {**answer.generation.timings, "read_seconds": video.read_seconds}
    if plan.second_look:
        started = time.perf_counter()
        answer = chat.look_again(answer, video.sample, cancelled=cancelled)
        timings["second_look_seconds"] = time.perf_counter() - started
    return replace(
        answer,
        generation=replace(answer.generation, timings=timings),
        segment=plan.segment,
    )


def _write(
    plan: Plan,
    answered: Answered,
    found: Grounding | Moments,
    cancelled: Cancelled,
) -> Result:
    started = time.perf_counter()
    set_limits(plan.limits)
    asked = answered.input
    remove_answers(plan, asked)
    folder = plan.out / plan.folder_name(asked)
    saved = _save(plan, asked, found, folder, cancelled)
    told = found.generation.timings if isinstance(found, Grounding) else {}
    timings = {
        **told,
        **answered.timings,
        "finish_seconds": time.perf_counter() - started,
    }
    result = _result(plan, answered, groundings_of(found), saved, timings)
    _write_result(folder, found, result)
    return result


def _save(
    plan: Plan,
    asked: BatchInput,
    found: Grounding | Moments,
    folder: Path,
    cancelled: Cancelled,
) -> Saved:
    formats = _formats(plan)
    if not (any(each.found for each in groundings_of(found)) or formats):
        return NOTHING  # no need to open the video again
    with fetched(asked.video, cancelled) as path:
        here = placed(found, path)
        searches = (here,) if isinstance(here, Moments) else ()
        saved = save(
            Answers(groundings_of(here), searches),
            folder,
            formats,
            lambda stage, fraction: None,
            cancelled,
            # A moment of several has a file of its own, for `clip` to read.
            usual="mp4,json" if searches else "mp4",
            merge=plan.merge,
        )
    if searches and is_remote(asked.video):
        tell_address(saved.files.values(), asked.video)
    return saved


def _formats(plan: Plan) -> tuple[ExportFormat, ...]:
    from render.exports import formats_named

    return formats_named(",".join(plan.exports)) if plan.exports else ()


def _result(
    plan: Plan,
    answered: Answered,
    groundings: tuple[Grounding, ...],
    saved: Saved,
    timings: Mapping[str, float],
) -> Result:
    asked = answered.input
    best = groundings[0] if groundings else None
    span = None if best is None else best.span
    names = {kind: path.name for kind, path in saved.files.items()}
    return Result(
        asked.id,
        asked.video,
        asked.query,
        plan.asked,
        "done",
        found=any(each.found for each in groundings),
        start_seconds=None if span is None else span.start_seconds,
        end_seconds=None if span is None else span.end_seconds,
        confidence=None if best is None else best.confidence,
        is_guess=best is not None and is_unsure(best),
        folder=plan.folder_name(asked),
        files={**names, "result": RESULT_FILE},
        timings={name: round(seconds, 4) for name, seconds in timings.items()},
        facts=answered.facts,
    )


def _write_result(folder: Path, found: Grounding | Moments, result: Result) -> None:
    """Last, so that a folder that has it is whole."""
    from render.exports import write_json

    folder.mkdir(parents=True, exist_ok=True)
    data = found_to_dict(found, result.files)
    if is_remote(result.video):
        data["video"]["path"] = result.video
    data["result"] = result.to_dict()
    write_json(folder / RESULT_FILE, data)
