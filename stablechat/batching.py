"""Many questions at once, about one video or several."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from stablechat.encoding import EncodedVideo
from stablechat.errors import InputError
from stablechat.generation.batch import DEFAULT_SEATS
from stablechat.questions import Question
from stablechat.turn import Cancelled, Progress, Turn
from stablechat.types import GenerationConfig, Grounding

if TYPE_CHECKING:
    from stablechat.chat import StableChat

#: Seats hold a cache each, 0.2 GB at full size.
MAX_SEATS = 64


def ground_batch(
    chat: StableChat,
    asked: Sequence[tuple[str | Path, Question]],
    *,
    seats: int = DEFAULT_SEATS,
    config: GenerationConfig | None = None,
    on_progress: Progress | None = None,
    cancelled: Cancelled | None = None,
    cancelled_each: Sequence[Cancelled] | None = None,
) -> list[Grounding]:
    """Answer questions about videos, several at once.

    Each answer is what ``chat.ground`` gives; on a card they come sooner, because a
    pass reads the weights once for all of them. A video is encoded once for the
    questions about it that stand together.

    Args:
        chat: The model.
        asked: Video files with a question each, not of task ``rec``.
        seats: Answers that are written at once, 1 to :data:`MAX_SEATS`.
        config: How to decode; None is greedy.
        on_progress: Called with stage and fraction.
        cancelled: Asked often; the work stops when it says True.
        cancelled_each: The same for each question, whose answer alone is ended then;
            the others go on.

    Returns:
        In the order of the questions; one that was ended has what was written, and
        finish reason ``"cancelled"``.

    Raises:
        InputError: ``seats`` is out of range, a question is about a picture, or
            ``cancelled_each`` is not one for each.
        VideoError, CancelledError, OutOfMemoryError: As for ``StableChat.ground``.
    """
    if not 1 <= seats <= MAX_SEATS:
        raise InputError(f"seats must be from 1 to {MAX_SEATS}, got {seats}.")
    if cancelled_each is not None and len(cancelled_each) != len(asked):
        raise InputError("cancelled_each must be one for each question.")
    if any(question.task == "rec" for _, question in asked):
        raise InputError("Questions of task rec are asked one by one.")
    seen: list[EncodedVideo] = []
    with chat.turn(on_progress, cancelled) as turn:
        written = turn.answer_all(
            _encoded(turn, asked, seen),
            config,
            seats=seats,
            count=len(asked),
            cancelled_each=cancelled_each,
        )
    return [
        chat.interpret(question, answer, encoded)
        for (_, question), answer, encoded in zip(asked, written, seen, strict=True)
    ]


def _encoded(
    turn: Turn, asked: Sequence[tuple[str | Path, Question]], seen: list[EncodedVideo]
) -> Iterator[tuple[EncodedVideo, Question]]:
    """Each video when its turn comes; what an answer needs of it is kept."""
    for number, (video, question) in enumerate(asked):
        found = turn.part(number, len(asked)).encode_video(Path(video), None)
        seen.append(replace(found, visual=found.visual.new_empty(0)))
        yield found, question
