"""What happens in a video, part by part.

The model was never asked for several events with their times in one answer, so the
times are not its own: the video is cut into parts without overlap, and each is
described with all the frames that the model sees. Neighbouring parts about which it
says the same are one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from stablechat.prompts import describe_prompt
from stablechat.search import OnProgress, search_windows, slim_generation
from stablechat.sentences import Sentence
from stablechat.turn import Cancelled, Progress
from stablechat.types import (
    Caption,
    Captions,
    Description,
    GenerationConfig,
    TimeSpan,
    VideoInfo,
)
from stablechat.video import probe
from stablechat.windows import DEFAULT_PART_SECONDS, check_windows, plan_parts

if TYPE_CHECKING:
    from stablechat.chat import StableChat


def caption_video(
    chat: StableChat,
    video: str | Path,
    question: str | None = None,
    *,
    window_seconds: float = DEFAULT_PART_SECONDS,
    segment: TimeSpan | None = None,
    config: GenerationConfig | None = None,
    on_progress: OnProgress | None = None,
    cancelled: Cancelled | None = None,
) -> Captions:
    """Say what happens in each part of a video, or answer a question about each.

    A part's features are let go before the next one is read. Those that the chat keeps
    of other videos stay.

    Args:
        chat: The loaded model.
        video: A video file.
        question: Put to every part, "what colour is the ball?"; None asks for a
            description.
        window_seconds: Length of the parts, each seen with all the model's frames; the
            last one is what is left (:func:`stablechat.windows.plan_parts`).
        segment: Look at this part of the video only.
        config: How to decode; None is greedy.
        on_progress: Called often, with the time that is left.
        cancelled: Asked often; the work stops when it says True.

    Returns:
        The words with the times of their parts, which the model did not find.

    Raises:
        InputError: There can't be such parts, or such a question.
        VideoError, CancelledError, OutOfMemoryError: As for
            :meth:`stablechat.chat.StableChat.ground`.
    """
    describe_prompt(question)
    check_windows(window_seconds, 0.0)
    info = probe(Path(video), cancelled=cancelled)
    parts = plan_parts(info, window_seconds, segment)
    asked = chat.apart() if len(parts) > 1 else chat

    def ask(part: TimeSpan, query: str, report: Progress) -> Description:
        # A short video is looked at as a whole, as ever.
        alone = len(parts) == 1 and segment is None
        said = asked.describe(
            info.path,
            query or None,
            segment=None if alone else part,
            config=config,
            on_progress=report,
            cancelled=cancelled,
        )
        return replace(said, generation=slim_generation(said.generation))

    release = asked.forget if len(parts) > 1 else None
    (said,) = search_windows(parts, [question or ""], ask, release, on_progress)
    told = joined_captions(info, question or "", parts, said, chat.name)
    return replace(told, segment=segment)


def joined_captions(
    video: VideoInfo,
    question: str,
    parts: Sequence[TimeSpan],
    said: Sequence[Description],
    model: str = "",
) -> Captions:
    """Make one caption of neighbouring parts with the same words.

    Args:
        video: What was asked about.
        question: What the person typed.
        parts: What was looked at; each begins where the one before it ends.
        said: About each of them.
        model: Who answered.

    Returns:
        The captions. What was odd about any part is among the warnings of the video.
    """
    noted = [note for each in said for note in each.video.warnings]
    video = replace(video, warnings=tuple(dict.fromkeys([*video.warnings, *noted])))
    captions: list[Caption] = []
    for part, each in zip(parts, said, strict=True):
        if not each.text.strip():
            continue
        last = captions[-1] if captions else None
        if last is not None and _goes_on(last, part, each.text):
            span = TimeSpan(last.span.start_seconds, part.end_seconds)
            captions[-1] = replace(last, span=span)
        else:
            captions.append(Caption(part, each.text, each.generation))
    issues = tuple(_issues(said))
    return Captions(video, question, tuple(captions), tuple(parts), model, issues)


def _goes_on(last: Caption, part: TimeSpan, text: str) -> bool:
    """Whether a part begins where a caption ends, and is told in the same words."""
    meets = last.span.end_seconds == part.start_seconds
    return meets and _words(last.text) == _words(text)


def _words(text: str) -> str:
    return " ".join(text.split()).casefold()


def _issues(said: Sequence[Description]) -> Iterator[str]:
    ends = Counter(each.generation.finish_reason for each in said)
    silent = sum(not each.text.strip() for each in said)
    if silent:
        yield Sentence(
            "Parts about which the model said nothing: {count}.", count=silent
        )
    if ends["length"]:
        words = "Parts whose words were cut off at the length limit: {count}."
        yield Sentence(words, count=ends["length"])
