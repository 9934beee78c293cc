"""Ending politely."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from serving.drain import Drain, DrainingError


def test_what_runs_is_waited_for(tmp_path: Path) -> None:
    here, there = Drain(tmp_path), Drain(tmp_path)
    done: list[bool] = []
    with here.running("a"):
        waiting = threading.Thread(target=lambda: done.append(there.finish(10)))
        waiting.start()
        waiting.join(0.3)
        assert waiting.is_alive() and here.is_draining
        with pytest.raises(DrainingError, match="being stopped"), here.running("b"):
            pytest.fail("it began")
    waiting.join(10)
    assert done == [True]


def test_what_belongs_to_it_may_begin(tmp_path: Path) -> None:
    drain = Drain(tmp_path)
    with drain.running("a"):
        assert not drain.finish(0)
        with drain.running("a", is_part=True):
            pass
    assert drain.finish(0)


def test_no_longer_than_it_may_be(tmp_path: Path) -> None:
    drain = Drain(tmp_path)
    with drain.running("a"):
        assert not drain.finish(0.2)
    assert drain.finish(0)
