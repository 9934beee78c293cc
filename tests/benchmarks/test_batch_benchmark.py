"""The benchmark of batches: its videos, and what it makes of times."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from benchmarks.batch import answers_in, draw, engine_report, write_manifest
from stablechat.cli.batch.inputs import collect_inputs


def test_it_asks_one_question_about_each_drawn_video(tmp_path: Path) -> None:
    rows = draw(2, tmp_path)
    write_manifest(rows, tmp_path / "list.jsonl")
    inputs = collect_inputs([str(tmp_path / "list.jsonl")], ())
    assert len({each.video for each in inputs}) == len(inputs) == 2
    assert all(Path(each.video).is_file() and each.query for each in inputs)


def test_starting_up_is_told_apart() -> None:
    report = engine_report([11.0, 10.0, 90.0], 6.0, 6)
    assert report["median_seconds"] == 11.0
    assert report["seconds_per_further_video"] == 1.0
    assert report["videos_per_hour_once_started"] == 3600
    assert engine_report([5.0], 6.0, 2)["videos_per_hour_once_started"] is None


def test_answers_differ_by_what_they_say(tmp_path: Path) -> None:
    row = {"id": "a", "status": "done", "start_seconds": 1.0, "timings": {"x": 1}}
    for name, more in (("one", {}), ("two", {"timings": {}}), ("three", {})):
        (tmp_path / name).mkdir()
        text = json.dumps({**row, **more})
        (tmp_path / name / "results.jsonl").write_text(text + "\n")
    (tmp_path / "three" / "results.jsonl").write_text(
        json.dumps({**row, "start_seconds": 2.0})
    )
    one, two, three = (answers_in(tmp_path / n) for n in ("one", "two", "three"))
    assert one == two != three
    with pytest.raises(FileNotFoundError):
        answers_in(tmp_path)
