"""Times, written and read."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stablechat.errors import InputError
from stablechat.times import format_time, parse_time


@pytest.mark.parametrize(
    ("seconds", "short", "long"),
    [
        (0.0, "0:00.000", "0:00:00.000"),
        (2.133, "0:02.133", "0:00:02.133"),
        (59.9994, "0:59.999", "0:00:59.999"),
        (59.9996, "1:00.000", "0:01:00.000"),  # rounds as a whole
        (61.5, "1:01.500", "0:01:01.500"),
        (3599.9999, "1:00:00.000", "1:00:00.000"),  # into the next hour
        (3723.0014, "1:02:03.001", "1:02:03.001"),
        (36000.25, "10:00:00.250", "10:00:00.250"),
        (-0.0001, "0:00.000", "0:00:00.000"),  # never a minus sign
    ],
)
def test_times_are_written_to_the_millisecond(
    seconds: float, short: str, long: str
) -> None:
    assert format_time(seconds) == short
    assert format_time(seconds, hours=True) == long


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("0", 0.0),
        ("90", 90.0),
        (" 1.5 ", 1.5),
        ("1,5", 1.5),
        ("2:03.5", 123.5),
        ("90:00", 5400.0),  # minutes alone may be many
        ("1:02:03.004", 3723.004),
    ],
)
def test_times_are_read_as_people_write_them(text: str, seconds: float) -> None:
    assert parse_time(text) == pytest.approx(seconds)


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", ":", "1:", ":1", "1::2", "-1", "+1", "1.", ".5", "1e3"),
        *("nan", "inf", "1:60", "1:60:00", "1:2:3:4", "1 2", "1:-2", "0x10", "٣"),
    ],
)
def test_what_is_no_time_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="is not a time"):
        parse_time(text)


@given(st.floats(0, 3.5e7), st.booleans())
def test_what_is_written_is_read_back(seconds: float, hours: bool) -> None:
    read = parse_time(format_time(seconds, hours=hours))
    assert read == pytest.approx(seconds, abs=0.00051)
    assert format_time(read, hours=hours) == format_time(seconds, hours=hours)


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        assert parse_time(text) >= 0
    except InputError:
        pass
