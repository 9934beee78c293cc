"""VidSTG: sentences that people wrote about one thing in a part of a VidOR video.

They name their target. So it can be measured how often the right one is chosen when
that is not used, and only its kind is.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from evaluation.datasets.values import (
    NOT_IN_FORMAT,
    checked_event,
    checked_split,
    checked_text,
    read_list,
    whole,
)
from evaluation.frames import Split
from stablechat.errors import InputError
from training.vidor.annotations import VidorVideo
from training.vidor.events import MIN_BOX_SHARE, Candidate, Event

#: What a sentence may be about.
Candidates = Literal["named", "category"]
_KINDS = ("captions", "questions")


@dataclass(frozen=True)
class Part:
    """The part of a video that sentences are about.

    Attributes:
        video_id: VidOR's name of the video.
        split: First and last frame.
        moment: First and last frame of what happens.
        sentences: Each with the number of the thing that it is about.
    """

    video_id: str
    split: Split
    moment: Split
    sentences: tuple[tuple[str, int], ...]


def read_parts(path: Path) -> Iterator[Part | InputError]:
    """Rows of an annotation file, or what is wrong with one.

    Raises:
        InputError: The file can't be read.
    """
    for number, raw in enumerate(read_list(path)):
        try:
            yield _read(raw)
        except KeyError as error:
            yield InputError(f"{path}, row {number}: {error} is missing.")
        except NOT_IN_FORMAT as error:
            yield InputError(f"{path}, row {number}: {error}.")


def _read(raw: Mapping[str, Any]) -> Part:
    segment, moment = raw["used_segment"], raw["temporal_gt"]
    split = checked_split((segment["begin_fid"], segment["end_fid"]))
    # The end of the segment is its last frame, that of the moment one behind its last.
    begin, end = whole(moment["begin_fid"]), whole(moment["end_fid"]) - 1
    sentences = tuple(
        (
            checked_text(sentence["description"], "description"),
            whole(sentence["target_id"]),
        )
        for kind in _KINDS
        for sentence in raw.get(kind, ())
    )
    video_id = checked_text(raw["vid"], "vid")
    return Part(video_id, split, checked_event(begin, end, split), sentences)


def events_of_part(
    part: Part, video: VidorVideo, candidates: Candidates = "named"
) -> list[Event]:
    """Its sentences, each with what it may be about.

    Args:
        part: The sentences.
        video: With a box of everything.
        candidates: ``"named"`` is the one thing that the annotation means;
            ``"category"`` is all of its kind that are seen at that moment, by number,
            as if the annotation named a kind only.

    Raises:
        InputError: The video's boxes lack the thing or the moment.
    """
    return [
        Event(sentence, sentence, _candidates(part, video, target, candidates), target)
        for sentence, target in part.sentences
    ]


def _candidates(
    part: Part, video: VidorVideo, target: int, candidates: Candidates
) -> tuple[Candidate, ...]:
    found = [_candidate(part, video, target)]
    if candidates == "category":
        found += _others(part, video, target)
    # Their order must not say which one is meant.
    return tuple(sorted(found, key=lambda candidate: candidate.tid))


def _candidate(part: Part, video: VidorVideo, target: int) -> Candidate:
    found = _seen(part, video, target)
    if not found.boxes:
        first, last = part.moment
        raise InputError(
            f"{video.video_id} has no box of {target} on the frames {first} to {last}."
        )
    return found


def _others(part: Part, video: VidorVideo, target: int) -> Iterator[Candidate]:
    """What else is of the target's kind, and seen for nearly all of the moment."""
    first, last = part.moment
    for tid, category in video.categories.items():
        if tid != target and category == video.categories.get(target):
            found = _seen(part, video, tid)
            if len(found.boxes) >= MIN_BOX_SHARE * (last - first + 1):
                yield found


def _seen(part: Part, video: VidorVideo, tid: int) -> Candidate:
    first, last = part.moment
    track = video.tracks.get(tid, {})
    boxes = {frame: track[frame] for frame in range(first, last + 1) if frame in track}
    return Candidate(tid, first, last, boxes)
