"""What was forgotten is gone: answers, files, uploads, and what was kept of them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fake_chat import FakeChat
from handled_page import Page

from ui.disk import Disk
from ui.jobs import Job
from ui.keeping.folder import kept_folder
from ui.keeping.store import Store
from ui.root import private_root
from ui.session import Sessions
from ui.tab import Session


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Sessions]:
    """Sessions whose answers survive a restart."""
    with ExitStack() as stack:
        folder = stack.enter_context(kept_folder(tmp_path / "kept"))
        yield stack.enter_context(Sessions(folder.files, store=Store(folder)))


def asked(sessions: Sessions, key: str, owner: str | None = None) -> Session:
    """A tab with one answer about an upload of its own."""
    session = sessions.get(key, owner)
    session.is_page = True
    session.video = sessions.root / "0a1b" / f"{key}.mp4"
    session.video.parent.mkdir(exist_ok=True)
    session.video.write_bytes(b"x")
    run = session.new_run()
    (run.folder / "clip.mp4").write_bytes(b"x")
    session.keep(run)
    return session


def until_cancelled(job: Job[None]) -> None:
    while not job.cancelled():
        time.sleep(0.01)


def of(key: str, username: str | None = None) -> Any:
    return SimpleNamespace(session_hash=key, username=username, headers={})


def test_nothing_of_a_tab_is_left(sessions: Sessions) -> None:
    mine, other = asked(sessions, "a"), asked(sessions, "b")
    upload, also = mine.video, other.video
    assert upload is not None and also is not None
    disk = Disk(sessions, 10**9, usage=lambda: (10**12, 10**12))
    folder = mine.runs[0].folder
    sessions.forget(of("a"), [])
    assert not mine.runs and mine.run is None and not mine.asked
    assert not folder.exists() and other.runs
    disk.tidy()
    assert upload.exists()  # it is in the form
    mine.video = also
    disk.tidy()
    assert not upload.exists()
    sessions.forget(of("a"), [])
    mine.video = None
    disk.tidy()
    assert also.exists()  # another tab's form has it
    assert mine.new_run().key == "2"


def test_examples_stay(sessions: Sessions) -> None:
    session = asked(sessions, "a")
    example = session.video
    assert example is not None
    usage = (10**12, 10**12)
    disk = Disk(sessions, 10**9, examples=[example], usage=lambda: usage)
    sessions.forget(of("a"), [])
    session.video = None
    disk.tidy()
    assert example.exists()


def test_what_the_browser_left_elsewhere_goes_too(kept: Sessions) -> None:
    now, left, open_ = (asked(kept, key) for key in "abc")
    hers = asked(kept, "d", "eve")
    for key in "bd":
        kept.leave(key)
    secrets = [each.secret for each in (left, open_, hers)] + ["", "made up"]
    kept.forget(of("a"), secrets)
    assert not now.runs and not left.folder.exists()
    assert open_.runs and open_.folder.exists() and hers.folder.exists()
    assert not kept.claim("e", left.secret)
    assert kept.claim("e", hers.secret, "eve")


def test_it_survives_a_restart(tmp_path: Path) -> None:
    with kept_folder(tmp_path / "kept") as folder:
        with Sessions(folder.files, store=Store(folder)) as before:
            session, other = asked(before, "a"), asked(before, "b")
            for each in (session, other):
                each.save()
            before.forget(of("a"), [])
        assert [path.name for path in folder.state.iterdir()] == [other.folder.name]


def test_it_waits_for_what_is_running(tmp_path: Path) -> None:
    with Sessions(private_root(tmp_path)) as sessions:
        page = Page(FakeChat(), sessions)
        session = asked(sessions, "a")
        job: Job[None] = Job(until_cancelled)
        session.job = job
        job.start()
        forgetting = page.handlers.forgetting()
        update = forgetting.forget("[]", of("a"))
        assert "stop it first" in str(list(update.values())) and session.runs
        job.cancel()
        assert job.join(5)
        update = forgetting.forget("[]", of("a"))
        assert not session.runs
        assert "Forgotten" in update[forgetting.status]
