"""Everything with the demo model on a small synthetic set, killed and gone on with."""

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

from evaluation import __main__ as cli
from evaluation.rows import read_json_lines
from training.synthetic.__main__ import generate

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


def test_the_whole_chain(world: Path, capsys: pytest.CaptureFixture[str]) -> None:
    def call(*words: object) -> str:
        assert cli.main([str(word) for word in words]) == 0, capsys.readouterr().err
        return capsys.readouterr().out

    rows, out = world / "rows.jsonl", world / "out"
    command = [sys.executable, "-m", "evaluation", *run_arguments(world, rows)]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.DEVNULL) as running:
        while not (rows.exists() and rows.read_bytes().count(b"\n")):
            assert running.poll() is None
            time.sleep(0.05)
        os.kill(running.pid, signal.SIGKILL)
    assert running.returncode == -signal.SIGKILL
    kept = rows.read_bytes()
    kept = kept[: kept.rfind(b"\n") + 1]
    num_kept = kept.count(b"\n")
    assert 1 <= num_kept < COUNT

    told = call(*run_arguments(world, rows))
    assert f"{COUNT} rows, {COUNT - num_kept} of them new; 1 without a usable" in told
    assert rows.read_bytes().startswith(kept)
    call(*run_arguments(world, world / "again.jsonl", "--limit", 1))
    assert without_seconds(world / "again.jsonl") == without_seconds(rows)[:1]

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
