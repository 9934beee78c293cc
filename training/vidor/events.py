"""What happens in a VidOR video, in words, with everything that the words fit.

Several things of one kind often do the same: "the dog next to the child" may mean two
dogs. Then a question has several candidates, and one of them must be chosen
(:mod:`training.vidor.selection`).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from training.vidor.annotations import Relation, Track, VidorVideo

#: Predicates whose annotated form does not stand behind "is" or a noun by itself.
_WORDS = {"hold": "holding", "lean_on": "leaning on", "away": "moving away from"}
#: Share of an event's frames that a thing must have a box on.
MIN_BOX_SHARE = 0.9
#: Shorter events have no moment to find, in frames.
MIN_FRAMES = 10
_VOWELS = "aeiou"


@dataclass(frozen=True)
class Candidate:
    """One thing that a sentence fits, while it does.

    Attributes:
        tid: VidOR's number of it.
        first_frame, last_frame: When, both included.
        boxes: ``{frame: xyxy in pixels}`` on the frames where it is seen.
    """

    tid: int
    first_frame: int
    last_frame: int
    boxes: Track


@dataclass(frozen=True)
class Event:
    """A sentence about a video, and what it fits.

    Attributes:
        query: "the adult holding the cup", as a person would type it.
        caption: "an adult is holding a cup".
        candidates: At least one, in the order in which they start.
        named_tid: Which of them the annotation means, where it says so; whoever
            chooses is not told.
    """

    query: str
    caption: str
    candidates: tuple[Candidate, ...]
    named_tid: int | None = None


def events_of(video: VidorVideo) -> list[Event]:
    """The events of a video, each sentence once.

    Relations that are too short, or whose subject is hardly seen, are no candidates.
    """
    found: dict[tuple[str, str], list[Candidate]] = defaultdict(list)
    for relation in video.relations:
        candidate = _candidate(video, relation)
        if candidate is not None:
            found[_sentences(video, relation)].append(candidate)
    return [
        Event(query, caption, tuple(_joined(candidates)))
        for (query, caption), candidates in found.items()
    ]


def _candidate(video: VidorVideo, relation: Relation) -> Candidate | None:
    first, last = relation.first_frame, relation.last_frame
    length = last - first + 1
    track = video.tracks[relation.subject_tid]
    boxes = {frame: track[frame] for frame in range(first, last + 1) if frame in track}
    if length < MIN_FRAMES or len(boxes) < MIN_BOX_SHARE * length:
        return None
    return Candidate(relation.subject_tid, first, last, boxes)


def _joined(candidates: Sequence[Candidate]) -> Iterator[Candidate]:
    """Overlapping stretches of one thing as one: it holds two cups, but holds once."""
    ordered = sorted(candidates, key=lambda c: (c.tid, c.first_frame))
    merged: list[Candidate] = []
    for each in ordered:
        before = merged[-1] if merged else None
        if (
            before is None
            or before.tid != each.tid
            or each.first_frame > before.last_frame + 1
        ):
            merged.append(each)
            continue
        last = max(before.last_frame, each.last_frame)
        boxes = {**before.boxes, **each.boxes}
        merged[-1] = Candidate(each.tid, before.first_frame, last, boxes)
    yield from sorted(merged, key=lambda c: (c.first_frame, c.tid))


def _sentences(video: VidorVideo, relation: Relation) -> tuple[str, str]:
    subject, thing = (
        name_of(video.categories[tid])
        for tid in (relation.subject_tid, relation.object_tid)
    )
    predicate = relation.predicate
    words = _WORDS.get(predicate, predicate.replace("_", " "))
    query = f"the {subject} {words} the {thing}"
    return query, f"{_with_article(subject)} is {words} {_with_article(thing)}"


def name_of(category: str) -> str:
    """``"ball/sports_ball"`` as "ball"."""
    return category.split("/")[0].replace("_", " ")


def _with_article(noun: str) -> str:
    return f"{'an' if noun[0] in _VOWELS else 'a'} {noun}"
