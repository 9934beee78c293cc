"""Decoding goes on in another thread while a picture is converted, drawn on or sent."""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

#: Pictures made ahead of the one that is used.
PICTURES_AHEAD = 3

Item = TypeVar("Item")


def read_ahead(items: Iterator[Item]) -> Generator[Item, None, None]:
    """The same items, the next ones made by another thread while one is used.

    Args:
        items: Advanced by one thread only; what it raises comes out of the generator
            in its place.

    Yields:
        The items. Once the generator is closed, the thread has ended.
    """
    waiting: deque[Future[list[Item]]] = deque()

    def following() -> list[Item]:
        for item in items:
            return [item]
        return []

    with ThreadPoolExecutor(1, thread_name_prefix="pictures") as reader:
        try:
            for _ in range(PICTURES_AHEAD):
                waiting.append(reader.submit(following))
            while found := waiting.popleft().result():
                waiting.append(reader.submit(following))
                yield found[0]
        finally:
            for future in waiting:
                future.cancel()
