"""The pipe that brings sound to FFmpeg: it ends, whoever ends first."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from render.sound import SoundFormat
from render.sound_feed import Producer, SoundFeed
from stablechat.errors import VideoError

FORM = SoundFormat(48000, 2)
MEGABYTE = b"\x01" * (1 << 20)  # far more than a pipe holds

#: Programs that get the number of the pipe: read all of it, a little of it, nothing.
READ_ALL = "import sys, os; f = os.fdopen(int(sys.argv[1]), 'rb'); print(len(f.read()))"
READ_SOME = "import sys, os; os.read(int(sys.argv[1]), 10)"
HANG = "import time; time.sleep(600)"

pytestmark = [
    pytest.mark.timeout(60),
    pytest.mark.skipif(os.name != "posix", reason="pipes are passed on by POSIX only"),
]


@pytest.fixture(autouse=True)
def nothing_left_open() -> Iterator[None]:
    before = open_files()
    yield
    assert open_files() == before
    assert not [t for t in threading.enumerate() if t.name == "clip sound"]


def open_files() -> int | None:
    folder = Path("/proc/self/fd")
    return len(list(folder.iterdir())) if folder.exists() else None


def reader(feed: SoundFeed, script: str) -> subprocess.Popen[str]:
    assert feed.arguments[-2:] == ["-i", f"pipe:{feed.pass_fds[0]}"]
    return subprocess.Popen(
        [sys.executable, "-c", script, str(feed.pass_fds[0])],
        pass_fds=feed.pass_fds,
        stdout=subprocess.PIPE,
        text=True,
    )


def megabytes(count: int) -> Producer:
    def produce(write: Callable[[bytes], object], _: Callable[[], bool]) -> None:
        for _i in range(count):
            write(MEGABYTE)

    return produce


def endless(write: Callable[[bytes], object], stopped: Callable[[], bool]) -> None:
    while not stopped():
        write(MEGABYTE)


def broken(write: Callable[[bytes], object], _: Callable[[], bool]) -> None:
    write(MEGABYTE)
    raise VideoError("The sound is gone.")


def test_everything_arrives(tmp_path: Path) -> None:
    with SoundFeed(FORM, megabytes(3), tmp_path) as feed:
        assert feed.arguments[:6] == ["-f", "s16le", "-ar", "48000", "-ac", "2"]
        with reader(feed, READ_ALL) as process:
            feed.start()
            assert process.communicate()[0] == f"{3 << 20}\n"
        feed.check()
    assert list(tmp_path.iterdir()) == []


def test_reader_ends_first(tmp_path: Path) -> None:
    with SoundFeed(FORM, endless, tmp_path) as feed:
        with reader(feed, READ_SOME) as process:
            feed.start()
            process.communicate()
        feed.check()  # the reader's end is not the sound's fault


def test_reader_is_killed_while_the_thread_waits_for_it(tmp_path: Path) -> None:
    with SoundFeed(FORM, endless, tmp_path) as feed:
        with reader(feed, HANG) as process:
            feed.start()
            time.sleep(0.2)
            process.kill()
    feed.check()


def test_error_reaches_the_caller_and_the_reader_sees_the_end(tmp_path: Path) -> None:
    with SoundFeed(FORM, broken, tmp_path) as feed:
        with reader(feed, READ_ALL) as process:
            feed.start()
            assert process.communicate()[0] == f"{1 << 20}\n"
        with pytest.raises(VideoError, match="gone"):
            feed.check()


def test_slow_sound_is_told_to_stop(tmp_path: Path) -> None:
    def slow(_: Callable[[bytes], object], stopped: Callable[[], bool]) -> None:
        while not stopped():
            time.sleep(0.01)

    started = time.monotonic()
    with SoundFeed(FORM, slow, tmp_path) as feed:
        with reader(feed, HANG) as process:
            feed.start()
            process.kill()
    assert time.monotonic() - started < 20


def test_never_started(tmp_path: Path) -> None:
    with SoundFeed(FORM, endless, tmp_path) as feed:
        assert feed.pass_fds


def test_a_file_where_pipes_can_not_be_passed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("render.sound_feed._CAN_PASS_PIPES", False)
    with SoundFeed(FORM, megabytes(2), tmp_path) as feed:
        feed.start()
        assert feed.pass_fds == ()
        assert Path(feed.arguments[-1]).stat().st_size == 2 << 20
        feed.check()
    with pytest.raises(VideoError), SoundFeed(FORM, broken, tmp_path):
        pass
