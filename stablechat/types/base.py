"""Names, limits and checks that all types share."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Literal

import numpy as np
import numpy.typing as npt

from stablechat.errors import InputError

FloatArray = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
FrameArray = npt.NDArray[np.uint8]

#: Values one coordinate takes; bin ``k`` means the unit value ``k / (NUM_BINS - 1)``.
NUM_BINS = 100
#: Bins on either side of a written one whose probabilities are kept.
NEIGHBOUR_REACH = 3

Task = Literal["stvg", "svg", "elc", "tvg", "rec", "describe"]
FinishReason = Literal["stop", "length", "cancelled"]

BoxBins = tuple[int, int, int, int]
SpanBins = tuple[int, int]


def require(condition: bool, message: str) -> None:
    """Refuse what a type must not hold.

    Raises:
        InputError: The condition does not hold.
    """
    if not condition:
        raise InputError(message)


def require_number(value: object, name: str, kind: type = Real) -> None:
    """Refuse what is no number, or no whole one."""
    what = "a whole number" if kind is Integral else "a number"
    require(isinstance(value, kind), f"{name} must be {what}, got {value!r}.")


def as_floats(values: object, name: str) -> FloatArray:
    """Numbers from whatever holds them.

    Raises:
        InputError: It holds something else.
    """
    try:
        return np.asarray(values, dtype=np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"{name} must be an array of numbers: {error}.") from error
