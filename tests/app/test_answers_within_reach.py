"""What takes no answer away: a lost session, a stop, a failure, an empty question."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from fake_chat import FakeChat
from handled_page import Page, ask, request

from ui.session import Sessions


@pytest.fixture
def page(sessions: Sessions) -> Page:
    return Page(FakeChat(), sessions)


def test_a_tab_that_lost_its_session_begins_another(page: Page, clip: Path) -> None:
    old = page.sessions.get("a")
    old.is_page = True
    page.sessions.leave("a")
    assert page.sessions.all() == {}
    begun = page.begin(page.upload(clip), "at 0 to 1")
    session = page.sessions.get("a")
    assert session is not old and session.is_page
    assert begun["tab"] == session.secret


def test_the_answer_before_one_that_failed_or_was_stopped_is_reached(
    page: Page, clip: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video, answering = page.upload(clip), page.handlers.answering()
    page.begin(video, "at 0 to 1")
    shown = page.run(ask(page, video, "at 0 to 1"), request())[-1]
    assert shown["runs"]["value"] == "1" and not shown["runs"]["visible"]
    page.begin(video, "boom")
    failed = page.run(ask(page, video, "boom"), request())[-1]
    page.begin(video, "at 1 to 2")
    stopped = asyncio.run(answering.stop(request()))
    for update in (failed, stopped):
        [(name, key)] = update["runs"]["choices"]
        assert "at 0 to 1" in name and key == "1"
        assert update["runs"]["visible"] and update["runs"]["value"] is None


@pytest.mark.parametrize("question", ["", "x" * 10_000])
def test_a_question_that_can_not_be_asked_hides_no_answer(
    page: Page, clip: Path, question: str
) -> None:
    video = page.upload(clip)
    page.run(ask(page, video, "at 0 to 1"), request())
    update = page.begin(video, question)
    assert set(update) == {"status"}
    assert page.sessions.get("a").run is not None
