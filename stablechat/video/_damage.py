"""Signs that a file is damaged, cut off or lies; each one plain sentence."""

from __future__ import annotations

from dataclasses import dataclass

import av
import numpy as np
import numpy.typing as npt

from stablechat.sentences import Sentence
from stablechat.types import FloatArray
from stablechat.video._open import Source
from stablechat.video._packets import DamageLog, decode_from_start

BoolArray = npt.NDArray[np.bool_]

#: Files of at most so many pixels are decoded whole to find damage: a third of a
#: second of work, half a minute of 320x180.
CHECK_BUDGET_PIXELS = 48 << 20

#: A header's number may be this much off.
_SLACK_SHARE, _SLACK_SECONDS = 0.02, 0.5
#: Silence of the pictures this long, and so many times the usual, is a hole.
_HOLE_SECONDS, _HOLE_STEPS = 0.5, 5
_MAX_HOLES = 3  # more are the way of a screen recording
_EVEN_SHARE = 1.5  # other steps of a regular video, in usual ones
_MAX_UNEVEN = 0.02  # share of its steps that may be longer

#: Sizes of a packet of MPEG-TS: plain, with time codes, with error correction.
_TS_PACKET_BYTES = (188, 192, 204)


@dataclass(frozen=True)
class Check:
    """What came out when a file was decoded whole.

    Attributes:
        times: Of the pictures in the order they came, in ticks; None where they have
            none.
        num_damaged: Packets that failed and pictures with parts missing.
    """

    times: tuple[int | None, ...]
    num_damaged: int


def check_pictures(source: Source) -> Check:
    """Decode a file whole.

    Args:
        source: Just opened.

    Returns:
        Its pictures and its damage.
    """
    log, num_corrupt = DamageLog(), 0
    times = []
    for frame in decode_from_start(source, log):
        num_corrupt += frame.is_corrupt
        times.append(frame.pts)
    return Check(tuple(times), log.num_failed + num_corrupt)


def signs_of_a_cut(source: Source, end_seconds: float) -> list[str]:
    """What a file promises and does not hold.

    Args:
        source: The open file.
        end_seconds: When the last picture ends, on the stream's clock.
    """
    found: list[str] = []
    promised = _promised_seconds(source)
    if promised is not None:
        slack = max(_SLACK_SECONDS, _SLACK_SHARE * promised)
        if promised > end_seconds + slack:
            found.append(
                Sentence(
                    "The file promises {promised:.1f} seconds of pictures and ends "
                    "after {end:.1f}; it may be cut off.",
                    promised=promised,
                    end=end_seconds,
                )
            )
    whole = [source.size_bytes % size == 0 for size in _TS_PACKET_BYTES]
    if source.container.format.name == "mpegts" and not any(whole):
        found.append("The file ends in the middle of a packet; it may be cut off.")
    return found


def signs_of_a_lie(source: Source, shown_seconds: float) -> list[str]:
    """What a header says that is far too little.

    Args:
        source: The open file.
        shown_seconds: From the first picture to the end of the last.
    """
    duration = source.stream.duration
    if duration is None or "mp4" not in source.container.format.name:
        return []
    said = float(duration * source.time_base)
    if 0 < said and 2 * said + 1 < shown_seconds:
        return [
            Sentence(
                "The header says {said:.1f} seconds and there are {shown:.1f}; the "
                "pictures were counted.",
                said=said,
                shown=shown_seconds,
            )
        ]
    return []


def signs_of_a_hole(seconds: FloatArray) -> list[str]:
    """Where an otherwise regular video stands still.

    Args:
        seconds: float64 ``(N,)``, when each picture is shown.
    """
    steps = np.diff(seconds)
    if len(steps) < 3:
        return []
    usual = float(np.median(steps))
    is_hole = steps > max(_HOLE_SECONDS, _HOLE_STEPS * usual)
    uneven = steps[~is_hole] > _EVEN_SHARE * usual
    regular = float(uneven.mean()) <= _MAX_UNEVEN
    if not (regular and 1 <= int(is_hole.sum()) <= _MAX_HOLES):
        return []
    first = int(np.argmax(is_hole))
    return [
        Sentence(
            "No new picture comes for {hole:.1f} seconds after {start:.1f} s; some may "
            "be missing.",
            hole=steps[first],
            start=seconds[first],
        )
    ]


def signs_of_damage(replaced: BoolArray, damaged: BoolArray) -> list[str]:
    """What went wrong with the pictures of a sample.

    Args:
        replaced: bool ``(N,)``, whether another picture stands in for it.
        damaged: bool ``(N,)``, whether parts of the picture are guesses.
    """
    found: list[str] = []
    if replaced.any():
        found.append(
            Sentence(
                "{which} could not be decoded; the nearest that could was taken "
                "instead.",
                which=_which_of(replaced),
            )
        )
    damaged = damaged & ~replaced
    if damaged.any():
        one = damaged.sum() == 1
        words = "{which} is damaged." if one else "{which} are damaged."
        found.append(Sentence(words, which=_which_of(damaged)))
    return found


def _which_of(pictures: BoolArray) -> Sentence:
    if len(pictures) == 1:
        return Sentence("The picture looked at")
    return Sentence(
        "{count} of the {all} pictures looked at",
        count=pictures.sum(),
        all=len(pictures),
    )


def _promised_seconds(source: Source) -> float | None:
    """When the pictures end by the words of a Matroska header, or None.

    Its own duration is that of the longest track, so it tells only where there is but
    one; FFmpeg and mkvmerge note each track's.
    """
    if "matroska" not in source.container.format.name:
        return None
    for key, text in source.stream.metadata.items():
        if key.upper().startswith("DURATION"):
            return _clock_seconds(text)
    alone = len(source.container.streams) == 1
    whole = source.container.duration
    return whole / av.time_base if alone and whole is not None else None


def _clock_seconds(text: str) -> float | None:
    """``"00:01:02.5"`` as seconds; None for anything else."""
    parts = text.split(":")
    try:
        hours, minutes, seconds = (float(part) for part in parts)
    except ValueError:
        return None
    return hours * 3600 + minutes * 60 + seconds
