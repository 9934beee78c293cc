"""A child may crash, hang or swell; the parent gets one line and nothing stays."""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from stablechat.errors import CancelledError, LimitError, RenderError, VideoError
from stablechat.video.isolation import ChildLimits, Message, in_child, run_in_child

MODULE = "tests.video.isolation.misbehaving"
posix = pytest.mark.skipif(os.name != "posix", reason="signals are POSIX's")
linux = pytest.mark.skipif(sys.platform != "linux", reason="looks into /proc")


def run(task: str, limits: ChildLimits | None = None, **options: object) -> Message:
    return run_in_child(
        MODULE,
        Message({"task": task}),
        subject="x.mp4",
        limits=limits or ChildLimits(stall_seconds=20),
        **options,  # type: ignore[arg-type]
    )


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except FileNotFoundError:
        return False
    return state != "Z"


def wait_until_gone(pid: int) -> None:
    end = time.monotonic() + 10
    while is_alive(pid):
        assert time.monotonic() < end, f"process {pid} is still there"
        time.sleep(0.02)


def test_data_goes_there_and_back() -> None:
    parts: list[Message] = []
    arrays = [np.arange(6, dtype=np.float64).reshape(2, 3), np.array([], np.int64)]
    answer = run_in_child(
        MODULE,
        Message({"task": "double", "word": "a\udcff"}, arrays),
        subject="x.mp4",
        limits=ChildLimits(),
        on_message=parts.append,
    )
    assert answer.data["word"] == "a\udcffa\udcff"
    assert answer.data["in_child"] is True
    assert not in_child()
    np.testing.assert_array_equal(answer.arrays[0], arrays[0] * 2)
    assert answer.arrays[1].shape == (0,)
    assert [part.data["row"] for part in parts] == [0, 1]
    parts[0].arrays[0][0, 0] = 7  # an array that arrives may be written to


@posix
def test_a_crash_is_one_line(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(VideoError, match=r"^x\.mp4 made the decoder crash \(signal 11"):
        run("segfault")


@posix
def test_the_systems_own_kill_means_memory() -> None:
    with pytest.raises(LimitError, match=r"not enough memory to decode x\.mp4"):
        run("killed")


def test_silence_ends_it() -> None:
    started = time.monotonic()
    with pytest.raises(VideoError, match="hang for 1 seconds"):
        run("hang", ChildLimits(stall_seconds=1))
    assert time.monotonic() - started < 10


def test_signs_of_life_do_not_beat_the_clock() -> None:
    with pytest.raises(LimitError, match=r"limit of 1.5 seconds"):
        run("busy", ChildLimits(max_seconds=1.5, stall_seconds=1))


@linux
def test_memory_is_bounded() -> None:
    with pytest.raises(LimitError, match="memory"):
        run("swell", ChildLimits(max_memory_bytes=2 << 30))


def test_a_bug_is_logged_with_its_traceback(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR), pytest.raises(VideoError, match="code 1"):
        run("bug")
    assert "a mistake of ours" in caplog.text
    assert "Traceback" in caplog.text


def test_our_errors_keep_their_type() -> None:
    with pytest.raises(RenderError, match=r"^one line$"):
        run("our_error")


def test_what_libraries_print_does_not_disturb() -> None:
    assert run("print").data["fine"] is True


def test_nonsense_is_refused() -> None:
    with pytest.raises(VideoError, match="crash"):
        run("garbage")


def test_stop_is_quick() -> None:
    started = time.monotonic()
    with pytest.raises(CancelledError):
        run("busy", cancelled=lambda: time.monotonic() - started > 0.5)
    assert time.monotonic() - started < 5


@linux
def test_what_the_child_started_ends_with_it() -> None:
    pids: list[int] = []

    def note(message: Message) -> None:
        if "helper" in message.data:
            pids.append(message.data["helper"])

    with pytest.raises(CancelledError):
        run("helper", on_message=note, cancelled=lambda: bool(pids))
    wait_until_gone(pids[0])


def test_an_exception_of_the_listener_ends_the_child() -> None:
    def fail(message: Message) -> None:
        raise ValueError("not mine")

    with pytest.raises(ValueError, match="not mine"):
        run("pid", on_message=fail)


def test_secrets_stay_here(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HF_TOKEN", "secret")
    names = run("environment").data["names"]
    assert "PATH" in names
    assert "HF_TOKEN" not in names


@linux
def test_a_child_does_not_outlive_a_killed_parent(tmp_path: Path) -> None:
    script = f"""
from stablechat.video.isolation import ChildLimits, Message, run_in_child
run_in_child("{MODULE}", Message({{"task": "pid"}}), subject="x", limits=ChildLimits(),
             on_message=lambda m: print(m.data["pid"], flush=True))
"""
    parent = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, text=True
    )
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert is_alive(pid)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    wait_until_gone(pid)


@linux
def test_nothing_stays_open() -> None:
    run("environment")
    before = len(os.listdir("/proc/self/fd"))
    for _ in range(3):
        run("environment")
        with pytest.raises(VideoError):
            run("bug")
    assert len(os.listdir("/proc/self/fd")) == before
