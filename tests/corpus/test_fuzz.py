"""Damaged files end in a result or in one plain line, never in a crash."""

from __future__ import annotations

import os
import random
import time
from pathlib import Path

import pytest

from tests.corpus import nasty
from tests.corpus.fuzz import Finding, Recipe, corpus_bases, fuzz, save
from tests.corpus.mutations import apply, draw, find_boxes
from tests.corpus.workers import Job, run_jobs
from tests.video.video_clips import turn_matrix, write_clip

SEED = 20
SECONDS = 30.0
LEAST_INPUTS = 20  # on the busiest machine


@pytest.fixture(scope="module")
def clips(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    folder = tmp_path_factory.mktemp("clips")
    return [
        write_clip(folder / "plain.mp4"),
        write_clip(folder / "turned.mov", turn=1, matrix=turn_matrix(90)),
        write_clip(folder / "plain.mkv", audio=False),
        write_clip(folder / "mjpeg.mov", codec="mjpeg", pixel_format="yuvj420p"),
        write_clip(folder / "plain.ts"),
    ]


@pytest.mark.slow
@pytest.mark.timeout(900)  # the corpus is made first, or waited for
def test_damaged_files_do_no_harm(clips: list[Path], tmp_path: Path) -> None:
    bases = clips + (corpus_bases() if nasty.GENERATOR.exists() else [])
    findings, counts = fuzz(bases, SEED, SECONDS, tmp_path)
    saved = [str(save(finding, tmp_path / "found")) for finding in findings]
    assert not findings, saved
    assert counts.total() >= LEAST_INPUTS


def test_damage_is_repeatable(clips: list[Path]) -> None:
    data = clips[0].read_bytes()
    drawn = [draw(data, random.Random("7:1")) for _ in range(2)]
    assert drawn[0] == drawn[1]
    assert apply(data, drawn[0]) != data
    assert draw(data, random.Random("7:2")) != drawn[0]


def test_boxes_are_found(clips: list[Path]) -> None:
    data = clips[0].read_bytes()
    kinds = {data[place + 4 : place + 8] for place in find_boxes(data)}
    assert {b"ftyp", b"moov", b"trak", b"stbl", b"stsz", b"mdat"} <= kinds


def test_a_finding_is_saved(clips: list[Path], tmp_path: Path) -> None:
    recipe = Recipe(str(clips[0]), 1, 2, [["truncate", 100]])
    path = save(Finding("crash", recipe, ""), tmp_path)
    assert path.with_suffix(".mp4").stat().st_size == 100


# What the workers have to survive, and to tell.


def do_nothing() -> None:
    pass


def sleep_forever() -> None:
    time.sleep(600)


def crash() -> None:
    os.abort()


def raise_foreign() -> None:
    raise KeyError("not ours")


def leave_things() -> None:
    Path("left.txt").write_text("")
    os.spawnlp(os.P_NOWAIT, "sleep", "sleep", "60")


def eat_memory() -> None:
    eaten = bytearray(os.urandom(1 << 20) * 600)
    time.sleep(30)
    del eaten


def job(name: str, **more: int) -> Job:
    return Job(name, f"tests.corpus.test_fuzz:{name}", (), 8.0, **more)


@pytest.mark.parametrize(
    ("name", "failure"),
    [
        ("sleep_forever", "hang"),
        ("crash", "crash (signal 6)"),
        ("raise_foreign", "KeyError: 'not ours'"),
    ],
)
def test_what_goes_wrong_is_told(tmp_path: Path, name: str, failure: str) -> None:
    answers = run_jobs([job(name), job("do_nothing")], tmp_path, 1)
    assert [a.failure for a in answers] == [failure, ""]


def test_memory_is_told(tmp_path: Path) -> None:
    (answer,) = run_jobs([job("eat_memory", max_bytes=400 << 20)], tmp_path, 1)
    assert answer.failure.startswith("memory")


def test_what_is_left_is_told(tmp_path: Path) -> None:
    answers = list(run_jobs([job("leave_things")], tmp_path, 1))
    left = sorted(a.failure for a in answers if not a.key)
    assert left == ["file left behind: cwd/left.txt", "process left behind: sleep 60 "]
