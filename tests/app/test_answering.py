"""What is told when several questions are stopped, without a browser."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from fake_chat import FakeChat
from handled_page import Page, ask, request

from ui.session import Sessions


@pytest.fixture
def page(sessions: Sessions) -> Page:
    return Page(FakeChat(), sessions)


def test_whoever_tells_of_a_stop_last_tells_what_was_kept(
    page: Page, clip: Path
) -> None:
    video = page.upload(clip)

    async def stop_in_the_second() -> list[dict[str, Any]]:
        answering = page.handlers.answering()
        asks = tuple(ask(page, video, each) for each in ("x", "slow one"))
        events = answering.run(asks, request())
        async for update in events:
            if "Question 2 of 2" in update["status"]:
                break
        stopped = await answering.stop(request())
        # The run may still get a word in, and Stop may be pressed twice.
        return [stopped, await anext(events), await answering.stop(request())]

    for update in asyncio.run(stop_in_the_second()):
        assert "1 of 2 questions were answered" in update["status"]
        assert update["run"]["interactive"]


def test_a_stop_before_the_first_question_tells_nothing_of_earlier_ones(
    page: Page, clip: Path
) -> None:
    video = page.upload(clip)
    page.run(ask(page, video, "x"), request())
    page.begin(video, "the star")
    for _ in range(2):
        update = asyncio.run(page.handlers.answering().stop(request()))
        assert "Nothing was kept" in update["status"]
