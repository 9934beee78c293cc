"""Everything with the demo model on a small synthetic set.

A run that is killed and gone on with, and one that two processes share, give what one
process gives that nobody disturbs.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from launching import launch

from evaluation import __main__ as cli
from evaluation.rows import read_json_lines
from training.synthetic.generating import generate

ROOT = Path(__file__).resolve().parents[2]
COUNT = 3

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Synthetic videos; the last question is about one that is gone."""
    folder = tmp_path_factory.mktemp("world")
    generate(20261125, COUNT, folder)
    (folder / "videos" / f"{COUNT - 1:05d}.mp4").unlink()
    return folder


def run_arguments(world: Path, out: Path, *more: object) -> list[str]:
    common: list[object] = ["run", "--annotations", world / "stvg.json", "--task"]
    common += ["stvg", "--videos", world / "videos", "--device", "cpu", "--out", out]
    return [str(word) for word in (*common, *more)]


def without_seconds(path: Path) -> list[dict[str, Any]]:
    return [{**row, "seconds": None} for row in read_json_lines(path)]


@pytest.fixture(scope="module")
def rows(world: Path) -> Path:
    """What one process writes that nobody disturbs."""
    path = world / "rows.jsonl"
    assert cli.main(run_arguments(world, path)) == 0
    return path


def test_answers_come_by_the_fast_path(rows: Path) -> None:
    answered = [row for row in read_json_lines(rows) if not row["missing"]]
    num_tokens, num_passes = (
        sum(row[f"num_{what}"] for row in answered) for what in ("tokens", "passes")
    )
    assert 0 < 3 * num_passes < num_tokens


def test_a_killed_run_goes_on_to_the_same_result(
    world: Path, rows: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = world / "killed.jsonl"
    command = [sys.executable, "-m", "evaluation", *run_arguments(world, out)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as running:
        while not (out.exists() and out.read_bytes().count(b"\n")):
            assert running.poll() is None
            time.sleep(0.05)
        os.kill(running.pid, signal.SIGKILL)
    assert running.returncode == -signal.SIGKILL
    kept = out.read_bytes()
    kept = kept[: kept.rfind(b"\n") + 1]
    num_kept = kept.count(b"\n")
    assert 1 <= num_kept < COUNT

    assert cli.main(run_arguments(world, out)) == 0
    told = capsys.readouterr().out
    assert f"{COUNT} rows, {COUNT - num_kept} of them new; 1 without a usable" in told
    assert out.read_bytes().startswith(kept)
    assert without_seconds(out) == without_seconds(rows)


@pytest.mark.long
def test_two_processes_give_the_same_result(world: Path, rows: Path) -> None:
    out = world / "shared.jsonl"
    done = launch("-m", "evaluation", *run_arguments(world, out))
    assert done.returncode == 0, done.stderr
    assert without_seconds(out) == without_seconds(rows)
    assert json.loads((world / "shared.run.json").read_text())["processes"] == 2


def test_the_whole_chain(
    world: Path, rows: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def call(*words: object) -> str:
        assert cli.main([str(word) for word in words]) == 0, capsys.readouterr().err
        return capsys.readouterr().out

    out = world / "out"
    score = ("score", rows, "--task", "stvg", "--protocol")
    strict = json.loads(call(*score, "strict", "--bootstrap", 200))
    assert (strict["num_rows"], strict["num_missing"]) == (COUNT, 1)
    assert strict["msiou_low"] <= strict["msiou"] <= strict["msiou_high"]
    released = json.loads(call(*score, "released"))
    assert released["msiou"] == pytest.approx(strict["msiou"] * COUNT / (COUNT - 1))
    assert released["msiou"] > 0.8  # as the demo model does on its world

    study = run_arguments(world, out / "study", "--limit", 1, "--max-new-tokens", 60)
    call("sensitivity", *study[1:], "--temperatures", 0.01, 1, "--seeds", 0)
    call("cases", rows, "--task", "stvg", "--videos", world / "videos", "--best", 1,
         "--worst", 1, "--out", out / "cases")  # fmt: skip
    call("report", "--run", f"demo={rows}", "--cases", out / "cases", "--sensitivity",
         out / "study", "--out", out)  # fmt: skip
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page.count("<h2>") == 6 and page.count("<img") == 5
    assert all(part in page for part in ("float32", "demo", "no video", "st-align"))
