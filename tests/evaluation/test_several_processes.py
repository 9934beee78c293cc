"""``accelerate launch`` with two processes on a CPU: one result, as of one process."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import golden_files
import pytest
import share_a_run
from eval_samples import annotation, write_annotations
from launching import launch

from evaluation import __main__ as cli
from evaluation.processes import part_files
from evaluation.row_file import RowFile
from evaluation.rows import read_json_lines

SHARE_A_RUN = str(Path(share_a_run.__file__))


def without_seconds(path: Path) -> list[dict[str, Any]]:
    return [{**row, "seconds": None} for row in read_json_lines(path)]


@pytest.mark.slow
def test_two_processes_give_the_result_of_one(tmp_path: Path) -> None:
    (tmp_path / "videos").mkdir()
    golden_files.write_clip(tmp_path / "videos" / "0.mp4")
    meta: dict[str, Any] = {"split": [0, 29], "time_token": {"<s>": 20, "<e>": 25}}
    rows = [annotation(video_path=f"{n % 3}.mp4", meta=meta) for n in range(6)]
    write_annotations(tmp_path / "stvg.json", rows)
    one, two = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    arguments = [
        *("run", "--annotations", str(tmp_path / "stvg.json"), "--task", "stvg"),
        *("--videos", str(tmp_path / "videos"), "--device", "cpu"),
        *("--model", str(golden_files.CHECKPOINT), "--max-new-tokens", "12"),
        *("--temperature", "0.5", "--sampling-seed", "3", "--out"),
    ]
    assert cli.main([*arguments, str(one)]) == 0
    done = launch("-m", "evaluation", *arguments, str(two))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{two}: 6 rows, 6 of them new; 4 without a usable")
    assert done.stdout.count("rows,") == 1  # only one process tells
    assert without_seconds(two) == without_seconds(one)
    assert part_files(two) == []
    assert json.loads((tmp_path / "two.run.json").read_text())["processes"] == 2


@pytest.mark.slow
def test_a_killed_process_and_going_on(tmp_path: Path) -> None:
    one, two = tmp_path / "one.jsonl", tmp_path / "two.jsonl"
    share_a_run.main(one, 12)
    killed = launch(SHARE_A_RUN, str(two), "12", "1")
    assert killed.returncode != 0
    written = [row["index"] for file in part_files(two) for row in RowFile(file).rows]
    assert {6, 7} <= set(written) and not {8, 9, 10, 11} & set(written)
    done = launch(SHARE_A_RUN, str(two), "12")
    assert done.returncode == 0, done.stderr
    assert "num_rows=12, " in done.stdout
    assert f"num_new={12 - len(written)}, " in done.stdout
    assert without_seconds(two) == without_seconds(one)
    assert part_files(two) == []


def test_a_second_run_of_several_is_refused(tmp_path: Path) -> None:
    out = tmp_path / "rows.jsonl"
    with RowFile(out) as first:
        first.append({"index": 0})
        before = out.read_bytes()
        done = launch(SHARE_A_RUN, str(out), "12")
    assert done.returncode != 0
    assert "Another run is writing" in done.stderr
    assert out.read_bytes() == before and part_files(out) == []
