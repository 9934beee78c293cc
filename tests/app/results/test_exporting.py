"""Opening the list of files without a browser."""

from __future__ import annotations

import asyncio
import shutil
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fake_chat import FakeChat

from ui.asks import Ask
from ui.jobs import Job
from ui.outcomes import Outcome
from ui.pipeline import Pipeline
from ui.results.exporting import Exporting
from ui.runs import Run
from ui.session import Sessions
from ui.tab import Session

REQUEST: Any = SimpleNamespace(session_hash="a", headers={"accept-language": "en"})


@pytest.fixture
def exporting(sessions: Sessions) -> Exporting:
    files: Any = "files"
    return Exporting(sessions, files, lambda running: {"run": not running})


@pytest.fixture
def session(sessions: Sessions, clip: Path) -> Session:
    """A tab whose question was answered."""
    tab = sessions.get("a")
    video = Path(shutil.copy(clip, sessions.root))
    run, ask = tab.new_run(), Ask(video, "star", "ground")
    job: Job[Outcome] = Job(lambda job: Pipeline(FakeChat()).run(ask, run.folder, job))
    job.start()
    job.join(60)
    run.result = job.result()
    tab.run = run
    return tab


def run_of(session: Session) -> Run:
    assert session.run is not None
    return session.run


def opened(exporting: Exporting) -> list[Any]:
    async def collect() -> list[Any]:
        return [update async for update in exporting.opened(REQUEST)]

    return asyncio.run(collect())


def test_files_are_written_once(exporting: Exporting, session: Session) -> None:
    first, *_, last = opened(exporting)
    assert not first["run"] and "Writing" in first["files"]
    assert last["run"] and "kitchen_results.zip" in last["files"]
    archive = run_of(session).revision / "files" / "kitchen_results.zip"
    written = archive.stat().st_mtime_ns
    assert opened(exporting) == [{"files": last["files"]}]
    assert archive.stat().st_mtime_ns == written


def test_an_error_is_said_and_it_can_be_tried_again(
    exporting: Exporting, session: Session
) -> None:
    outcome = run_of(session).result
    assert isinstance(outcome, Outcome)
    path = outcome.answer.video.path
    away = path.rename(path.with_suffix(".away"))
    last = opened(exporting)[-1]
    assert 'role="alert"' in last["files"] and last["run"]
    assert run_of(session).files is None
    away.rename(path)
    assert "kitchen_results.zip" in opened(exporting)[-1]["files"]


def test_without_an_answer_there_is_nothing_to_list(
    exporting: Exporting, sessions: Sessions
) -> None:
    sessions.get("a").run = sessions.get("a").new_run()
    assert opened(exporting) == []


def test_a_page_that_goes_away_ends_the_writing(
    exporting: Exporting, session: Session
) -> None:
    async def leave() -> None:
        events = exporting.opened(REQUEST)
        await anext(events)
        await events.aclose()  # type: ignore[attr-defined]

    asyncio.run(leave())
    assert session.job is not None and session.job.done
    assert run_of(session).files is None
