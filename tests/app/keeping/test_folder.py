"""The folder of ``--keep`` is private, its own, and one app's at a time."""

from __future__ import annotations

import json
import os
import signal
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from stablechat.errors import InputError
from ui.keeping.folder import kept_folder
from ui.keeping.opening import open_sessions

ROOT = Path(__file__).parents[3]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes")
def test_it_is_private(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir(mode=0o755)
    for folder in (there, tmp_path / "new" / "one"):
        with kept_folder(folder) as kept:
            for each in (folder, kept.files, kept.state):
                assert stat.S_IMODE(each.stat().st_mode) == 0o700
            assert stat.S_IMODE((folder / "lock").stat().st_mode) == 0o600


def test_it_may_be_opened_again_but_not_twice(tmp_path: Path) -> None:
    for _ in range(2):
        with (
            kept_folder(tmp_path / "a"),
            pytest.raises(InputError, match="in use by another app"),
            kept_folder(tmp_path / "a"),
        ):
            pass


def test_a_killed_app_leaves_no_lock(tmp_path: Path) -> None:
    program = (
        "import sys, time; from pathlib import Path\n"
        "from ui.keeping.folder import kept_folder\n"
        "with kept_folder(Path(sys.argv[1])):\n"
        "    print('open', flush=True); time.sleep(60)\n"
    )
    command = [sys.executable, "-c", program, str(tmp_path / "a")]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE) as other:
        assert other.stdout is not None and other.stdout.readline()
        with pytest.raises(InputError, match="in use"), kept_folder(tmp_path / "a"):
            pass
        other.send_signal(signal.SIGKILL if os.name != "nt" else signal.SIGTERM)
    with kept_folder(tmp_path / "a"):
        pass


def test_other_folders_are_refused_and_left_alone(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "holiday.mp4").write_bytes(b"x")
    file = tmp_path / "file"
    file.write_text("x")
    for folder, words in (
        (mine, "holds other files"),
        (file, "can't be used"),
        (file / "below", "can't be used"),
    ):
        with pytest.raises(InputError, match=words), kept_folder(folder):
            pass
    assert [each.name for each in mine.iterdir()] == ["holiday.mp4"]


@pytest.mark.parametrize(
    "mark", [{"app": "stablechat --keep", "version": 2}, {"app": "other"}, None, []]
)
def test_another_version_is_refused(tmp_path: Path, mark: object) -> None:
    with kept_folder(tmp_path / "a"):
        pass
    folder = tmp_path / "a"
    (folder / "stablechat.json").write_text(json.dumps(mark))
    with pytest.raises(InputError, match="another version"), kept_folder(folder):
        pass


def test_without_it_nothing_is_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with open_sessions(None) as sessions:
        page = sessions.get("a")
        page.is_page = True
        page.keep(page.new_run())
        assert not sessions.keeps
    assert not list(tmp_path.iterdir())
    with open_sessions(str(tmp_path / "kept")) as sessions:
        assert sessions.keeps and sessions.root == tmp_path / "kept" / "files"
    assert sessions.root.is_dir()
