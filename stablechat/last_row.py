"""Ending a grounding answer once it is complete.

An answer names its span first and then writes a box for each frame of it. Once the box
of the span's last frame is there, nothing that follows can matter, but a model may run
on to the end of the video: neighbouring time tokens look alike to it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from stablechat.types import NUM_BINS, Task

#: Times that an answer names before its boxes, by task; SVG's question names them.
TIMES_BEFORE_ROWS: Mapping[Task, int] = {"stvg": 2, "elc": 1, "svg": 0}

_NUMBERS_IN_A_BOX = 4


@dataclass(frozen=True)
class LastRow:
    """Knows when the row of the span's last frame is written.

    Attributes:
        first_time_token: Id of ``<TEMP-000>``; the tables of heights and widths follow.
        times_before_rows: Time tokens an answer starts with: 2 where it names its span,
            1 where it names its end, 0 where the question did.
        end_bin: The end where the question named it.
    """

    first_time_token: int
    times_before_rows: int
    end_bin: int | None = None

    def is_written(self, tokens: Sequence[int]) -> bool:
        """Whether the last token closed the row of the span's last frame.

        Args:
            tokens: The answer so far.
        """
        if len(tokens) < _NUMBERS_IN_A_BOX + 2 or self._is_coordinate(tokens[-1]):
            return False
        box = tokens[-1 - _NUMBERS_IN_A_BOX : -1]
        if not all(self._is_place(token) for token in box):
            return False
        row_time = self._last_time(tokens[: -1 - _NUMBERS_IN_A_BOX])
        end = self.end(tokens)
        return row_time is not None and end is not None and row_time >= end

    def end(self, tokens: Sequence[int]) -> int | None:
        """Bin of the span's last frame, None while it is not known.

        Args:
            tokens: The answer so far.
        """
        if self.end_bin is not None:
            return self.end_bin
        named = self.times_before_rows
        times = (t - self.first_time_token for t in tokens if self._is_time(t))
        first = list(islice(times, named + 1))
        # A row must follow the span; reversed spans are read the right way round.
        return max(first[:named]) if len(first) > named > 0 else None

    def _last_time(self, tokens: Sequence[int]) -> int | None:
        """Time of the row at the end of ``tokens``; None where it has no time."""
        for token in reversed(tokens):
            if self._is_coordinate(token):
                is_time = self._is_time(token)
                return token - self.first_time_token if is_time else None
        return None

    def _is_coordinate(self, token: int) -> bool:
        return token >= self.first_time_token

    def _is_time(self, token: int) -> bool:
        return 0 <= token - self.first_time_token < NUM_BINS

    def _is_place(self, token: int) -> bool:
        return token >= self.first_time_token + NUM_BINS
