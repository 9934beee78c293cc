"""A folder of files that is never fuller than it may be."""

from __future__ import annotations

import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from serving.shelf import FullError, Shelf
from stablechat.fingerprint import digest_of

ROOT = Path(__file__).resolve().parents[2]
PLENTY = (10**12, 10**12)
USED_SECONDS = 60.0


def shelf_in(
    folder: Path, max_bytes: int = 1000, free: tuple[int, int] = PLENTY
) -> Shelf:
    return Shelf(folder, max_bytes, USED_SECONDS, free=lambda _: free)


def put(shelf: Shelf, name: str, size: int) -> Path:
    with shelf.coming(size) as path:
        path.write_bytes(b"x" * size)
        return shelf.add(path, name)


def age(path: Path, seconds: float) -> None:
    status = path.stat()
    then = time.time_ns() - round(seconds * 1e9)
    os.utime(path, ns=(then, status.st_mtime_ns))


def name_of(letter: str) -> str:
    return letter * 64


def test_a_file_is_found_by_its_name(tmp_path: Path) -> None:
    shelf = shelf_in(tmp_path)
    path = put(shelf, name_of("a"), 10)
    assert shelf.find(name_of("a")) == path and path.read_bytes() == b"x" * 10
    assert shelf.find(name_of("b")) is None
    assert shelf_in(tmp_path).find(name_of("a")) == path


@pytest.mark.parametrize(
    "name", ["", "..", "../" + "a" * 64, "a" * 15, "a" * 81, "coming", "a\0" + "a" * 20]
)
def test_no_name_leads_elsewhere(tmp_path: Path, name: str) -> None:
    shelf = shelf_in(tmp_path / "shelf")
    (tmp_path / ("a" * 64)).touch()
    assert shelf.find(name) is None
    with shelf.coming(1) as path, pytest.raises(ValueError, match="name"):
        shelf.add(path, name)


def test_what_was_not_added_is_gone(tmp_path: Path) -> None:
    shelf = shelf_in(tmp_path)
    with pytest.raises(OSError, match="cut off"), shelf.coming(100):
        assert shelf.used_bytes() == 100
        raise OSError("cut off")
    assert shelf.used_bytes() == 0


def test_what_was_used_last_stays(tmp_path: Path) -> None:
    shelf = shelf_in(tmp_path, max_bytes=1000)
    old, older = put(shelf, name_of("a"), 400), put(shelf, name_of("b"), 400)
    age(old, USED_SECONDS + 10)
    age(older, USED_SECONDS + 20)
    put(shelf, name_of("c"), 400)
    assert old.exists() and not older.exists()
    assert shelf.used_bytes() <= 1000


def test_what_is_in_use_stays(tmp_path: Path) -> None:
    shelf = shelf_in(tmp_path, max_bytes=1000)
    path = put(shelf, name_of("a"), 900)
    with pytest.raises(FullError, match="full"), shelf.coming(200):
        pytest.fail("there was room")
    assert path.exists() and shelf.used_bytes() == 900
    age(path, USED_SECONDS + 1)
    shelf.find(name_of("a"))
    with pytest.raises(FullError), shelf.coming(200):
        pytest.fail("it was asked for, and is in use again")


def test_being_asked_for_does_not_change_what_a_file_is_known_by(
    tmp_path: Path,
) -> None:
    shelf = shelf_in(tmp_path)
    path = put(shelf, name_of("a"), 10)
    os.utime(path, ns=(5, 7))
    shelf.find(name_of("a"))
    assert path.stat().st_mtime_ns == 7 and path.stat().st_atime_ns > 5


def test_those_that_come_at_once_count_each_other(tmp_path: Path) -> None:
    one, other = shelf_in(tmp_path, 1000), shelf_in(tmp_path, 1000)
    with one.coming(600), pytest.raises(FullError), other.coming(600):
        pytest.fail("there was room")
    with one.coming(400), other.coming(600):
        assert one.used_bytes() == 1000


KILLED = """
import os, signal, sys
from pathlib import Path
from serving.shelf import Shelf
with Shelf(Path(sys.argv[1]), 1000, 60.0).coming(900) as path:
    path.write_bytes(b"half")
    Path(f"{path}.made").mkdir()
    Path(f"{path}.made", "clip.mp4").write_bytes(b"half")
    os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_came_to_a_killed_process_is_taken_away(tmp_path: Path) -> None:
    words = [sys.executable, "-c", KILLED, str(tmp_path)]
    done = subprocess.run(words, cwd=ROOT, check=False)
    assert done.returncode == -signal.SIGKILL
    left = list((tmp_path / "coming").iterdir())
    assert len(left) == 3
    for path in left:
        os.utime(path, (0, 0))
    with shelf_in(tmp_path).coming(900):
        assert not any(path.exists() for path in left)
    assert not list((tmp_path / "coming").iterdir())


def test_what_comes_slowly_stays(tmp_path: Path) -> None:
    shelf = shelf_in(tmp_path)
    with shelf.coming(400) as path:
        made = Path(f"{path}.made")
        made.mkdir()
        for each in (path, made, *path.parent.glob("*.lock")):
            os.utime(each, (0, 0))
        with shelf_in(tmp_path).coming(400):
            assert path.exists() and made.exists()
        with pytest.raises(FullError), shelf_in(tmp_path).coming(900):
            pytest.fail("there was room")
        assert path.exists() and made.exists()


def test_others_keep_some_of_the_disk(tmp_path: Path) -> None:
    shelf = shelf_in(tmp_path, 10**9, free=(10**6, 10**5))
    with shelf.coming(4 * 10**4):
        pass
    with pytest.raises(FullError), shelf.coming(6 * 10**4):
        pytest.fail("a twentieth of the disk is not ours")


def test_a_file_from_elsewhere_is_known_by_its_content(tmp_path: Path) -> None:
    shelf = shelf_in(tmp_path / "shelf")
    given = tmp_path / "a.mp4"
    given.write_bytes(b"film")
    name = shelf.adopt(given)
    assert name == hashlib.sha256(b"film").hexdigest() == digest_of(given)
    kept = shelf.find(name)
    assert kept is not None and kept.samefile(given)
    given.unlink()
    assert kept.read_bytes() == b"film"
    again = tmp_path / "b.mp4"
    again.write_bytes(b"film")
    assert shelf.adopt(again) == name and shelf.used_bytes() == 4


def test_a_file_on_another_disk_is_copied(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise OSError("another disk")

    monkeypatch.setattr(os, "link", refuse)
    given = tmp_path / "a.mp4"
    given.write_bytes(b"film")
    shelf = shelf_in(tmp_path / "shelf")
    kept = shelf.find(shelf.adopt(given))
    assert kept is not None and kept.read_bytes() == b"film"
    assert not kept.samefile(given)
