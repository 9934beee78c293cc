"""Runs the whole corpus in workers and keeps what came out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path

from tests.corpus import nasty
from tests.corpus.cases import Case, generated_cases, real_cases
from tests.corpus.workers import Answer, Job, run_jobs

#: For one file; the slowest takes a quarter of it on an idle machine.
LIMIT_SECONDS = 120.0
#: A refusal must come sooner.
REFUSAL_LIMIT_SECONDS = 30.0

#: Where the truth says otherwise, and why we stay with our answer: pattern of the
#: name, topics (the part of a problem before the colon), reason.
KNOWN: tuple[tuple[str, frozenset[str], str], ...] = (
    (
        "real/dmlc+decord/corrupted.mp4",
        frozenset({"variable rate"}),
        "48 equal steps and one where the damaged picture is missing",
    ),
    (
        "damaged/header_duration_1h.mp4",
        frozenset({"warnings"}),
        "nothing that is read says an hour: neither the tracks nor FFmpeg",
    ),
    (
        "real/mozilla+mp4parse-rust/no_timescale.mp4",
        frozenset({"rotation", "whole", "span", "moment", "clip"}),
        "the matrix turns by 8 degrees, which no player follows",
    ),
    (
        "real/rails+rails/video_with_undefined_display_aspect_ratio.mp4",
        frozenset({"variable rate"}),
        "27 equal steps and a double one: a dropped picture, not a varying rate",
    ),
    (
        "reference/sync_15_h263_3gp.3gp",
        frozenset({"size"}),
        "H.263 says by its standard that its pixels are 12:11; FFmpeg agrees",
    ),
)


#: The same where it is chance whether it happens.
BY_CHANCE: tuple[tuple[str, frozenset[str], str], ...] = (
    (
        "damaged/corrupt_middle_bytes.*",
        frozenset({"warnings"}),
        "the encoder's threads decide what the flipped bytes hit, and decoders of VP9 "
        "do not notice every one",
    ),
    (
        "damaged/corrupt_middle_bytes.webm",
        frozenset({"pictures at wrong times"}),
        "where data is missing, FFmpeg's VP8 decoder leaves what an older picture left "
        "in that memory, and says nothing; so does its own program",
    ),
)


@dataclass(repr=False)  # it would fill the report of a failed test
class Run:
    """What came out.

    Attributes:
        cases: All cases by name.
        answers: Their answers by name.
        left: Processes and files that were left behind.
        changed: Files of the corpus that are there no more, or were not before.
    """

    cases: dict[str, Case]
    answers: dict[str, Answer] = field(default_factory=dict)
    left: list[str] = field(default_factory=list)
    changed: set[str] = field(default_factory=set)

    def problems(self, name: str) -> list[str]:
        """What is wrong with one file, known exceptions left out."""
        answer = self.answers[name]
        if answer.failure:
            return [f"{answer.failure}\n{answer.details}"]
        found: list[str] = answer.value["problems"]
        known = known_topics(name)
        return [p for p in found if p.partition(":")[0] not in known]

    def stale_exceptions(self) -> list[str]:
        """Known exceptions that no file needs."""
        return [
            f"{pattern}: {topic}"
            for pattern, topics, _ in KNOWN
            for topic in topics
            if not any(
                problem.partition(":")[0] == topic
                for name, answer in self.answers.items()
                if fnmatchcase(name, pattern) and answer.value
                for problem in answer.value["problems"]
            )
        ]


def known_topics(name: str) -> frozenset[str]:
    """Topics of the problems that are known for a file."""
    found = [
        topics
        for pattern, topics, _ in (*KNOWN, *BY_CHANCE)
        if fnmatchcase(name, pattern)
    ]
    return frozenset().union(*found)


def all_cases(*, with_long: bool = True) -> dict[str, Case]:
    """The corpus; its generated part is built if it is not there yet.

    Args:
        with_long: See :func:`tests.corpus.nasty.build`.
    """
    generated = generated_cases(*nasty.build(with_long=with_long))
    cases = real_cases(nasty.SHARED_VIDEOS) + generated
    return {case.name: case for case in cases}


def run_corpus(work: Path, *, with_long: bool = True) -> Run:
    """Check every file.

    Args:
        work: An empty folder.
        with_long: See :func:`tests.corpus.nasty.build`.

    Returns:
        What came out.
    """
    run = Run(all_cases(with_long=with_long))
    before = _listing()
    for answer in run_jobs(_jobs(run, work), work):
        if answer.key:
            run.answers[answer.key] = answer
        else:
            run.left.append(answer.failure)
    run.changed = before ^ _listing()
    return run


def _jobs(run: Run, work: Path) -> Iterator[Job]:
    for number, case in enumerate(run.cases.values()):
        out = work / f"clip-{number}"
        out.mkdir()
        refused = case.expect == "reject"
        yield Job(
            key=case.name,
            function="tests.corpus.check:run_case",
            arguments=(case.to_json(), str(out)),
            limit_seconds=REFUSAL_LIMIT_SECONDS if refused else LIMIT_SECONDS,
        )


def _listing() -> set[str]:
    """Names and sizes of the files beside those that are read."""
    folders = (nasty.SHARED_VIDEOS, nasty.build(with_long=False)[0])
    return {
        f"{path} ({path.lstat().st_size})"
        for folder in folders
        for path in folder.rglob("*")
        if "__pycache__" not in path.parts
    }
