"""Which questions are answered together, and what becomes of each."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Sequence

import pytest
from serving_fakes import request_about

from serving.answering import all_cancelled
from serving.batcher import Batcher, Waiting
from serving.messages import Event, Failed
from stablechat.errors import InputError


def wait_for(gate: threading.Event) -> None:
    assert gate.wait(10)


class Scribe:
    """Notes the batches, and waits for a gate before each."""

    def __init__(self) -> None:
        self.batches: list[list[str]] = []
        self.gate = threading.Event()

    def __call__(self, batch: Sequence[Waiting]) -> list[Event]:
        """Say each question."""
        self.batches.append([each.request.query for each in batch])
        wait_for(self.gate)
        return [Failed(InputError(each.request.query)) for each in batch]


def ask(batcher: Batcher, query: str, **changes: object) -> Waiting:
    waiting = Waiting(request_about(query=query, **changes))
    batcher.put(waiting)
    return waiting


def said(waiting: Waiting) -> str:
    event = waiting.ended.result()
    assert isinstance(event, Failed)
    return str(event.error)


def test_what_waits_meanwhile_is_answered_together() -> None:
    async def run() -> list[list[str]]:
        scribe = Scribe()
        batcher = Batcher(scribe, max_batch=3)
        asked = [ask(batcher, "a")]
        await asyncio.sleep(0.05)
        assert batcher.busy_seconds > 0
        asked += [ask(batcher, query) for query in "bcde"]
        scribe.gate.set()
        await asyncio.wait([each.ended for each in asked])
        assert [said(each) for each in asked] == list("abcde")
        await asyncio.sleep(0)
        assert batcher.busy_seconds == 0
        return scribe.batches

    assert asyncio.run(run()) == [["a"], ["b", "c", "d"], ["e"]]


@pytest.mark.parametrize(
    "alone", [{"kind": "describe"}, {"task": "rec"}, {"candidates": 2}]
)
def test_some_questions_are_answered_alone(alone: dict[str, object]) -> None:
    async def run() -> list[list[str]]:
        scribe = Scribe()
        scribe.gate.set()
        batcher = Batcher(scribe, max_batch=8)
        asked = [ask(batcher, "a"), ask(batcher, "b", **alone), ask(batcher, "c")]
        await asyncio.wait([each.ended for each in asked])
        return scribe.batches

    assert asyncio.run(run()) == [["a", "c"], ["b"]]


def test_a_bug_is_told_to_all_and_ends_nothing() -> None:
    def fail(batch: Sequence[Waiting]) -> list[Event]:
        if batch[0].request.query == "a":
            raise RuntimeError("a bug")
        return [Failed(InputError("fine"))]

    async def run() -> None:
        batcher = Batcher(fail, max_batch=8)
        first, second = ask(batcher, "a"), ask(batcher, "b")
        await asyncio.wait([first.ended, second.ended])
        for each in (first, second):
            assert isinstance(each.ended.exception(), RuntimeError)
        third = ask(batcher, "c")
        await third.ended
        assert said(third) == "fine"

    asyncio.run(run())


def test_a_batch_goes_on_while_one_of_it_is_wanted() -> None:
    async def run() -> None:
        asked = [Waiting(request_about()) for _ in range(2)]
        cancelled = all_cancelled(asked)
        assert not cancelled()
        asked[0].stop()
        assert asked[0].cancelled() and not cancelled()
        asked[1].stop()
        assert cancelled()

    asyncio.run(run())


def test_a_question_whose_time_is_over_is_not_wanted() -> None:
    async def run() -> bool:
        return Waiting(request_about(deadline=time.time() - 1)).cancelled()

    assert asyncio.run(run())
