"""The results file, and what is left to do after a run that was killed."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from batch_fakes import inputs_about, small_plan

from stablechat.cli.batch.jobs import BatchInput, Failure, Plan, Result, failed_result
from stablechat.cli.batch.results import ResultsFile, finished_result, sort_out
from stablechat.errors import InputError

VIDEO = Path("/videos/a.mp4")
FACTS = {str(VIDEO): {"size_bytes": 1, "modified_ns": 2}}


@contextmanager
def _limited(size_bytes: int) -> Iterator[None]:
    """No file may be larger, as if the disk were full."""
    resource = pytest.importorskip("resource")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    # Python ignores the signal that comes with it.
    resource.setrlimit(resource.RLIMIT_FSIZE, (size_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def done(plan: Plan, asked: BatchInput, *, write: bool = True) -> Result:
    """A result and its folder."""
    result = Result(
        asked.id, asked.video, asked.query, plan.asked, "done",
        folder=plan.folder_name(asked), files={"result": "result.json"},
        facts=FACTS.get(asked.video),
    )  # fmt: skip
    if write:
        folder = plan.out / result.folder
        folder.mkdir(parents=True)
        (folder / "result.json").write_text(json.dumps({"result": result.to_dict()}))
    return result


def test_lines_come_back_as_they_were(tmp_path: Path) -> None:
    plan = small_plan(tmp_path)
    odd = os.fsdecode(b"/videos/\xff.mp4")
    first = done(plan, inputs_about([VIDEO], "x")[0])
    failed = failed_result(
        plan, BatchInput("2", odd, "\ud800\n"), None, Failure("bug", "why", "trace")
    )
    with ResultsFile(tmp_path) as file:
        file.append(first)
        file.append(failed)
    with ResultsFile(tmp_path) as file:
        assert list(file.results.values()) == [first, failed]
    assert (tmp_path / "results.jsonl").read_bytes().isascii()


def test_two_runs_do_not_write_one_file(tmp_path: Path) -> None:
    with ResultsFile(tmp_path) as file:
        with pytest.raises(InputError, match="Another run"), ResultsFile(tmp_path):
            pass
        plan = small_plan(tmp_path)
        for asked in inputs_about([VIDEO], "x", "y"):
            file.append(done(plan, asked))
        file.remove([inputs_about([VIDEO], "x")[0].id])
        # Still the only one, though the file is another one now.
        with pytest.raises(InputError, match="Another run"), ResultsFile(tmp_path):
            pass
        file.append(done(plan, inputs_about([VIDEO], "z")[0]))
    with ResultsFile(tmp_path) as file:
        assert [each.query for each in file.results.values()] == ["y", "z"]
    assert sorted(os.listdir(tmp_path)) == ["answers", "results.jsonl"]


@pytest.mark.parametrize("cut", [1, 20, -1])
def test_a_line_that_a_kill_cut_off_is_written_again(tmp_path: Path, cut: int) -> None:
    plan = small_plan(tmp_path)
    first, second = (done(plan, each) for each in inputs_about([VIDEO], "x", "y"))
    with ResultsFile(tmp_path) as file:
        file.append(first)
        whole = file.path.read_bytes()
        file.append(second)
        last = file.path.read_bytes()[len(whole) :]
    file.path.write_bytes(whole + last[:cut])
    with ResultsFile(tmp_path) as file:
        assert list(file.results) == [first.id]
        file.append(second)
    assert file.path.read_bytes() == whole + last


@pytest.mark.parametrize("line", ["{}", "[1]", '{"id": 1}', "no JSON", '{"id": "a"}'])
def test_a_file_of_something_else_is_left_alone(tmp_path: Path, line: str) -> None:
    path = tmp_path / "results.jsonl"
    path.write_text(line + "\n")
    with pytest.raises(InputError, match="is not the result"):
        with ResultsFile(tmp_path):
            pass
    assert path.read_text() == line + "\n"


def test_what_is_left_to_do(tmp_path: Path) -> None:
    plan = small_plan(tmp_path)
    finished, failed, unlisted, new = inputs_about([VIDEO], "a", "b", "c", "d")
    inputs = [finished, failed, unlisted, new]
    done(plan, unlisted)  # killed before its line was written
    with ResultsFile(tmp_path) as file:
        file.append(done(plan, finished))
        file.append(failed_result(plan, failed, None, Failure("input", "why")))
        assert sort_out(file, plan, inputs, FACTS) == [new]
        assert set(file.results) == {finished.id, failed.id, unlisted.id}
        assert sort_out(file, plan, inputs, FACTS, retry_failed=True) == [failed, new]
        assert set(file.results) == {finished.id, unlisted.id}
        assert sort_out(file, plan, inputs, FACTS, overwrite=True) == inputs
        assert file.results == {} and os.listdir(tmp_path / "answers") == []


@pytest.mark.parametrize("change", ["options", "video", "file", "query"])
def test_what_changed_is_answered_anew(tmp_path: Path, change: str) -> None:
    plan = small_plan(tmp_path)
    (asked,) = inputs_about([VIDEO], "a")
    facts: dict[str, Any] = dict(FACTS)
    with ResultsFile(tmp_path) as file:
        result = done(plan, asked)
        file.append(result)
        assert sort_out(file, plan, [asked], {}) == []  # a video that is gone
        if change == "options":
            plan = replace(plan, asked="other")
        elif change == "video":
            facts = {str(VIDEO): {"size_bytes": 1, "modified_ns": 3}}
        elif change == "file":
            (tmp_path / result.folder / "result.json").unlink()
        else:
            asked = replace(asked, query="other")
        assert sort_out(file, plan, [asked], facts) == [asked]
        assert file.results == {}


@pytest.mark.parametrize("content", ["", "{}", "[]", '{"result": {}}', "[" * 10_000])
def test_a_folder_of_something_else_is_not_finished(
    tmp_path: Path, content: str
) -> None:
    plan = small_plan(tmp_path)
    (asked,) = inputs_about([VIDEO], "a")
    result = done(plan, asked)
    assert finished_result(plan, asked, None) == result
    (tmp_path / result.folder / "result.json").write_text(content)
    assert finished_result(plan, asked, None) is None


def test_names_in_results_stay_in_their_folder(tmp_path: Path) -> None:
    plan = small_plan(tmp_path)
    result = done(plan, inputs_about([VIDEO], "a")[0])
    assert replace(result, files={"x": "../../etc/passwd"}).names == []


def test_a_full_disk_leaves_whole_lines(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = small_plan(tmp_path)
    first, second = (done(plan, each) for each in inputs_about([VIDEO], "x", "y"))
    with ResultsFile(tmp_path) as file:
        file.append(first)
        before = file.path.read_bytes()

        def refuse(_: int) -> None:
            raise OSError(28, "No space left on device")

        with monkeypatch.context() as patched:
            patched.setattr(os, "fsync", refuse)
            with pytest.raises(InputError, match="No space left"):
                file.append(second)
        assert file.path.read_bytes() == before
        assert second.id not in file.results


def test_a_full_disk_leaves_whole_lines_only(tmp_path: Path) -> None:
    plan = small_plan(tmp_path)
    first, second = (done(plan, each) for each in inputs_about([VIDEO], "x", "y"))
    with ResultsFile(tmp_path) as file:
        file.append(first)
        full = file.path.stat().st_size + 20
        with _limited(full), pytest.raises(InputError, match="written to"):
            file.append(second)
        assert file.path.read_bytes().count(b"\n") == 1
    with ResultsFile(tmp_path) as file:
        assert list(file.results) == [first.id]
        file.append(second)
        with _limited(20), pytest.raises(InputError, match="written to"):
            file.remove([first.id])
        assert not list(tmp_path.glob(".*"))
    with ResultsFile(tmp_path) as file:
        assert list(file.results) == [first.id, second.id]
