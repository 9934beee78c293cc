"""Tabs have folders of their own, and nothing stays behind."""

from __future__ import annotations

import asyncio
import os
import stat
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from ui.asks import Ask
from ui.jobs import Job
from ui.root import harden_environment, private_root
from ui.session import (
    GRACE_SECONDS,
    MAX_AGE_SECONDS,
    PROGRAM_SECONDS,
    SWEEP_SECONDS,
    Sessions,
)
from ui.tab import KEPT_PROGRAM_RUNS, KEPT_RUNS


def test_two_tabs_have_two_folders(sessions: Sessions) -> None:
    first, second = (sessions.get(tab).new_run().folder for tab in "ab")
    assert first.is_dir() and second.is_dir()
    assert first.parent != second.parent
    assert sessions.get("a") is sessions.get("a")


def test_the_browsers_key_never_becomes_a_path(sessions: Sessions) -> None:
    folder = sessions.get("../../etc/evil").new_run().folder
    assert folder.resolve().is_relative_to(sessions.root)
    assert "evil" not in str(folder)


def test_closing_a_tab_removes_its_files_and_stops_its_job(sessions: Sessions) -> None:
    session = sessions.get("a")
    kept = sessions.get("b").new_run().folder
    folder = session.new_run().folder
    (folder / "clip.mp4").write_bytes(b"x")
    job: Job[None] = Job(lambda job: _until_cancelled(job))
    session.job = job
    job.start()
    sessions.end("a")
    assert job.done
    assert not session.folder.exists()
    assert kept.exists()
    sessions.end("a")  # again is no error


def test_only_the_last_runs_are_kept(sessions: Sessions) -> None:
    for tab, is_page, kept in (
        ("a", True, KEPT_RUNS),
        ("b", False, KEPT_PROGRAM_RUNS),
    ):
        session = sessions.get(tab)
        session.is_page = is_page
        runs = [session.new_run() for _ in range(kept + 2)]
        for run in runs:
            session.keep(run)
        exist = [run.folder.exists() for run in runs]
        assert exist == [False] * 2 + [True] * kept
        assert session.runs == runs[2:]
        assert session.find(runs[-1].key) is runs[-1]
        assert session.find(runs[0].key) is session.find("../1") is None


def test_a_tab_left_alone_is_swept(tmp_path: Path) -> None:
    now = [0.0]
    with Sessions(private_root(tmp_path), clock=lambda: now[0]) as sessions:
        session = sessions.get("old")
        session.is_page, old = True, session.new_run().folder
        session.touched = 0.0
        now[0] = MAX_AGE_SECONDS - 1
        sessions.sweep()
        assert old.exists()
        young = sessions.get("young").new_run().folder
        now[0] = MAX_AGE_SECONDS + 100_000
        sessions.get("young")
        sessions.sweep()
        assert not old.exists()
        assert young.exists()


def test_sweeping_leaves_a_running_job_alone(tmp_path: Path) -> None:
    now = [0.0]
    with Sessions(private_root(tmp_path), clock=lambda: now[0]) as sessions:
        session = sessions.get("a")
        folder = session.new_run().folder
        session.job = Job(_until_cancelled)
        session.job.start()
        session.touched = 0.0
        now[0] = MAX_AGE_SECONDS * 2
        sessions.sweep()
        assert folder.exists()
        # Its answer has just come: there is time to look at it.
        session.job.cancel()
        assert session.job.join(5)
        now[0] += SWEEP_SECONDS
        sessions.sweep()
        assert folder.exists()


def test_a_program_that_can_not_say_that_it_leaves_is_swept_soon(
    tmp_path: Path,
) -> None:
    now = [0.0]
    with Sessions(private_root(tmp_path), clock=lambda: now[0]) as sessions:
        session = sessions.get("program")
        folder, session.touched = session.new_run().folder, 0.0
        now[0] = PROGRAM_SECONDS - 1
        sessions.sweep()
        assert folder.exists()
        with session.working_on(Ask(tmp_path / "a.mp4", "a cat", "ground")):
            now[0] += PROGRAM_SECONDS
            sessions.sweep()
        now[0] += SWEEP_SECONDS
        sessions.sweep()
        assert folder.exists()
        now[0] += PROGRAM_SECONDS
        sessions.sweep()
        assert not folder.exists() and not sessions.all()


def test_a_session_of_ones_own_is_claimed_whole(sessions: Sessions) -> None:
    session = sessions.get("a")
    session.is_page, run = True, session.new_run()
    session.keep(run)
    sessions.leave("a")
    assert sessions.claim("a", session.secret)
    assert run.folder.exists() and sessions.get("a") is session


def test_sweeping_removes_the_empty_folders_of_old_uploads(sessions: Sessions) -> None:
    empty, full, fresh = (sessions.root / name for name in ("empty", "full", "fresh"))
    for folder in (empty, full, fresh):
        folder.mkdir()
    (full / "kitchen.mp4").write_bytes(b"x")
    for folder in (empty, full):
        os.utime(folder, (time.time() - 7200,) * 2)
    sessions.sweep()
    assert [f.exists() for f in (empty, full, fresh)] == [False, True, True]


def test_the_root_is_private_and_goes_away(tmp_path: Path) -> None:
    root = private_root(tmp_path)
    if os.name != "nt":
        assert stat.S_IMODE(root.stat().st_mode) == 0o700
    with Sessions(root) as sessions:
        sessions.get("a").new_run()
    assert not root.exists()
    sessions.close()  # again is no error


@pytest.mark.skipif(os.name == "nt", reason="Windows keeps orphans")
def test_the_folders_of_dead_processes_are_removed(tmp_path: Path) -> None:
    dead = subprocess.Popen([sys.executable, "-c", "pass"])
    dead.wait()
    orphan = tmp_path / f"stablechat-{dead.pid}-abcdefgh"
    alive = tmp_path / f"stablechat-{os.getppid()}-abcdefgh"
    other = tmp_path / f"stablechat-{dead.pid}-notes.txt"
    for folder in (orphan, alive):
        folder.mkdir()
    other.write_text("keep")
    target = tmp_path / "precious"
    target.mkdir()
    link = tmp_path / f"stablechat-{dead.pid}-link"
    link.symlink_to(target)
    private_root(tmp_path)
    assert not orphan.exists()
    assert alive.exists() and other.exists() and target.exists() and link.is_symlink()


def test_uploads_are_told_from_results_and_strangers(
    sessions: Sessions, tmp_path: Path
) -> None:
    upload = sessions.root / "0a1b" / "kitchen.mp4"
    result = sessions.get("a").new_run().folder / "kitchen_clip.mp4"
    link = sessions.root / "0a1b" / "link.mp4"
    link.parent.mkdir()
    link.symlink_to("/etc/passwd")
    assert sessions.owns_upload(upload)
    assert not sessions.owns_upload(result)
    assert not sessions.owns_upload(Path("/etc/passwd"))
    assert not sessions.owns_upload(sessions.root / ".." / ".." / "x.mp4")
    assert not sessions.owns_upload(link)


def test_the_environment_can_not_widen_access(tmp_path: Path) -> None:
    environ = {"GRADIO_ALLOWED_PATHS": "/", "GRADIO_SHARE": "True", "HOME": "/root"}
    harden_environment(environ, tmp_path)
    assert environ == {
        "HOME": "/root",
        "GRADIO_ANALYTICS_ENABLED": "False",
        "GRADIO_TEMP_DIR": str(tmp_path),
    }


def _until_cancelled(job: Job[None]) -> None:
    while not job.cancelled():
        time.sleep(0.01)


@pytest.mark.parametrize("given", [{}, {"NO_PROXY": "intern.example"}])
def test_a_proxy_is_not_asked_for_our_own_page(
    tmp_path: Path, given: dict[str, str]
) -> None:
    environ = {**given, "HTTP_PROXY": "http://127.0.0.1:9"}
    harden_environment(environ, tmp_path)
    for name in ("NO_PROXY", "no_proxy"):
        hosts = environ[name].split(",")
        assert {"127.0.0.1", "localhost", "::1"} <= set(hosts)
    assert set(given.values()) <= set(environ["NO_PROXY"].split(","))


def test_a_clip_cut_again_has_a_folder_of_its_own_and_old_ones_go(
    sessions: Sessions,
) -> None:
    run = sessions.get("a").new_run()
    (run.folder / "clip.mp4").touch()
    made = [run.new_revision() for _ in range(4)]
    assert len(set(made)) == 4 and all(each.parent == run.folder for each in made)
    # The last one is still looked at until the new one is there.
    assert [folder.exists() for folder in made] == [False, False, True, True]
    assert (run.folder / "clip.mp4").exists()
    assert run.revision == made[-1]


class Visit:
    """A page that is loaded, and what its tab keeps."""

    def __init__(self, sessions: Sessions, key: str, owner: str | None = None) -> None:
        self.key, self.owner = key, owner
        self.session = sessions.get(key, owner)
        self.session.is_page = True
        self.run = self.session.new_run()
        self.session.keep(self.run)

    @property
    def secret(self) -> str:
        return self.session.secret


def test_a_tab_that_is_loaded_again_gets_its_answers_back(sessions: Sessions) -> None:
    visit = Visit(sessions, "before")
    sessions.leave("before")
    assert sessions.claim("after", visit.secret)
    assert sessions.get("after") is visit.session
    assert visit.run.folder.is_dir()
    assert sessions.get("before") is not visit.session
    # And again.
    sessions.leave("after")
    assert sessions.claim("later", visit.secret)
    assert sessions.get("later") is visit.session


def test_leaving_ends_the_run_at_once(sessions: Sessions) -> None:
    visit = Visit(sessions, "a")
    visit.session.job = Job(_until_cancelled)
    visit.session.job.start()
    sessions.leave("a")
    assert visit.session.job.join(2)
    assert visit.run.folder.is_dir()


def test_after_the_grace_the_files_of_a_closed_tab_are_gone(tmp_path: Path) -> None:
    now = [0.0]
    with Sessions(private_root(tmp_path), clock=lambda: now[0]) as sessions:
        gone, there = Visit(sessions, "gone"), Visit(sessions, "there")
        sessions.leave("gone")
        now[0] = GRACE_SECONDS - 0.1
        sessions.end_left()
        assert gone.run.folder.exists()
        now[0] = GRACE_SECONDS
        sessions.end_left()
        assert not gone.session.folder.exists()
        assert not sessions.claim("again", gone.secret)
        assert there.run.folder.exists()


def test_a_connection_that_was_lost_for_a_moment_loses_nothing(tmp_path: Path) -> None:
    now = [0.0]
    with Sessions(private_root(tmp_path), clock=lambda: now[0]) as sessions:
        visit = Visit(sessions, "a")
        sessions.leave("a")
        assert sessions.get("a") is visit.session
        now[0] = GRACE_SECONDS * 2
        sessions.end_left()
        assert visit.run.folder.exists()


def test_a_session_can_not_be_claimed_while_its_tab_is_there(
    sessions: Sessions,
) -> None:
    visit = Visit(sessions, "a")
    # A duplicated tab has a copy of what the first one keeps.
    assert not sessions.claim("b", visit.secret)
    assert sessions.get("a") is visit.session
    assert sessions.get("b") is not visit.session
    assert sessions.get("b").secret != visit.secret


@pytest.mark.parametrize(
    "secret", ["", "a", "before", "../../etc", "x" * 10_000_000, "\ud800", "秘密"]
)
def test_without_the_secret_nobody_gets_anything(
    sessions: Sessions, secret: str
) -> None:
    visit = Visit(sessions, "before")
    sessions.leave("before")
    assert not sessions.claim("after", secret)
    assert not sessions.claim("after", visit.secret[:-1])
    assert not sessions.claim("after", visit.session.folder.name)
    assert sessions.get("after") is not visit.session


def test_another_person_gets_nothing_even_with_the_secret(sessions: Sessions) -> None:
    visit = Visit(sessions, "before", "ann")
    sessions.leave("before")
    assert not sessions.claim("after", visit.secret, "bob")
    assert not sessions.claim("after", visit.secret, None)
    assert sessions.claim("after", visit.secret, "ann")


def test_a_program_never_comes_back(sessions: Sessions) -> None:
    visit = Visit(sessions, "a")
    visit.session.is_page = False
    sessions.leave("a")
    assert not visit.session.folder.exists()


def test_what_a_tab_had_before_it_claims_goes(sessions: Sessions) -> None:
    visit, fresh = Visit(sessions, "before"), Visit(sessions, "after")
    sessions.leave("before")
    assert sessions.claim("after", visit.secret)
    assert not fresh.session.folder.exists()


def test_a_reload_that_is_quicker_than_the_server_waits_for_it(
    sessions: Sessions,
) -> None:
    visit = Visit(sessions, "before")
    request: Any = SimpleNamespace(session_hash="after")

    async def story() -> tuple[bool, bool]:
        soon = asyncio.create_task(sessions.claim_soon(request, visit.secret))
        await asyncio.sleep(0.2)
        sessions.leave("before")
        started = time.monotonic()
        stranger = await sessions.claim_soon(request, "a guess")
        assert time.monotonic() - started < 1  # Nothing to wait for.
        return await soon, stranger

    assert asyncio.run(story()) == (True, False)
