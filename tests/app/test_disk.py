"""What goes first when the disk is full."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from stablechat.errors import InputError
from ui.asks import Ask
from ui.disk import Disk, folder_bytes, parse_size
from ui.runs import Run
from ui.session import Sessions
from ui.space import KEPT_FREE_BYTES
from ui.tab import Session


def answered(session: Session, seconds_ago: float) -> Run:
    """An answer of 1000 bytes."""
    run = session.new_run()
    (run.folder / "clip.mp4").write_bytes(b"x" * 1000)
    session.keep(run)
    then = time.time() - seconds_ago
    os.utime(run.folder, (then, then))
    return run


def uploaded(sessions: Sessions, name: str, seconds_ago: float) -> Path:
    """An upload of 1000 bytes."""
    path = sessions.root / name / "video.mp4"
    path.parent.mkdir()
    path.write_bytes(b"x" * 1000)
    then = time.time() - seconds_ago
    os.utime(path, (then, then))
    return path


def test_sizes_are_read() -> None:
    assert parse_size("20gb", "--max-disk") == 20 * 1024**3
    assert parse_size("1 KB", "--max-disk") == 1024
    with pytest.raises(InputError, match="--max-disk must be"):
        parse_size("lots", "--max-disk")


def test_what_is_needed_least_goes_first(sessions: Sessions) -> None:
    example = uploaded(sessions, "example", 9000)
    tab, gone = sessions.get("a"), sessions.get("b")
    tab.is_page = gone.is_page = True
    tab.video = uploaded(sessions, "asked", 8000)
    usage = (10**12, 10**12)
    disk = Disk(sessions, 10_000, examples=[example], usage=lambda: usage)
    stale, fresh = uploaded(sessions, "stale", 7000), uploaded(sessions, "fresh", 1)
    oldest, middle, shown = (answered(tab, ago) for ago in (300, 200, 100))
    tab.run = oldest
    left = answered(gone, 10)
    sessions.leave("b")
    there = [example, tab.video, stale, fresh, *(r.folder for r in tab.runs)]
    assert folder_bytes(sessions.root) == 8000
    assert disk.make_room() and left.folder.is_dir()  # There is no need to.
    for wanted, goes in ((3000, left.folder), (4000, middle.folder)):
        assert disk.make_room(wanted) and not goes.exists()
    assert oldest.folder.is_dir() and tab.runs == [oldest, shown]
    assert disk.make_room(6000) and not shown.folder.exists() and not stale.exists()
    # What is looked at, asked about, just uploaded or the page's own stays.
    assert not disk.make_room(7000)
    assert [path for path in there if path.exists()] == [
        *(example, tab.video, fresh, oldest.folder)
    ]


def test_others_keep_some_of_the_disk(sessions: Sessions) -> None:
    for total, kept in ((10**12, KEPT_FREE_BYTES), (10**8, 5 * 10**6)):
        usage = (total, kept + 500)
        disk = Disk(sessions, 10**12, usage=lambda usage=usage: usage)  # type: ignore[misc]
        assert disk.make_room(500) and not disk.make_room(501)


def test_nothing_goes_where_all_is_not_enough(sessions: Sessions) -> None:
    gone, stale = sessions.get("b"), uploaded(sessions, "stale", 7000)
    gone.is_page = True
    gone.video = uploaded(sessions, "asked", 7000)
    left = answered(gone, 10)
    sessions.leave("b")
    disk = Disk(sessions, 4000, usage=lambda: (10**12, 10**12))
    assert not disk.make_room(4001)
    assert stale.exists() and left.folder.exists() and gone.video.exists()
    # The closed tab's upload goes with it, so this does fit.
    assert disk.make_room(4000)
    assert not any(p.exists() for p in (stale, left.folder, gone.video))


def test_a_tab_that_came_back_keeps_its_answers(sessions: Sessions) -> None:
    tab = sessions.get("a")
    tab.is_page = True
    run = answered(tab, 10)
    sessions.leave("a")
    sessions.get("a")
    sessions.end_if_left("a")
    assert run.folder.exists() and sessions.get("a") is tab
    sessions.leave("a")
    sessions.end_if_left("a")
    assert not run.folder.exists()


def test_what_a_program_asks_about_stays(sessions: Sessions) -> None:
    upload, session = uploaded(sessions, "hash", 9000), sessions.get("program")
    disk = Disk(sessions, 1500, usage=lambda: (10**12, 10**12))
    with session.working_on(Ask(upload, "a cat", "ground")):
        assert not disk.make_room(1000) and upload.exists()
    assert disk.make_room(1000) and not upload.exists()
