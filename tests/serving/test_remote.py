"""Asking the deployments: what is tried again, and what is said."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import AsyncIterator
from importlib.util import find_spec
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from serving_fakes import FakeCall, answer_of, request_about

from serving.drain import Drain

pytestmark = pytest.mark.skipif(
    find_spec("ray") is None, reason="needs requirements-ray.txt"
)


class Measures:
    """Counts."""

    def __init__(self) -> None:
        self.outcomes: list[str] = []
        self.retries = 0

    def ended(self, kind: str, outcome: str, seconds: float) -> None:
        """A question ended."""
        self.outcomes.append(outcome)

    def retried(self) -> None:
        """A replica was lost."""
        self.retries += 1


class Asking:
    """Asks calls that were prepared, one after the other.

    Args:
        folder: Of the server.
        calls: Or exceptions, raised when the question is put.
    """

    def __init__(self, folder: Path, *calls: Any) -> None:
        from serving.drain import Drain
        from serving.remote import Models

        self.measures: Any = Measures()
        self._calls = iter(calls)
        self._folder = folder
        self.models = Models(self._put, Drain(folder), self.measures)

    def _put(self, request: Any) -> Any:
        call = next(self._calls)
        if isinstance(call, Exception):
            raise call
        return call

    def __call__(self, **request: Any) -> Any:
        """Ask."""
        try:
            return asyncio.run(self.models.ask(request_about(**request)))
        finally:
            assert os.listdir(self._folder / "running") == []


def lost() -> Exception:
    from ray.exceptions import ActorDiedError

    return ActorDiedError()


@pytest.fixture
def answered(tmp_path: Path) -> Any:
    import golden_files

    from serving.messages import Answered

    clip = golden_files.write_clip(tmp_path / "square.mp4")
    return Answered(answer_of(clip, "it"), "there")


def test_an_answer(tmp_path: Path, answered: Any) -> None:
    from serving.messages import Told

    call = FakeCall(Told("read", 1.0), answered)
    asking = Asking(tmp_path, call)
    assert asking() is answered
    assert asking.measures.outcomes == ["answered"] and not call.is_cancelled


def test_a_lost_replica_is_no_lost_question(tmp_path: Path, answered: Any) -> None:
    from serving.messages import Told

    asking = Asking(tmp_path, FakeCall(Told("read", 1.0), lost()), FakeCall(answered))
    assert asking() is answered
    assert asking.measures.retries == 1
    assert asking.measures.outcomes == ["answered"]


def test_a_question_that_ends_every_process_does_not_go_round(tmp_path: Path) -> None:
    from stablechat.errors import EngineError

    asking = Asking(tmp_path, FakeCall(lost()), FakeCall(lost()))
    with pytest.raises(EngineError, match="the next one did, too"):
        asking()
    assert asking.measures.retries == 1 and asking.measures.outcomes == ["failed"]


def test_what_a_question_does_by_itself_is_not_tried_again(tmp_path: Path) -> None:
    from serving.messages import Failed
    from stablechat.errors import VideoError

    asking = Asking(tmp_path, FakeCall(Failed(VideoError("Damaged."))))
    with pytest.raises(VideoError, match="Damaged"):
        asking()
    assert asking.measures.outcomes == ["input"]


def test_a_bug_is_not_tried_again(tmp_path: Path) -> None:
    asking = Asking(tmp_path, FakeCall(RuntimeError("a bug")))
    with pytest.raises(RuntimeError):
        asking()
    assert asking.measures.outcomes == ["bug"]


@pytest.mark.parametrize("is_late", [False, True])
def test_too_many(tmp_path: Path, is_late: bool) -> None:
    from ray.serve.exceptions import BackPressureError

    from ui.lane import BusyError

    full = BackPressureError(3, 3)
    asking = Asking(tmp_path, FakeCall(full) if is_late else full)
    with pytest.raises(BusyError, match="Too many"):
        asking()
    assert asking.measures.outcomes == ["refused"]


class Endless:
    """A call that gives nothing."""

    is_cancelled = False

    async def __aiter__(self) -> AsyncIterator[Any]:
        await asyncio.sleep(60)
        yield None

    def cancel(self) -> None:
        """End it."""
        self.is_cancelled = True


def test_the_time_is_kept_where_the_replica_does_not(tmp_path: Path) -> None:
    from serving.messages import DeadlineError

    call = Endless()
    asking = Asking(tmp_path, call)
    with pytest.raises(DeadlineError, match="in the time"):
        asking(deadline=time.time() + 0.1)
    assert call.is_cancelled and asking.measures.outcomes == ["late"]


def test_whoever_goes_takes_the_question_along(tmp_path: Path) -> None:
    call = Endless()
    asking = Asking(tmp_path, call)

    async def run() -> None:
        task = asyncio.create_task(asking.models.ask(request_about()))
        await asyncio.sleep(0.1)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(run())
    assert call.is_cancelled and asking.measures.outcomes == ["cancelled"]


def test_nothing_begins_on_a_server_that_ends(tmp_path: Path, answered: Any) -> None:
    from serving.drain import Drain, DrainingError

    asking = Asking(tmp_path, FakeCall(answered))
    Drain(tmp_path).finish(0)
    with pytest.raises(DrainingError):
        asking()
    assert asking.measures.outcomes == ["refused"]


def test_a_clip_is_cut_while_the_server_ends(tmp_path: Path) -> None:
    from serving.remote import Renderers

    async def made(order: object) -> str:
        return "clip"

    handle = SimpleNamespace(draw=SimpleNamespace(remote=made))
    drain = Drain(tmp_path)
    order = SimpleNamespace(deadline=time.time() + 60)
    with drain.running("r"):
        assert not drain.finish(0)
        drawn = Renderers(handle, drain).draw(order, "r")  # type: ignore[arg-type]
        assert asyncio.run(drawn) == "clip"
