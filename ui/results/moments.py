"""The stretches of time that an answer names: its own, then its alternatives'."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace

from stablechat.errors import InputError
from stablechat.grounding import shown_span
from stablechat.times import format_time
from stablechat.types import Grounding, TimeSpan
from ui.i18n import Language, text

BY_HAND = 0


@dataclass(frozen=True)
class Moment:
    """One stretch of time.

    Attributes:
        rank: 1 for the likeliest answer, 2 for the next one, and so on;
            :data:`BY_HAND` for what a person made of it.
        span: When.
        confidence: 0..1, or None.
        question: What it answers, where answers to several questions are shown.
    """

    rank: int
    span: TimeSpan
    confidence: float | None
    question: str = ""


def moments_of(answer: Grounding, rank: int = 1) -> list[Moment]:
    """An answer's own time and those of its alternatives, the best first.

    Before these stands what a person corrected.

    Args:
        answer: What the clip shows; its alternatives are in their order.
        rank: Its own, 1 unless one of the alternatives was chosen.
    """
    said, ranked = answer.original or answer, []
    if answer.original is not None:
        ranked.append((BY_HAND, answer))
    others = (other for other in itertools.count(1) if other != rank)
    ranked += [(rank, said), *zip(others, said.alternatives, strict=False)]
    return [
        Moment(place, span, each.confidence)
        for place, each in ranked
        if (span := shown_span(each)) is not None
    ]


def chosen(answer: Grounding, rank: int, wanted: int) -> Grounding:
    """One of an answer's alternatives, with the others as its own.

    Args:
        answer: What the clip shows; corrections of it are left.
        rank: Its own.
        wanted: The rank of the one that is to be shown.

    Raises:
        InputError: There is none of that rank, or it found nothing.
    """
    said = answer.original or answer
    ranked = [*said.alternatives]
    ranked.insert(rank - 1, replace(said, alternatives=()))
    if not 1 <= wanted <= len(ranked) or shown_span(ranked[wanted - 1]) is None:
        raise InputError("There is no such moment.")
    best = ranked.pop(wanted - 1)
    return replace(best, alternatives=tuple(ranked))


def moments_of_all(answers: Sequence[Grounding]) -> list[Moment]:
    """The time of each answer to several questions, as they are ordered."""
    return [
        Moment(rank, span, answer.confidence, answer.query or answer.prose)
        for rank, answer in enumerate(answers, 1)
        if (span := shown_span(answer)) is not None
    ]


def rank_text(language: Language, moment: Moment) -> str:
    """A moment's place in a list: its rank, or that it was made by hand."""
    if moment.rank == BY_HAND:
        return text(language, "by_hand")
    return str(moment.rank)


def rank_mark(moment: Moment) -> str:
    """The same in one character or two, where there is little room."""
    return "✎" if moment.rank == BY_HAND else str(moment.rank)


def moment_title(language: Language, moment: Moment) -> str:
    """A moment in words: ``"Answer 1: 0:02.133 to 0:05.400"``."""
    key = "hand_title" if moment.rank == BY_HAND else "moment_title"
    title = text(
        language,
        "asked_title" if moment.question else key,
        rank=moment.rank,
        question=moment.question,
        start=format_time(moment.span.start_seconds),
        end=format_time(moment.span.end_seconds),
    )
    if moment.confidence is None:
        return title
    confidence = text(language, "confidence")
    return f"{title}, {confidence} {moment.confidence:.0%}"
