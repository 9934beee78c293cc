"""What is sent between the processes. No Ray."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypeVar

from stablechat.errors import InputError, StableChatError
from stablechat.questions import Question
from stablechat.sentences import Sentence, Value
from stablechat.types import (
    Captions,
    Description,
    Grounding,
    Moments,
    SearchProgress,
    Task,
    TimeSpan,
)

Kind = Literal["ground", "moments", "describe", "captions"]
Answer = Grounding | Moments | Description | Captions
AnswerT = TypeVar("AnswerT", Grounding, Moments, Description, Captions)


class DeadlineError(StableChatError):
    """The time that was given for an answer is over."""


class UnknownVideoError(InputError):
    """The video is not kept, or no longer."""


@dataclass(frozen=True)
class ModelRequest:
    """A question on its way to a model.

    Attributes:
        kind: Which of the model's methods answers it.
        video: Name of the video on the shelf: the SHA-256 of its content.
        query: What was typed.
        request_id: Goes into the logs of all processes.
        deadline: Unix seconds when nobody waits for the answer any longer.
        task: As ``StableChat.ground`` has it, like the next five.
        span: For ``svg``.
        region: xyxy in pixels, for ``elc``.
        start_seconds: For ``elc``.
        at_seconds: For ``rec``.
        candidates: How many answers to choose from.
        segment: The part of the video to look at; None is all of it.
        window_seconds: Of a search for moments; of captions, length of the parts.
        top: How many moments; None is all.
    """

    kind: Kind
    video: str
    query: str
    request_id: str
    deadline: float
    task: Task = "stvg"
    span: TimeSpan | None = None
    region: tuple[float, ...] | None = None
    start_seconds: float | None = None
    at_seconds: float | None = None
    candidates: int = 1
    segment: TimeSpan | None = None
    window_seconds: float = 0.0
    top: int | None = None

    @property
    def is_late(self) -> bool:
        """Whether nobody waits any longer."""
        return time.time() > self.deadline

    @property
    def fits_a_batch(self) -> bool:
        """Whether it can be answered together with others."""
        is_plain = self.candidates == 1 and self.segment is None
        return self.kind == "ground" and self.task != "rec" and is_plain

    def question(self) -> Question:
        """What is grounded.

        Raises:
            InputError: It can't be asked like this.
        """
        return Question(
            self.query, self.task, self.span, self.region, self.start_seconds
        )


@dataclass(frozen=True)
class Told:
    """How far a question is.

    Attributes:
        stage: ``"read"``, ``"encode"`` or ``"answer"``.
        fraction: 0..1 of it.
        search: How far a search for moments is, or the captions are.
    """

    stage: str
    fraction: float
    search: SearchProgress | None = None


@dataclass(frozen=True)
class Answered:
    """The end of a question.

    Attributes:
        answer: About the file on the shelf.
        replica: Which copy of the model answered.
        was_kept: Whether the video was encoded already; None where that is not known.
        batch_size: How many questions were answered together.
    """

    answer: Answer
    replica: str = ""
    was_kept: bool | None = None
    batch_size: int = 1


@dataclass(frozen=True)
class Failed:
    """The other end of a question."""

    error: StableChatError


Event = Told | Answered | Failed


def about(answer: AnswerT, path: Path) -> AnswerT:
    """An answer about the file that it was asked about, not the one on the shelf."""
    video = replace(answer.video, path=path)
    more: dict[str, Any] = {}
    if isinstance(answer, Grounding):
        more["alternatives"] = tuple(about(each, path) for each in answer.alternatives)
    if isinstance(answer, Moments):
        more["moments"] = tuple(
            replace(each, grounding=about(each.grounding, path))
            for each in answer.moments
        )
    return replace(answer, video=video, **more)


def error_about(error: StableChatError, kept: str, name: str) -> StableChatError:
    """An error that names the file as the person does.

    Args:
        error: About the file on the shelf.
        kept: What it is called there.
        name: What the person calls it.
    """
    return type(error)(_sentence_about(error.sentence, kept, name))


def _sentence_about(said: Sentence, kept: str, name: str) -> Sentence:
    values: dict[str, Value] = {}
    for key, value in said.values.items():
        if isinstance(value, Sentence):
            values[key] = _sentence_about(value, kept, name)
        elif isinstance(value, str):
            values[key] = value.replace(kept, name)
        else:
            values[key] = value
    made = Sentence(said.template, **values)
    return made if values else Sentence(str(said).replace(kept, name))
