"""Answers as subtitles of the whole video: SubRip and WebVTT.

Each moment is a cue with the question as its text, in the order of the video; what is
said part by part is a cue for each part.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction

from render.exports.frames import is_image
from render.exports.words import BY_HAND, plain_line, title_of
from stablechat.grounding import shown_span
from stablechat.types import Captions, Grounding, TimeSpan

#: SubRip has no escapes: what players take for a tag or an override is set apart.
_MARKUP = re.compile(r"(?<=[<{])(?=[\w/\\])")


@dataclass(frozen=True, order=True)
class _Cue:
    start_milliseconds: int
    end_milliseconds: int
    text: str


def srt(answers: Sequence[Grounding]) -> str:
    """SubRip (``.srt``): a numbered cue for each moment; nothing if there is none."""
    return _srt(sorted(_moment_cues(answers)))


def vtt(answers: Sequence[Grounding]) -> str:
    """WebVTT (``.vtt``): a cue for each moment behind the header.

    A note says where a person corrected one; SubRip has no place for that.
    """
    corrected = any(answer.original is not None for answer in answers)
    note = f"\nNOTE {BY_HAND}\n" if corrected else ""
    return _vtt(sorted(_moment_cues(answers)), note)


def captions_srt(captions: Captions) -> str:
    """SubRip: a numbered cue for each caption; nothing if there is none."""
    return _srt(_caption_cues(captions))


def captions_vtt(captions: Captions) -> str:
    """WebVTT: a cue for each caption behind the header."""
    return _vtt(_caption_cues(captions))


def _srt(cues: Iterable[_Cue]) -> str:
    return "".join(
        f"{number}\n{_clock(cue.start_milliseconds, ',')} --> "
        f"{_clock(cue.end_milliseconds, ',')}\n{_srt_text(cue.text)}\n\n"
        for number, cue in enumerate(cues, 1)
    )


def _vtt(cues: Iterable[_Cue], note: str = "") -> str:
    told = "".join(
        f"\n{_clock(cue.start_milliseconds, '.')} --> "
        f"{_clock(cue.end_milliseconds, '.')}\n{_vtt_text(cue.text)}\n"
        for cue in cues
    )
    return f"WEBVTT\n{note}{told}"


def _caption_cues(captions: Captions) -> Iterator[_Cue]:
    for each in captions.captions:
        # Words that are nothing but control characters leave none.
        yield _cue(each.span, captions.video.fps, plain_line(each.text) or "…")


def _moment_cues(answers: Sequence[Grounding]) -> Iterator[_Cue]:
    for answer in answers:
        span = shown_span(answer)
        if span is None or is_image(answer):
            continue
        yield _cue(span, answer.video.fps, title_of(answer))


def _cue(span: TimeSpan, fps: Fraction, text: str) -> _Cue:
    start = round(span.start_seconds * 1000)
    # A single picture is on screen until the next one.
    shortest = max(1, round(1000 / fps))
    return _Cue(start, max(round(span.end_seconds * 1000), start + shortest), text)


def _clock(milliseconds: int, separator: str) -> str:
    seconds, milliseconds = divmod(milliseconds, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}{separator}{milliseconds:03d}"


def _srt_text(text: str) -> str:
    return _MARKUP.sub(" ", text.replace("-->", "->"))


def _vtt_text(text: str) -> str:
    for char, escaped in (("&", "&amp;"), ("<", "&lt;"), (">", "&gt;")):
        text = text.replace(char, escaped)
    return text
