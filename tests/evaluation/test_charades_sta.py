"""Charades-STA in both of its formats."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evaluation.datasets import DATASETS, Sample
from evaluation.datasets.loading import Loaded
from stablechat.errors import InputError

LENGTHS = "id,subject,length\nAB1CD,X,40.00\n3MSZA,Y,30.5\n"


def load(path: Path, extra: Path | None = None) -> Loaded:
    return DATASETS["charades-sta"].load(path, "tvg", extra)


def original(folder: Path, text: str, lengths: str = LENGTHS) -> Path:
    (folder / "Charades_v1_test.csv").write_text(lengths)
    path = folder / "charades_sta_test.txt"
    path.write_text(text)
    return path


def converted(folder: Path, *rows: Any) -> Path:
    path = folder / "test.json"
    path.write_text(json.dumps(rows))
    return path


def row(**changes: Any) -> dict[str, Any]:
    good = {"image_id": "3MSZA.mp4", "caption": "A Person runs.", "timestamp": [0.2, 1]}
    return {**good, **changes}


def check(sample: Sample, query: str) -> None:
    assert sample.query == query
    assert sample.whole_video and sample.task == "tvg"
    assert sample.prompt == (
        f"Give you a textual query: '{query}'. When does the described content occur "
        "in the video? Please return the start and end timestamps."
    )


def test_the_original_format(tmp_path: Path) -> None:
    text = "AB1CD 10.0 25.2##a person turns on a light.\n\n3MSZA 0.0 31.0##runs\n"
    loaded = load(original(tmp_path, text))
    assert not loaded.problems
    first, second = loaded.samples
    check(first, "a person turns on a light")
    assert first.video_path == "AB1CD.mp4"
    assert first.true_unit == (0.25, 0.63)
    assert first.truth_fields == {"gt": [0.25, 0.63]}
    assert second.true_unit == (0.0, 1.0)  # half a second behind the end is rounding


def test_the_lengths_may_lie_elsewhere(tmp_path: Path) -> None:
    path = original(tmp_path, "AB1CD 10.0 20.0##runs\n")
    table = (tmp_path / "Charades_v1_test.csv").rename(tmp_path / "other.csv")
    with pytest.raises(InputError, match=r"put Charades_v1_test\.csv beside it"):
        load(path)
    assert load(path, table).samples[0].true_unit == (0.25, 0.5)


def test_each_split_has_its_own_lengths(tmp_path: Path) -> None:
    path = original(tmp_path, "AB1CD 10.0 20.0##runs\n")
    (tmp_path / "Charades_v1_train.csv").write_text("id,length\nTRAIN,50.0\n")
    train = tmp_path / "charades_sta_train.txt"
    train.write_text("TRAIN 10.0 20.0##runs\n")
    other = tmp_path / "mine.txt"
    other.write_text("AB1CD 10.0 20.0##runs\n")
    for each, unit in ((path, 0.25), (train, 0.2), (other, 0.25)):
        loaded = load(each)
        assert not loaded.problems
        assert loaded.samples[0].true_unit is not None
        assert loaded.samples[0].true_unit[0] == unit
    (tmp_path / "Charades_v1_train.csv").unlink()
    with pytest.raises(InputError, match=r"put Charades_v1_train\.csv beside it"):
        load(train)


def test_the_converted_format(tmp_path: Path) -> None:
    (sample,) = load(converted(tmp_path, row())).samples
    check(sample, "a person runs")
    assert sample.true_unit == (0.2, 1.0)


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("AB1CD 10.0 25.1 a person", "expected 'VIDEO START END##SENTENCE'"),
        ("AB1CD ten 25.1##runs", "could not convert string to float: 'ten'"),
        ("AB1CD nan 25.1##runs", "a time must be a number"),
        ("AB1CD 10.0 25.1##", "caption must be text"),
        ("AB1CD 30.0 25.1##runs", "must lie in the video, which lasts 40.0 s"),
        ("AB1CD 39.0 41.5##runs", "must lie in the video"),
        ("ZZZZZ 1.0 2.0##runs", "the table of lengths does not have ZZZZZ"),
        ("../a 1.0 2.0##runs", "the table of lengths does not have ../a"),
    ],
)
def test_bad_lines(tmp_path: Path, line: str, reason: str) -> None:
    text = f"AB1CD 1.0 2.0##runs\n{line}\nAB1CD 3.0 4.0##sits\n"
    loaded = load(original(tmp_path, text))
    (problem,) = loaded.problems
    assert problem.row == 1 and reason in problem.reason
    assert [s.index for s in loaded.samples] == [0, 2]  # none is renumbered


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"timestamp": [2.0, 9.5]}, "a start and an end in 0..1"),
        ({"timestamp": [0.5, 0.2]}, "a start and an end in 0..1"),
        ({"timestamp": [0.5]}, "not enough values"),
        ({"timestamp": None}, "not iterable"),
        ({"image_id": "../x.mp4"}, "must stay in the folder"),
        ({"caption": ""}, "caption must be text"),
    ],
)
def test_bad_rows(tmp_path: Path, changes: dict[str, Any], reason: str) -> None:
    (problem,) = load(converted(tmp_path, row(), row(**changes))).problems
    assert problem.row == 1 and reason in problem.reason


@pytest.mark.parametrize("table", ["", "name,seconds\na,1\n", "id,length\na,long\n"])
def test_a_bad_table(tmp_path: Path, table: str) -> None:
    path = original(tmp_path, "AB1CD 1.0 2.0##runs\n", table)
    if table:
        with pytest.raises(InputError, match="columns id and length"):
            load(path)
    else:
        assert "does not have AB1CD" in load(path).problems[0].reason
