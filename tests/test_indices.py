"""Which of a row of things to take."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stablechat.errors import InputError
from stablechat.indices import even_indices


@given(
    first=st.integers(0, 1000), count=st.integers(1, 5000), number=st.integers(2, 150)
)
def test_indices_are_upstreams(first: int, count: int, number: int) -> None:
    found = even_indices(first, first + count - 1, number).tolist()
    assert found == [
        first + round(i / (number - 1) * (count - 1)) for i in range(number)
    ]
    assert (found[0], found[-1]) == (first, first + count - 1)


def test_one_is_the_first() -> None:
    assert even_indices(3, 9, 1).tolist() == [3]


def test_none_is_no_number() -> None:
    with pytest.raises(InputError, match="at least 1, got 0"):
        even_indices(0, 9, 0)
