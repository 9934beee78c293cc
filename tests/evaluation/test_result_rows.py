"""Result files: half-written, damaged, or about something else."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from evaluation.rows import RowFile, read_json_lines, read_result_rows
from stablechat.errors import InputError

GOOD = {"gt": [0.1, 0.4], "converted_outputs": "{0.1,0.4}"}


def lines(*rows: dict[str, Any]) -> str:
    return "".join(json.dumps(row) + "\n" for row in rows)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "rows.jsonl"


# --- a file that is added to ----------------------------------------------------


@pytest.mark.parametrize(
    ("content", "kept"),
    [
        ("", []),
        ('{"index": 0}\n', [0]),
        ('{"index": 0}\n{"index": 1}\n', [0, 1]),
        ('{"index": 0}\n{"index": 1}', [0, 1]),  # only the line's end is lost
        ('{"index": 0}\n{"index": 1, "vid', [0]),
        ('{"index": 0}\n{', [0]),
        ('{"ind', []),
        ('{"index": 0}\n\n{"index": 1}\n', [0, 1]),
    ],
)
def test_a_run_goes_on_behind_the_last_whole_line(
    path: Path, content: str, kept: list[int]
) -> None:
    path.write_text(content)
    out = RowFile(path)
    assert [row["index"] for row in out.rows] == kept
    assert path.read_text() == content  # not touched before the run begins
    with out:
        out.append({"index": 7})
    assert [row["index"] for row in read_json_lines(path)] == [*kept, 7]


def test_a_half_written_letter_is_cut_off_too(path: Path) -> None:
    path.write_bytes(b'{"index": 0}\n{"index": 1, "query": "caf\xc3')
    with RowFile(path) as out:
        out.append({"index": 1})
    assert [row["index"] for row in read_json_lines(path)] == [0, 1]


def test_each_row_is_there_at_once(path: Path) -> None:
    with RowFile(path) as out:
        assert path.read_text() == ""
        out.append({"index": 0, "query": "é"})
        assert path.read_text(encoding="utf-8") == '{"index": 0, "query": "é"}\n'


def test_a_file_name_that_is_not_utf8_can_be_written(path: Path) -> None:
    with RowFile(path) as out:
        out.append({"index": 0, "video": "a\udcff.mp4"})
    assert read_json_lines(path)[0]["video"] == "a\udcff.mp4"


def test_the_folder_is_made(tmp_path: Path) -> None:
    path = tmp_path / "new" / "rows.jsonl"
    out = RowFile(path)
    assert not path.parent.exists()
    with out:
        pass
    assert path.exists()


@pytest.mark.parametrize(
    "content",
    [
        "a poem\nin two lines\n",
        "a poem in one",
        '{"index": 0}\n1',
        '{"index": 0}\nrubbish\n{"index": 2}\n',
        '{"other": 1}\n',
        '{"index": "0"}\n',
        "[1]\n",
    ],
)
def test_another_file_is_left_alone(path: Path, content: str) -> None:
    path.write_text(content)
    with pytest.raises(InputError, match="something other than the rows"):
        RowFile(path)
    assert path.read_text() == content


def test_a_folder_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="is a folder"):
        RowFile(tmp_path)


def test_a_place_that_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with (
        pytest.raises(InputError, match="can't be written"),
        RowFile(tmp_path / "file" / "rows.jsonl"),
    ):
        pass


# --- a file that is scored ------------------------------------------------------


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (lines(GOOD)[:-5], "Line 1 of .* is not a JSON object"),
        (lines(GOOD) + '{"gt": [0', "Line 2 of .* start the run again"),
        (lines(GOOD) + "[]\n", "Line 2"),
        (lines({"gt": [0.1, 0.4]}), "'converted_outputs'"),
        (lines({**GOOD, "gt": [0.1]}), "expected 2 numbers"),
        (lines({**GOOD, "gt": [0.1, float("nan")]}), "expected 2 numbers"),
        (lines({**GOOD, "gt": "ab"}), "could not convert"),
        (lines({**GOOD, "converted_outputs": 5}), "must be text"),
        (lines({**GOOD, "task": "stvg"}), "Line 1 .* of task stvg"),
        (lines({**GOOD, "index": 3}, {**GOOD, "index": 3}), "a row twice"),
    ],
)
def test_a_file_that_cannot_be_scored(path: Path, content: str, message: str) -> None:
    path.write_text(content)
    with pytest.raises(InputError, match=message):
        read_result_rows(path, "tvg")


def test_an_empty_file_can_be_scored(path: Path) -> None:
    path.write_text("")
    assert read_result_rows(path, "stvg") == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"split": [5, 5]}, "split must be two frame numbers"),
        ({"split": None}, "TypeError"),
        ({"gt": {"svg": {}}}, "tvg"),
        ({"gt": {"tvg": [0, 5]}}, "svg"),
        ({"gt": {"tvg": [0, 5], "svg": {"x": [0, 0, 1, 1]}}}, "invalid literal"),
        ({"gt": {"tvg": [0, 5], "svg": {"0": [0, 0, 1]}}}, "expected 4 numbers"),
        ({"width": "wide"}, "invalid literal"),
        ({"width": float("inf")}, "infinity"),
        ({"outputs": None}, "must be text"),
    ],
)
def test_a_tube_row_that_cannot_be_scored(
    path: Path, change: dict[str, Any], message: str
) -> None:
    good = {
        "split": [0, 9],
        "width": 4,
        "height": 4,
        "gt": {"tvg": [0, 5], "svg": {"0": [0, 0, 1, 1]}},
        "outputs": "",
        "converted_outputs": "",
    }
    path.write_text(lines(good))
    assert len(read_result_rows(path, "stvg")) == 1
    path.write_text(lines({**good, **change}))
    with pytest.raises(InputError, match=message):
        read_result_rows(path, "stvg")


def test_a_file_that_is_not_there(path: Path) -> None:
    with pytest.raises(InputError, match=r"rows\.jsonl can't be read \(No such file"):
        read_result_rows(path, "tvg")
