"""Signs that a file is damaged, cut off or lies; each one plain sentence."""

from __future__ import annotations

from dataclasses import dataclass

import av
import numpy as np
import numpy.typing as npt

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
    found = []
    promised = _promised_seconds(source)
    if promised is not None:
        slack = max(_SLACK_SECONDS, _SLACK_SHARE * promised)
        if promised > end_seconds + slack:
            found.append(
                f"The file promises {promised:.1f} seconds of pictures and ends after "
                f"{end_seconds:.1f}; it may be cut off."
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
            f"The header says {said:.1f} seconds and there are {shown_seconds:.1f}; "
            "the pictures were counted."
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
        f"No new picture comes for {steps[first]:.1f} seconds after "
        f"{seconds[first]:.1f} s; some may be missing."
    ]


def signs_of_damage(replaced: BoolArray, damaged: BoolArray) -> list[str]:
    """What went wrong with the pictures of a sample.

    Args:
        replaced: bool ``(N,)``, whether another picture stands in for it.
        damaged: bool ``(N,)``, whether parts of the picture are guesses.
    """
    found = []
    if replaced.any():
        found.append(
            f"{_which_of(replaced)} could not be decoded; the nearest that could was "
            "taken instead."
        )
    damaged = damaged & ~replaced
    if damaged.any():
        verb = "is" if damaged.sum() == 1 else "are"
        found.append(f"{_which_of(damaged)} {verb} damaged.")
    return found


def _which_of(pictures: BoolArray) -> str:
    if len(pictures) == 1:
        return "The picture looked at"
    return f"{pictures.sum()} of the {len(pictures)} pictures looked at"


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
