"""Where a box will be in the next frame, judged by the rows before it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from stablechat.types import NUM_BINS

#: Rows over which the velocity is taken.
_VELOCITY_ROWS = 6
#: Share of the old value in the running mean of the error.
_ERROR_DECAY = 0.7
#: Bins that a guess is off by, before anything is known.
_FIRST_ERROR = 0.35
#: No coordinate is believed to be steadier than this, in bins.
_SMALLEST_ERROR = 0.08
#: Share of a surprise at a box's left or top edge that its right or bottom one shares.
_SHARED_SURPRISE = 0.9
#: Guesses for one coordinate.
_NUM_GUESSES = 4
#: Probability that one of them is right.
_CERTAINTY = 0.97

Floats = tuple[float, ...]


class Motion:
    """A box's path so far.

    A guess is linear in time; how sure it is follows from how good guesses were.
    Coordinates are in bins, in the order in which a row writes them.
    """

    def __init__(self) -> None:
        self._rows: list[Floats] = []
        self._errors: list[float] = []

    @property
    def latest(self) -> Floats | None:
        """The last row's box."""
        return self._rows[-1] if self._rows else None

    def add(self, box: Floats) -> None:
        """Take one row's box into account."""
        if not self._errors:
            self._errors = [_FIRST_ERROR] * len(box)
        if self._rows and len(box) == len(self._rows[-1]):
            for place, value in enumerate(box):
                error = abs(value - self._rows[-1][place] - self._velocity(place))
                old = self._errors[place]
                self._errors[place] = _ERROR_DECAY * old + (1 - _ERROR_DECAY) * error
        self._rows.append(box)

    def expected(self, before: Floats, surprises: Floats) -> float:
        """The next coordinate of a row.

        Args:
            before: The box of the row before.
            surprises: What the row's coordinates so far were off by.

        Returns:
            A position in bins.
        """
        place = len(surprises)
        shared = surprises[place - 2] if place >= 2 else 0.0
        return before[place] + self._velocity(place) + _SHARED_SURPRISE * shared

    def guesses(self, expected: float, place: int) -> list[tuple[int, float]]:
        """Bins around an expected position, the likeliest first.

        Args:
            expected: Position in bins.
            place: Which coordinate of the row.

        Returns:
            Bins and their probabilities.
        """
        scale = max(self._errors[place], _SMALLEST_ERROR)
        nearest = round(expected)
        bins = [
            b for b in range(nearest - 3, nearest + 4) if 0 <= b < NUM_BINS
        ]  # Laplace: mostly near, sometimes far
        weights = [math.exp(-abs(b - expected) / scale) for b in bins]
        total = sum(weights)
        if not total:
            return []
        likely = sorted(zip(weights, bins, strict=True), reverse=True)[:_NUM_GUESSES]
        return [(b, _CERTAINTY * weight / total) for weight, b in likely]

    def _velocity(self, place: int) -> float:
        steps = min(_VELOCITY_ROWS, len(self._rows) - 1)
        if steps < 1:
            return 0.0
        return (self._rows[-1][place] - self._rows[-1 - steps][place]) / steps


def surprise(value: int, expected: float) -> float:
    """How far a bin is beyond the one that an expected position rounds to."""
    off = value - expected
    return math.copysign(max(abs(off) - 0.5, 0.0), off)


def near(value: int, expected: float) -> float:
    """The position inside a bin that is nearest to the expected one."""
    return min(max(expected, value - 0.5), value + 0.5)


def as_floats(values: Sequence[int]) -> Floats:
    """Bins as positions."""
    return tuple(float(value) for value in values)
