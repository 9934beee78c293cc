"""From folders of annotations to lines of conversations, one target each."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from evaluation.frames import Split
from stablechat.chat import StableChat
from stablechat.errors import InputError, VideoError
from stablechat.types import Task, TimeSpan
from training.finetune.examples import encode_example
from training.vidor.annotations import VidorVideo, read_vidor
from training.vidor.conversations import converse
from training.vidor.events import Event, events_of
from training.vidor.rewriting import say_which
from training.vidor.selection import Choice, choose, report_choices, score_candidates
from training.vidor.vidstg import Candidates, events_of_part, read_parts

Row = dict[str, Any]
#: What to do with a question whose favourite is not clear.
Ambiguous = Literal["keep", "drop", "rewrite"]
#: Scores of the candidates of an event in a part of a video.
Scorer = Callable[[VidorVideo, Event, Split], Sequence[float]]


@dataclass(frozen=True)
class Source:
    """An event, and the part of the video that is looked at."""

    video: VidorVideo
    event: Event
    split: Split


@dataclass
class Tally:
    """What became of the annotations.

    Attributes:
        choices: One for each question.
        bad: What could not be used, and why.
        counts: Questions that were dropped or rewritten.
    """

    choices: list[Choice] = field(default_factory=list)
    bad: list[str] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)

    def as_json(self) -> dict[str, Any]:
        """For the report."""
        return {
            **report_choices(self.choices),
            "num_dropped": self.counts["drop"],
            "num_rewritten": self.counts["rewrite"],
            "num_bad": len(self.bad),
            "bad": self.bad,
        }


class ScoringChat(StableChat):
    """StableChat that says how likely it finds given answers."""

    def score(self, videos: Path, source: Source) -> list[float]:
        """The mean log-likelihood of each candidate's STVG answer.

        Raises:
            VideoError: The video can't be read.
            InputError: The model sees nothing of a candidate.
        """
        video, event, split = source.video, source.event, source.split
        said = [converse(video, event, c, "stvg", split) for c in event.candidates]
        model, tokenizer = self._loaded.model, self._loaded.tokenizer
        with self.turn(None, None) as turn:
            encoded = turn.encode_video(
                videos / video.video_path, _seconds_of(video, split)
            )
            examples = [
                encode_example(tokenizer, model.config, each.question, each.answer)
                for each in said
            ]
            return score_candidates(model, examples, encoded.visual)


def likelihood_scorer(chat: ScoringChat, videos: Path) -> Scorer:
    """Let a model say which candidate it finds likeliest."""
    return lambda video, event, split: chat.score(videos, Source(video, event, split))


def random_scorer(seed: int) -> Scorer:
    """Any candidate, as likely as the others: what selection is compared with."""
    rng = random.Random(seed)
    return lambda video, event, split: [rng.random() for _ in event.candidates]


def vidor_sources(files: Iterable[Path], tally: Tally) -> Iterator[Source]:
    """The events of VidOR's files; broken ones go to the tally."""
    for path in files:
        try:
            video = read_vidor(path)
        except InputError as error:
            tally.bad.append(str(error))
            continue
        for event in events_of(video):
            yield Source(video, event, (0, video.num_frames - 1))


def vidstg_sources(
    annotations: Path,
    files: Iterable[Path],
    tally: Tally,
    candidates: Candidates = "named",
) -> Iterator[Source]:
    """The sentences of a VidSTG file about VidOR's files.

    Args:
        annotations: The file of sentences.
        files: Of VidOR.
        tally: Is told what is broken.
        candidates: What each sentence may be about.

    Raises:
        InputError: The file of sentences can't be read.
    """
    by_name = {path.stem: path for path in files}
    for part in read_parts(annotations):
        try:
            if isinstance(part, InputError):
                raise part
            if part.video_id not in by_name:
                raise InputError(f"VidOR's annotation {part.video_id}.json is missing.")
            video = read_vidor(by_name[part.video_id])
            events = events_of_part(part, video, candidates)
        except InputError as error:
            tally.bad.append(str(error))
            continue
        yield from (Source(video, event, part.split) for event in events)


def prepare_rows(
    sources: Iterable[Source],
    scorer: Scorer,
    tally: Tally,
    *,
    tasks: Sequence[Task],
    ambiguous: Ambiguous = "keep",
    min_margin: float,
) -> Iterator[Row]:
    """Choose a target for each question, and write its conversations.

    Args:
        sources: Questions with their candidates.
        scorer: Says which candidate is the target.
        tally: Is told what became of each.
        tasks: What to ask about the target.
        ambiguous: What to do where the choice is not clear.
        min_margin: Where that begins, in nats a token.

    Yields:
        Rows of ``training.finetune``.
    """
    for source in sources:
        try:
            choice = _chosen(source, scorer, min_margin)
            tally.choices.append(choice)
            settled = _settled(source, choice, ambiguous, tally)
            if settled is None:
                continue
            rows = [_row(source, settled, choice, task) for task in tasks]
        except (InputError, VideoError) as error:
            tally.bad.append(f"{source.video.video_id}: {error}")
            continue
        yield from rows


def _chosen(source: Source, scorer: Scorer, min_margin: float) -> Choice:
    event = source.event
    if len(event.candidates) == 1:
        return choose([0.0], min_margin)
    found = choose(scorer(source.video, event, source.split), min_margin)
    if event.named_tid is None:
        return found
    is_right = event.candidates[found.index].tid == event.named_tid
    return replace(found, is_right=is_right)


def _settled(
    source: Source, choice: Choice, ambiguous: Ambiguous, tally: Tally
) -> Event | None:
    """The event with its target alone; None if it is dropped."""
    event = source.event
    chosen = Event(event.query, event.caption, (event.candidates[choice.index],))
    if not choice.is_ambiguous or ambiguous == "keep":
        return chosen
    if ambiguous == "rewrite":
        said = say_which(event, choice.index, source.video)
        if said is not None:
            tally.counts["rewrite"] += 1
            return said
    tally.counts["drop"] += 1
    return None


def _row(source: Source, event: Event, choice: Choice, task: Task) -> Row:
    video, (target,) = source.video, event.candidates
    said = converse(video, event, target, task, source.split)
    segment = _seconds_of(video, source.split)
    return {
        "id": f"{video.video_id}/{source.split[0]}/{target.tid}/{event.query}/{task}",
        "video": video.video_path,
        "segment_seconds": segment and [segment.start_seconds, segment.end_seconds],
        "task": task,
        "question": said.question,
        "answer": said.answer,
        "query": event.query,
        "target_tid": target.tid,
        "scores": list(choice.scores),
    }


def _seconds_of(video: VidorVideo, split: Split) -> TimeSpan | None:
    """A part of a video in seconds; None where it is all of it."""
    if split == (0, video.num_frames - 1):
        return None
    return TimeSpan(split[0] / video.fps, split[1] / video.fps)
