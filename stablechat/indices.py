"""Which of a row of things to take; needs no video library."""

from __future__ import annotations

import numpy as np

from stablechat.errors import InputError
from stablechat.types import IntArray


def even_indices(first: int, last: int, num_frames: int) -> IntArray:
    """Numbers spread evenly from ``first`` to ``last``.

    Args:
        first: First number.
        last: Last number, at least ``first``.
        num_frames: How many, at least 1.

    Returns:
        int64 ``(num_frames,)``, never decreasing.

    Raises:
        InputError: If ``num_frames`` is less than 1.
    """
    if num_frames < 1:
        raise InputError(f"num_frames must be at least 1, got {num_frames}.")
    if num_frames == 1:
        return np.array([first], np.int64)
    # Python's round (half to even) on Python floats, exactly as upstream trained.
    steps = [round(i / (num_frames - 1) * (last - first)) for i in range(num_frames)]
    return np.array(steps, np.int64) + first
