"""What the model calls the thing that it found, and whether that is the same question.

A model that is asked for what is not there answers about something else, and is about
as sure as otherwise (docs/decoding.md): its confidence takes for granted that the thing
is in the video. So it is asked the other way round, by the question of the ELC task
that it was trained with: what happens from here on to the thing in this box? Its words
are worth showing: a person sees at once when they are not what was asked for.

They tell more when they are put in the place of the query. Where the query means what
was found, the model would answer both alike; where it means something else, it would
not, whatever words either uses. So synonyms cost nothing, and values of different
queries can be compared. How differently it answers is the Jensen-Shannon divergence of
its two opinions (Lin, 1991), the mean over the coordinates of the span and of the first
box, each after what was written before it.

An ELC question names its region by height and start only (docs/model.md), so the words
may be about another thing at that height. The answer says which: its first box must be
the one that was asked about, or the next moment is tried.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from stablechat.encoding import EncodedVideo
from stablechat.errors import InputError
from stablechat.grounding import boxes_to_xyxy
from stablechat.last_row import LastRow
from stablechat.moments import box_iou
from stablechat.parser import parse_answer
from stablechat.questions import Question
from stablechat.turn import Cancelled, Turn
from stablechat.types import (
    NUM_BINS,
    FrameSample,
    GenerationConfig,
    Grounding,
    SecondLook,
    Tube,
)

if TYPE_CHECKING:
    from stablechat.chat import StableChat

# Where in the tube it is asked about, one after the other until its words are about it.
_MOMENTS = (0.0, 1 / 3, 2 / 3)
#: Least IoU of what the words are about with what was found.
_SAME_BOX_IOU = 0.5
_NUMBERS_IN_A_BOX = 4
_TINY = 1e-30
# "Ends in <TEMP-045>, <a clause>. Object bounding box: <TEMP-032>:[...]", no more.
_ELC_ANSWER = GenerationConfig(max_new_tokens=128)


def look_again(
    chat: StableChat,
    answer: Grounding,
    sample: FrameSample | None = None,
    *,
    cancelled: Cancelled | None = None,
) -> Grounding:
    """Ask the model what it found, and whether that is what was asked for.

    Args:
        chat: The model that answered.
        answer: Of ``chat.ground``; only one to a question about when and where
            (``stvg``) is looked at again.
        sample: The frames it is about, where ``chat.ground`` was given frames.
        cancelled: Asked often; the work stops when it says True.

    Returns:
        The same answer with its ``second_look``, if there is one.

    Raises:
        VideoError, CancelledError, OutOfMemoryError: As for ``chat.ground``.
    """
    if answer.task != "stvg":
        return answer
    with chat.turn(None, cancelled) as turn:
        if sample is not None:
            encoded = turn.encode_sample(sample)
        else:
            encoded = turn.encode_video(answer.video.path, answer.segment)
        return replace(answer, second_look=second_look(turn, encoded, answer))


@torch.inference_mode()
def second_look(
    turn: Turn, encoded: EncodedVideo, answer: Grounding
) -> SecondLook | None:
    """Ask the model what it found, and whether that is what was asked for.

    Args:
        turn: The model.
        encoded: What the answer is about.
        answer: To a question about when and where, with its tokens.

    Returns:
        None for an answer without a time or boxes, and where the model's words are
        about something else whenever it is asked.
    """
    tokens = _until_first_box(answer.generation.token_ids, turn.first_time_token)
    if answer.span is None or answer.tube is None or not tokens:
        return None
    words = _own_words(turn, encoded, answer.tube)
    if words is None:
        return None
    opinions = [
        _opinion(turn, encoded, query, tokens) for query in (answer.query, words)
    ]
    return SecondLook(words, divergence(*opinions))


def divergence(first: Tensor, second: Tensor) -> float:
    """The mean Jensen-Shannon divergence of distributions, in nats.

    ``JSD(p, q) = (KL(p, m) + KL(q, m)) / 2`` with ``m = (p + q) / 2``.

    Args:
        first, second: float ``(T, rows)``, a distribution in each row.
    """
    middle = ((first + second) / 2).clamp(min=_TINY)
    of_each = [torch.xlogy(p, p / middle).sum(dim=-1) for p in (first, second)]
    return max(0.0, float(torch.stack(of_each).mean()))


def _own_words(turn: Turn, encoded: EncodedVideo, tube: Tube) -> str | None:
    """What the model calls the thing in a tube, at the first moment where it does."""
    times = tube.times_seconds
    for share in _MOMENTS:
        number = int(share * (len(times) - 1))
        try:
            words = _words_at(turn, encoded, float(times[number]), tube)
            if words is not None:
                return Question(words, "stvg").query
        except (
            InputError
        ):  # beyond the frames that it saw; or words that can't be asked
            continue
    return None


def _words_at(
    turn: Turn, encoded: EncodedVideo, time_seconds: float, tube: Tube
) -> str | None:
    start, box = max(time_seconds, 0.0), tube.at(time_seconds)
    assert box is not None  # one of the tube's own times
    prompt = Question("", "elc", region=box, start_seconds=start).prompt(
        encoded.video, encoded.pts_seconds
    )
    # Its first row says what it is about; the others are not needed.
    first_row = LastRow(turn.first_time_token, 1, end_bin=0)
    said = turn.answer(encoded, prompt, _ELC_ANSWER, first_row, task="elc")
    parsed = parse_answer(said.text, "elc")
    if not parsed.boxes_bins:
        return None
    about = next(iter(parsed.boxes_bins.values()))
    video = encoded.video
    xyxy = boxes_to_xyxy([about], video.width, video.height)[0]
    return parsed.prose if box_iou(xyxy, box) >= _SAME_BOX_IOU else None


def _until_first_box(tokens: tuple[int, ...], first_time_token: int) -> tuple[int, ...]:
    """The beginning of an answer up to its first box; empty where it has none."""
    first_place = first_time_token + NUM_BINS
    places = [number for number, token in enumerate(tokens) if token >= first_place]
    if len(places) < _NUMBERS_IN_A_BOX:
        return ()
    return tokens[: places[_NUMBERS_IN_A_BOX - 1] + 1]


def _opinion(
    turn: Turn, encoded: EncodedVideo, query: str, tokens: tuple[int, ...]
) -> Tensor:
    """What the model would write for each coordinate of an answer to a question."""
    prompt = Question(query, "stvg").prompt(encoded.video, encoded.pts_seconds)
    probabilities = turn.probabilities(encoded, prompt, tokens)
    coordinates = torch.tensor(tokens) >= turn.first_time_token
    return probabilities[coordinates]
