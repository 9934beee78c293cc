"""Every file of the shared corpus, from the path to the finished clip."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path

import pytest

from tests.corpus import nasty
from tests.corpus.cases import real_cases
from tests.corpus.corpus import Run, run_corpus

# The first test waits for the whole run.
pytestmark = [pytest.mark.slow, pytest.mark.timeout(1800)]

PRESENT = nasty.GENERATOR.exists()
REAL = [c.name for c in real_cases(nasty.SHARED_VIDEOS)] if PRESENT else ["absent"]
NAMES = nasty.group_names() if PRESENT else ["absent"]
GROUPS = [
    pytest.param(name, marks=[pytest.mark.long] if name == nasty.LONG_GROUP else [])
    for name in NAMES
]

#: At least so many files must go through each check, lest one be skipped silently.
LEAST_CHECKED = {"barcodes": 120, "likeness": 80, "box": 200, "sync": 90}

MAX_NEW_FDS = 4  # of a worker, between its first and its last file


@pytest.fixture(scope="session")
def run(
    request: pytest.FixtureRequest,
    shared_videos: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> Run:
    with_long = any(
        item.path == Path(__file__) and item.get_closest_marker("long") is not None
        for item in request.session.items
    )
    return run_corpus(tmp_path_factory.mktemp("corpus"), with_long=with_long)


@pytest.mark.parametrize("name", REAL)
def test_real_clip(run: Run, name: str) -> None:
    assert run.problems(name) == []


@pytest.mark.parametrize("group", GROUPS)
def test_generated_clips(run: Run, subtests: pytest.Subtests, group: str) -> None:
    names = [name for name, case in run.cases.items() if case.group == group]
    assert names
    for name in names:
        with subtests.test(ascii(name)):  # not every name can be sent on
            assert run.problems(name) == []


def test_each_check_was_made(run: Run) -> None:
    counts = dict.fromkeys(LEAST_CHECKED, 0)
    for answer in run.answers.values():
        for check in (answer.value or {}).get("checked", ()):
            counts[check] += 1
    assert {k: n for k, n in counts.items() if n < LEAST_CHECKED[k]} == {}


def test_no_exception_is_stale(run: Run) -> None:
    if nasty.SEED:
        pytest.skip("the exceptions are those of seed 0")
    assert run.stale_exceptions() == []


def test_nothing_is_left_behind(run: Run) -> None:
    assert run.left == []
    assert run.changed == set()


def test_no_file_stays_open(run: Run) -> None:
    by_worker = defaultdict(list)
    for answer in run.answers.values():
        by_worker[answer.worker].append(answer.num_fds)
    grown = {worker: n[-1] - n[0] for worker, n in by_worker.items() if n[-1]}
    assert {w: n for w, n in grown.items() if n > MAX_NEW_FDS} == {}
