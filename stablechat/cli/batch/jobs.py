"""What goes from stage to stage of a batch: small, and fit to be sent elsewhere."""

from __future__ import annotations

import hashlib
import posixpath
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal, get_args

from stablechat.candidates import Criterion
from stablechat.errors import InputError
from stablechat.types import GenerationConfig, Grounding, Moments, Task, TimeSpan

#: Whose fault a failure is: the video's or the query's, the surroundings', or ours.
FailureKind = Literal["input", "infrastructure", "bug"]
Status = Literal["done", "failed"]

ANSWERS_FOLDER = "answers"
RESULT_FILE = "result.json"
RESULTS_FILE = "results.jsonl"
_DIGEST_LETTERS = 16


@dataclass(frozen=True)
class BatchInput:
    """One question about one video.

    Attributes:
        id: Given in a manifest, or :func:`digest_of` the rest.
        video: Normalised address (``storage.normalised``).
        query: What to look for.
    """

    id: str
    video: str
    query: str

    @property
    def digest(self) -> str:
        """What tells it from all others, fit for a file's name."""
        return digest_of(self.video, self.query)


def digest_of(*texts: str) -> str:
    """Sixteen letters that follow from texts."""
    # Names may hold bytes that are no UTF-8, and JSON half of a surrogate pair.
    parts = [text.encode("utf-8", "surrogatepass") for text in texts]
    return hashlib.sha256(b"\0".join(parts)).hexdigest()[:_DIGEST_LETTERS]


@dataclass(frozen=True)
class VideoJob:
    """All that is asked of one video, so that it is read once.

    Attributes:
        video: Normalised address.
        inputs: What is asked.
        facts: Size and time of change of a local file; None of any other.
    """

    video: str
    inputs: tuple[BatchInput, ...]
    facts: Mapping[str, int] | None = None


@dataclass(frozen=True)
class Plan:
    """What all jobs of a run share.

    Attributes:
        out: Folder of the results, absolute.
        asked: What tells these options from others.
        num_frames: Frames of a video that the model sees.
        image_size: Side of its vision tower's square, in pixels.
        task: As for ``StableChat.ground``, like the following.
        second_look: Whether answers are looked at again (``StableChat.look_again``).
        window_seconds: Long videos are looked at in windows of this length; None asks
            about each as a whole.
        overlap_seconds, top: As for ``StableChat.find_moments``.
        merge: Whether to write all moments as one clip, too.
        exports: Names of what is written besides the clip.
        limits: As ``--limit`` takes them.
    """

    out: Path
    asked: str
    num_frames: int
    image_size: int
    task: Task = "stvg"
    span: TimeSpan | None = None
    region: tuple[float, ...] | None = None
    start_seconds: float | None = None
    at_seconds: float | None = None
    segment: TimeSpan | None = None
    candidates: int = 1
    choose: Criterion = "confidence"
    second_look: bool = True
    config: GenerationConfig = field(default_factory=GenerationConfig)
    window_seconds: float | None = None
    overlap_seconds: float | None = None
    top: int | None = None
    merge: bool = False
    exports: tuple[str, ...] = ()
    limits: tuple[str, ...] = ()

    def folder_name(self, asked: BatchInput) -> str:
        """Where an input's files are, from :attr:`out` on."""
        from render.exports import safe_stem

        stem = safe_stem(posixpath.basename(asked.video.replace("\\", "/")))[:60]
        return f"{ANSWERS_FOLDER}/{stem}-{asked.digest}"


@dataclass(frozen=True)
class Failure:
    """Why there is no answer.

    Attributes:
        kind: Whose fault it is.
        reason: One plain line.
        detail: The traceback of what should not have happened.
    """

    kind: FailureKind
    reason: str
    detail: str = ""


@dataclass(frozen=True, eq=False)
class Answered:
    """What the model said to one input, or why it said nothing.

    Attributes:
        input: What was asked.
        facts: As in :class:`VideoJob`.
        outcome: Moments where the video was looked at in windows.
        timings: Seconds that the outcome itself does not tell.
    """

    input: BatchInput
    facts: Mapping[str, int] | None
    outcome: Grounding | Moments | Failure
    timings: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True)
class Result:
    """A line of the results file; each input has one.

    Attributes:
        id, video, query: The input.
        asked: ``Plan.asked`` of the run.
        status: ``"done"`` (found or not) or ``"failed"``.
        found: Whether there is a time or a box.
        start_seconds, end_seconds: When, if the model gave a time; of several moments,
            the likeliest's.
        confidence: Of that answer, if it was measured.
        is_guess: Whether that answer is better told as a guess.
        folder: Of the files, from the folder of the results on.
        files: Their names, by kind.
        timings: Seconds of each stage.
        kind, reason, detail: As in :class:`Failure`.
        facts: As in :class:`VideoJob`.
    """

    id: str
    video: str
    query: str
    asked: str
    status: Status
    found: bool = False
    start_seconds: float | None = None
    end_seconds: float | None = None
    confidence: float | None = None
    is_guess: bool = False
    folder: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)
    kind: FailureKind | None = None
    reason: str = ""
    detail: str = ""
    facts: Mapping[str, int] | None = None

    def to_dict(self) -> dict[str, Any]:
        """Plain values; what says nothing is left out."""
        values = asdict(self)
        always = {"id", "video", "query", "status", "asked"}
        return {
            name: value
            for name, value in values.items()
            if name in always or value not in (None, "", {})
        }

    @classmethod
    def from_dict(cls, data: object) -> Result:
        """Read what :meth:`to_dict` made.

        Raises:
            InputError: It is something else.
        """
        try:
            result = cls(**data)  # type: ignore[arg-type]
        except TypeError as error:
            raise InputError("It is not the result of a batch.") from error
        texts = (result.id, result.video, result.query, result.asked, result.folder)
        named = (*texts, result.reason, result.detail)
        good = all(isinstance(text, str) for text in named)
        good = good and result.status in get_args(Status)
        good = good and all(
            isinstance(each, dict) for each in (result.files, result.timings)
        )
        if not good or not isinstance(result.facts, dict | None):
            raise InputError("It is not the result of a batch.")
        return result

    def is_whole(self, out: Path) -> bool:
        """Whether all its files are there."""
        return all((out / self.folder / name).is_file() for name in self.names)

    @property
    def names(self) -> list[str]:
        """Names of the files, in the folder itself only."""
        given = map(str, self.files.values())
        return [name for name in given if name == posixpath.basename(name) != ""]


def failed_result(
    plan: Plan, asked: BatchInput, facts: Mapping[str, int] | None, failure: Failure
) -> Result:
    """The line of an input that could not be answered."""
    return Result(
        asked.id, asked.video, asked.query, plan.asked, "failed",
        kind=failure.kind, reason=failure.reason, detail=failure.detail, facts=facts,
    )  # fmt: skip


def jobs_of(
    inputs: Iterable[BatchInput], facts: Mapping[str, Mapping[str, int]]
) -> list[VideoJob]:
    """Inputs by their video, in the order in which videos come first.

    Args:
        inputs: What is to be answered.
        facts: Of local files, by address.
    """
    by_video: dict[str, list[BatchInput]] = {}
    for each in inputs:
        by_video.setdefault(each.video, []).append(each)
    return [
        VideoJob(video, tuple(asked), facts.get(video))
        for video, asked in by_video.items()
    ]
