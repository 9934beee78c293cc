"""What another thread reads ahead comes in order, and the thread ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import closing

import pytest

from stablechat.video.ahead import PICTURES_AHEAD, read_ahead


def counted(made: list[int], total: int, fails_at: int = -1) -> Iterator[int]:
    for k in range(total):
        if k == fails_at:
            raise ValueError(f"{k} can't be made")
        made.append(k)
        yield k


def reading() -> list[str]:
    return [t.name for t in threading.enumerate() if t.name.startswith("pictures")]


@pytest.mark.parametrize("total", [0, 1, 2, 3, 4, 50])
def test_everything_comes_in_order(total: int) -> None:
    made: list[int] = []
    assert list(read_ahead(counted(made, total))) == [*range(total)]
    assert made == [*range(total)] and reading() == []


def test_none_is_an_item_too() -> None:
    assert list(read_ahead(iter([None, 0, None]))) == [None, 0, None]


def test_it_reads_ahead_and_not_further() -> None:
    made: list[int] = []
    with closing(read_ahead(counted(made, 50))) as items:
        assert next(items) == 0
        deadline = time.monotonic() + 10
        while len(made) <= PICTURES_AHEAD and time.monotonic() < deadline:
            time.sleep(0.001)
        time.sleep(0.05)
        assert made == [*range(PICTURES_AHEAD + 1)]
        assert reading() != []
    assert reading() == []


def test_an_error_comes_in_its_place() -> None:
    found = []
    with pytest.raises(ValueError, match="5 can't be made"):
        for item in read_ahead(counted([], 50, fails_at=5)):
            found.append(item)
    assert found == [0, 1, 2, 3, 4] and reading() == []


def test_an_error_of_the_user_ends_the_thread() -> None:
    made: list[int] = []
    with (
        pytest.raises(ZeroDivisionError),
        closing(read_ahead(counted(made, 50))) as items,
    ):
        next(items)
        raise ZeroDivisionError
    assert reading() == [] and len(made) <= PICTURES_AHEAD + 1
