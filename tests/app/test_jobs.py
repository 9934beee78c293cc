"""A job runs beside the page, reports, and stops when told."""

from __future__ import annotations

import time
import weakref

import pytest

from stablechat.errors import CancelledError, VideoError
from ui.jobs import Job, Progress


def test_result_and_progress() -> None:
    def work(job: Job[int]) -> int:
        job.report("read", 2.0)
        return 42

    job = Job(work)
    assert not job.done and job.progress == Progress()
    job.start()
    assert job.join(5)
    assert job.result() == 42
    assert job.progress == Progress("read", 1.0)  # clipped


def test_the_works_exception_is_the_results() -> None:
    def work(job: Job[int]) -> int:
        raise ValueError("no")

    job = Job(work)
    job.start()
    assert job.join(5)
    with pytest.raises(ValueError, match="no"):
        job.result()


def test_cancel_ends_the_work_soon() -> None:
    def work(job: Job[int]) -> int:
        while not job.cancelled():
            time.sleep(0.01)
        raise CancelledError("Stopped.")

    job = Job(work)
    job.start()
    assert not job.join(0.05)
    started = time.monotonic()
    job.cancel()
    assert job.join(2)
    assert time.monotonic() - started < 0.5
    with pytest.raises(CancelledError):
        job.result()


def test_a_job_cancelled_before_its_start_does_nothing() -> None:
    ran = []
    job = Job(lambda job: ran.append(1))
    job.cancel()
    job.start()
    assert job.join(5)
    assert ran == []


def test_result_before_the_end_is_a_bug() -> None:
    with pytest.raises(RuntimeError):
        Job(lambda job: 1).result()


def test_elapsed_time_stands_still_after_the_end() -> None:
    job = Job(lambda job: time.sleep(0.02))
    job.start()
    job.join(5)
    first = job.elapsed_seconds
    time.sleep(0.02)
    assert job.elapsed_seconds == first >= 0.02


class Large:
    """What an error must not keep alive."""


def test_an_error_that_is_kept_holds_nothing_of_the_work() -> None:
    held: list[weakref.ref[Large]] = []

    def decode() -> None:
        large = Large()
        held.append(weakref.ref(large))
        raise ValueError("no frame")

    def work(job: Job[int]) -> int:
        large = Large()
        held.append(weakref.ref(large))
        try:
            decode()
        except ValueError as error:
            raise VideoError("It can't be decoded.") from error
        return 1

    job = Job(work)
    job.start()
    assert job.join(5)
    assert [each() for each in held] == [None, None]
    for _ in range(2):
        with pytest.raises(VideoError, match="can't be decoded"):
            job.result()


def test_what_is_unexpected_is_logged_with_where_it_came_from(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def decode(job: Job[int]) -> int:
        raise ValueError("no frame")

    job = Job(decode)
    job.start()
    assert job.join(5)
    assert "no frame" in caplog.text and "in decode" in caplog.text
