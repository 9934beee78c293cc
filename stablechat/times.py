"""Times as people write them, ``h:mm:ss.mmm``: shown and taken here only."""

from __future__ import annotations

import re

from stablechat.errors import InputError

# Hours and minutes may be left out; a comma is a decimal point in many countries.
_TIME = re.compile(
    r"(?:(?:(?P<h>[0-9]{1,4}):)?(?P<m>[0-9]{1,4}):)?(?P<s>[0-9]{1,7}(?:[.,][0-9]{1,9})?)"
)


def format_time(seconds: float, *, hours: bool = False) -> str:
    """Write a time to the millisecond.

    Args:
        seconds: 0 or more.
        hours: Always show the hours.

    Returns:
        ``"0:02.133"``, or ``"0:00:02.133"`` with hours.
    """
    # Rounded once, as a whole: 59.9996 is 1:00.000 and not 0:60.000.
    milliseconds = round(max(seconds, 0.0) * 1000)
    whole, thousandths = divmod(milliseconds, 1000)
    minutes, second = divmod(whole, 60)
    hour, minute = divmod(minutes, 60)
    if hours or hour:
        return f"{hour}:{minute:02d}:{second:02d}.{thousandths:03d}"
    return f"{minute}:{second:02d}.{thousandths:03d}"


def parse_time(text: str) -> float:
    """Read a time: ``"1:02:03.5"``, ``"2:03,5"``, ``"123.5"``.

    Args:
        text: What was typed.

    Returns:
        Seconds, 0 or more.

    Raises:
        InputError: It is no time, or has 60 or more of a smaller unit.
    """
    found = _TIME.fullmatch(text.strip())
    if found is not None:
        hours, minutes = found["h"], found["m"]
        seconds = float(found["s"].replace(",", "."))
        fits = (minutes is None or seconds < 60) and (
            hours is None or int(minutes) < 60
        )
        if fits:
            return int(hours or 0) * 3600 + int(minutes or 0) * 60 + seconds
    raise InputError(
        "{typed!r} is not a time; write it as 0:01:23.500, or in seconds.",
        typed=text.strip()[:40],
    )
