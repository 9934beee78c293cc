"""What is to be answered: names, folders, lists, addresses."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import fsspec
import pytest

from stablechat.cli.batch.inputs import collect_inputs, facts_of
from stablechat.cli.batch.jobs import jobs_of
from stablechat.errors import InputError


def write_list(path: Path, *rows: Any) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_every_question_about_every_video_once(tmp_path: Path) -> None:
    for name in ("b.mp4", "a.mp4"):
        (tmp_path / name).touch()
    (tmp_path / "notes.txt").touch()
    names = [str(tmp_path), f"{tmp_path}/a.*", (tmp_path / "b.mp4").as_uri()]
    inputs = collect_inputs(names, ("x", "y"))
    asked = [(Path(each.video).name, each.query) for each in inputs]
    assert asked == [("a.mp4", "x"), ("a.mp4", "y"), ("b.mp4", "x"), ("b.mp4", "y")]
    assert len({each.id for each in inputs}) == 4
    assert collect_inputs(names[1:], ("x",))[0] == inputs[0]
    jobs = jobs_of(inputs, facts_of(inputs))
    assert [len(job.inputs) for job in jobs] == [2, 2]
    assert jobs[0].facts and set(jobs[0].facts) == {"size_bytes", "modified_ns"}


def test_a_list_gives_queries_and_ids(tmp_path: Path) -> None:
    listed = write_list(
        tmp_path / "list.jsonl",
        {"video": "a.mp4", "query": "x", "id": "first", "more": 1},
        {"video": str(tmp_path / "b.mp4")},
        {"video": "memory://m/c.mp4", "query": ""},
    )
    inputs = collect_inputs([str(listed)], ("usual",))
    told = [(each.video, each.query) for each in inputs]
    assert told == [
        (str(tmp_path / "a.mp4"), "x"),
        (str(tmp_path / "b.mp4"), "usual"),
        ("memory:///m/c.mp4", ""),
    ]
    assert inputs[0].id == "first"


def test_a_parquet_list_and_one_that_is_elsewhere(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    from pyarrow import parquet, table

    rows = {"video": ["a.mp4", "b.mp4"], "query": ["x", None], "size": [1, 2]}
    parquet.write_table(table(rows), tmp_path / "list.parquet")
    inputs = collect_inputs([str(tmp_path / "list.parquet")], ("usual",))
    assert [each.query for each in inputs] == ["x", "usual"]
    fsspec.filesystem("memory").pipe("/lists/l.jsonl", b'{"video": "a.mp4"}\n')
    (only,) = collect_inputs(["memory://lists/l.jsonl"], ("x",))
    assert only.video == "memory:///lists/a.mp4"


def test_names_that_are_no_text(tmp_path: Path) -> None:
    name = os.fsdecode(os.fsencode(tmp_path) + b"/\xff.mp4")
    Path(name).touch()
    (only,) = collect_inputs([str(tmp_path)], ("half \ud800 of it",))
    assert only.video == name and len(only.digest) == 16


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ('{"video": "a.mp4"}', "nothing to look for in .*a.mp4"),
        ('{"query": "x"}', "Row 1 of .* has no video"),
        ('{"video": "", "query": "x"}', "has no video"),
        ('{"video": 3}', "video must be text"),
        ('["a.mp4"]', "must be an object"),
        ('{"video": "a.mp4", "query": "x"}\n{"video"', "not JSON"),
        ('{"video": "a.mp4", "query": "x", "id": ""}', "id must be"),
        ('{"video": "a.mp4", "query": "x", "id": "a\\nb"}', "id must be"),
        ('{"video": "ftp://h/a.mp4", "query": "x"}', "an address begins with"),
        (
            '{"video": "a", "query": "x", "id": "1"}\n'
            '{"video": "b", "query": "x", "id": "1"}',
            "more than one input",
        ),
        (
            '{"video": "a", "query": "x", "id": "1"}\n'
            '{"video": "a", "query": "x", "id": "2"}',
            "has two ids",
        ),
        ("[" * 100_000, "not JSON"),
        ("x" * (1 << 21), "longer than"),
        ("\udcff", "not JSON"),
    ],
)
def test_a_damaged_list_is_refused_before_anything(
    tmp_path: Path, lines: str, words: str
) -> None:
    path = tmp_path / "list.jsonl"
    path.write_bytes(lines.encode(errors="surrogateescape"))
    with pytest.raises(InputError, match=words):
        collect_inputs([str(path)], ())


def test_a_list_that_is_no_parquet(tmp_path: Path) -> None:
    pytest.importorskip("pyarrow")
    path = tmp_path / "list.parquet"
    path.write_bytes(b"PAR1 is how it begins")
    with pytest.raises(InputError, match="can't be read"):
        collect_inputs([str(path)], ("x",))


def test_an_id_stands_for_one_query(tmp_path: Path) -> None:
    listed = write_list(tmp_path / "list.jsonl", {"video": "a.mp4", "id": "1"})
    with pytest.raises(InputError, match="several queries"):
        collect_inputs([str(listed)], ("x", "y"))
