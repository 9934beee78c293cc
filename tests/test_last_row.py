"""When a grounding answer is complete."""

from __future__ import annotations

import pytest

from stablechat.last_row import LastRow

FIRST = 1000  # id of <TEMP-000>; heights from 1100, widths from 1200
OPEN, NEXT, WORD = 5, 6, 7


def time(value: int) -> int:
    return FIRST + value


def row(value: int) -> list[int]:
    width, height = FIRST + 250, FIRST + 150
    return [time(value), OPEN, width, height, width, height, NEXT]


STVG = LastRow(FIRST, times_before_rows=2)
ELC = LastRow(FIRST, times_before_rows=1)
SVG = LastRow(FIRST, times_before_rows=0, end_bin=11)
SPAN = [WORD, time(10), time(11), WORD]


@pytest.mark.parametrize(
    ("rule", "tokens", "expected"),
    [
        (STVG, [], False),  # nothing yet
        (STVG, SPAN, False),  # a span is no row
        (STVG, [*SPAN, *row(10)], False),  # first of two rows
        (STVG, [*SPAN, *row(10), *row(11)], True),  # both rows
        (STVG, [*SPAN, *row(10), *row(11)[:-1]], False),  # not closed yet
        (STVG, [*SPAN, *row(10), *row(12)], True),  # jumped over the end
        (STVG, [WORD, time(11), time(10), *row(10), *row(11)], True),  # reversed
        (STVG, [WORD, time(11), time(10), *row(10)], False),  # reversed, first row
        (STVG, [*SPAN, *row(11)[:4], NEXT], False),  # half a box
        (STVG, [WORD, *row(10)[2:]], False),  # a box without a time
        (ELC, [WORD, time(11), WORD, *row(11)], True),  # end, caption, one row
        (ELC, [WORD, time(11), WORD, *row(10)], False),  # row before the end
        (SVG, row(10), False),  # the question named 11
        (SVG, [*row(10), *row(11)], True),
    ],
)
def test_complete_when_the_row_of_the_last_frame_is_closed(
    rule: LastRow, tokens: list[int], expected: bool
) -> None:
    assert rule.is_written(tokens) is expected


def test_an_answer_is_complete_once_and_only_at_its_end() -> None:
    tokens = [WORD, time(3), time(40), WORD]
    for value in range(3, 60):
        tokens += row(value)
    complete = [n for n in range(len(tokens) + 1) if STVG.is_written(tokens[:n])]
    assert complete[0] == 4 + (40 - 3 + 1) * len(row(0))
