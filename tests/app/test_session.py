"""Tabs have folders of their own, and nothing stays behind."""

from __future__ import annotations

import os
import stat
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ui.jobs import Job
from ui.session import (
    KEPT_RUNS,
    MAX_AGE_SECONDS,
    Sessions,
    harden_environment,
    private_root,
)


def test_two_tabs_have_two_folders(sessions: Sessions) -> None:
    first, second = sessions.get("a").new_run(), sessions.get("b").new_run()
    assert first.is_dir() and second.is_dir()
    assert first.parent != second.parent
    assert sessions.get("a") is sessions.get("a")


def test_the_browsers_key_never_becomes_a_path(sessions: Sessions) -> None:
    folder = sessions.get("../../etc/evil").new_run()
    assert folder.resolve().is_relative_to(sessions.root)
    assert "evil" not in str(folder)


def test_closing_a_tab_removes_its_files_and_stops_its_job(sessions: Sessions) -> None:
    session = sessions.get("a")
    kept = sessions.get("b").new_run()
    folder = session.new_run()
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
    folders = [sessions.get("a").new_run() for _ in range(KEPT_RUNS + 2)]
    assert [f.exists() for f in folders] == [False] * 2 + [True] * KEPT_RUNS


def test_a_tab_left_alone_is_swept(tmp_path: Path) -> None:
    now = [0.0]
    with Sessions(private_root(tmp_path), clock=lambda: now[0]) as sessions:
        old = sessions.get("old").new_run()
        now[0] = MAX_AGE_SECONDS - 1
        sessions.sweep()
        assert old.exists()
        young = sessions.get("young").new_run()
        now[0] = MAX_AGE_SECONDS + 100_000
        sessions.get("young")
        sessions.sweep()
        assert not old.exists()
        assert young.exists()


def test_sweeping_leaves_a_running_job_alone(tmp_path: Path) -> None:
    now = [0.0]
    with Sessions(private_root(tmp_path), clock=lambda: now[0]) as sessions:
        session = sessions.get("a")
        folder = session.new_run()
        session.job = Job(_until_cancelled)
        session.job.start()
        session.touched = 0.0
        now[0] = MAX_AGE_SECONDS * 2
        sessions.sweep()
        assert folder.exists()


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
    result = sessions.get("a").new_run() / "kitchen_clip.mp4"
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
    session = sessions.get("a")
    run = session.new_run()
    (run / "clip.mp4").touch()
    made = [session.new_revision() for _ in range(4)]
    assert len(set(made)) == 4 and all(folder.parent == run for folder in made)
    # The last one is still looked at until the new one is there.
    assert [folder.exists() for folder in made] == [False, False, True, True]
    assert (run / "clip.mp4").exists()
    assert session.revision == made[-1]
    session.looked_seconds = 1.0
    again = session.new_run()
    assert session.revision == again and session.looked_seconds is None
    assert session.new_revision().parent == again
