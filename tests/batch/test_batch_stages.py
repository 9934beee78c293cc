"""Read, answer, finish, and the engine that runs them in this process."""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import fsspec
import pytest
from batch_fakes import FakeChat, inputs_about, questions_in, small_plan, write_videos

from render.exports import load_grounding
from stablechat.cli.batch import stages
from stablechat.cli.batch.failures import attempt
from stablechat.cli.batch.jobs import BatchInput, Failure, Result, digest_of, jobs_of
from stablechat.cli.batch.local_engine import LocalEngine, one_ahead
from stablechat.cli.batch.running import Progress, run_batch
from stablechat.cli.batch.stages import answer, finish, read
from stablechat.errors import (
    CancelledError,
    ModelError,
    OutOfMemoryError,
    RenderError,
    StorageError,
    VideoError,
)
from stablechat.video import probe


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return write_videos(tmp_path_factory.mktemp("videos"), 3)


def run(
    out: Path, inputs: list[BatchInput], log: Path, **options: Any
) -> tuple[dict[str, Result], list[str]]:
    """A whole run; returns results by video's name and query, and what was told."""
    plan = small_plan(out)
    told: list[str] = []
    engine = LocalEngine(plan, lambda: FakeChat(log))
    report = run_batch(
        inputs, plan, engine, options.pop("cancelled", lambda: False), told.append,
        **options,
    )  # fmt: skip
    named = {f"{Path(r.video).name} {r.query}": r for r in report.results}
    assert len(named) == report.num_inputs == len(inputs)
    return named, told


def test_exactly_one_result_for_each_input(videos: list[Path], tmp_path: Path) -> None:
    out, log = tmp_path / "out", tmp_path / "log"
    bad = tmp_path / "bad.mp4"
    bad.write_text("no video")
    inputs = inputs_about([*videos[:2], bad], "find it", "nothing", "bug", "x" * 9999)
    found, told = run(out, inputs, log)
    assert [each.status for each in found.values()] == (
        ["done", "done", "failed", "failed"] * 2 + ["failed"] * 4
    )
    first = found["v0.mp4 find it"]
    assert (first.start_seconds, first.end_seconds) == (0.5, 1.0)
    assert set(first.files) == {"clip", "result"} and first.is_whole(out)
    assert not found["v0.mp4 nothing"].found
    assert set(found["v0.mp4 nothing"].files) == {"result"}
    bug = found["v1.mp4 bug"]
    assert bug.kind == "bug" and bug.reason == "RuntimeError: no error of ours"
    assert "batch_fakes.py" in bug.detail
    assert found["bad.mp4 nothing"].kind == "input"
    assert "is not a video" in found["bad.mp4 nothing"].reason
    assert len(told) >= 8
    # A query that can't be asked does not come to the model.
    assert len(questions_in(log)) == 6
    lines = (out / "results.jsonl").read_text().splitlines()
    assert len({json.loads(line)["id"] for line in lines}) == len(lines) == 12
    again, _ = run(out, inputs, log)
    assert again == found and len(questions_in(log)) == 6
    again, _ = run(out, inputs, log, retry_failed=True)
    assert len(questions_in(log)) == 8  # the bugs


def test_an_answer_can_be_cut_again(videos: list[Path], tmp_path: Path) -> None:
    found, _ = run(
        tmp_path / "out", inputs_about(videos[:1], "find it"), tmp_path / "l"
    )
    (result,) = found.values()
    folder = tmp_path / "out" / result.folder
    assert probe(folder / result.files["clip"]).codec == "h264"
    loaded = load_grounding(folder / "result.json", videos[0])
    assert loaded.query == "find it" and loaded.span is not None
    data = json.loads((folder / "result.json").read_text())
    assert data["video"]["path"] == str(videos[0])
    assert data["files"] == {"clip": "v0_clip.mp4", "result": "result.json"}


@pytest.mark.parametrize("second_look", [True, False])
def test_an_answer_is_looked_at_again(
    videos: list[Path], tmp_path: Path, second_look: bool
) -> None:
    plan = small_plan(tmp_path, second_look=second_look)
    (job,) = jobs_of(inputs_about(videos[:1], "find it"), {})
    (answered,) = answer(plan, FakeChat(tmp_path / "log"), read(plan, job))
    result = finish(plan, answered)
    assert result.is_guess == second_look
    data = json.loads((tmp_path / result.folder / "result.json").read_text())
    assert data["is_guess"] == second_look
    assert ("second_look" in data) == second_look
    assert ("second_look_seconds" in result.timings) == second_look


def test_a_remote_video_leaves_no_copy(
    videos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(scratch))
    fsspec.filesystem("memory").pipe("/far/v.mp4", videos[0].read_bytes())
    address = "memory:///far/v.mp4"
    inputs = [BatchInput(digest_of(address, q), address, q) for q in ("find it", "no")]
    gone = "memory:///far/gone.mp4"
    inputs.append(BatchInput(digest_of(gone, "no"), gone, "no"))
    found, _ = run(tmp_path / "out", inputs, tmp_path / "log")
    assert found["v.mp4 find it"].files["clip"] == "v_clip.mp4"
    assert found["gone.mp4 no"].reason == f"There is no {gone}."
    data = tmp_path / "out" / found["v.mp4 find it"].folder / "result.json"
    assert json.loads(data.read_text())["video"]["path"] == address
    assert str(scratch) not in data.read_text()
    assert list(scratch.iterdir()) == []


def test_a_run_that_is_stopped_goes_on(videos: list[Path], tmp_path: Path) -> None:
    out, log = tmp_path / "out", tmp_path / "log"
    inputs = inputs_about(videos, "a", "b")
    with pytest.raises(CancelledError):
        run(out, inputs, log, cancelled=lambda: len(questions_in(log)) >= 3)
    before = questions_in(log)
    assert 3 <= len(before) < 6
    finished = (out / "results.jsonl").read_text().splitlines()
    assert 1 <= len(finished) <= 3
    found, _ = run(out, inputs, log)
    assert all(each.status == "done" for each in found.values())
    # Only the question that was being answered is asked twice.
    assert len(questions_in(log)) <= 7
    assert (out / "results.jsonl").read_text().splitlines()[: len(finished)] == finished
    assert not [t for t in threading.enumerate() if t.name.startswith("batch")]


def test_what_was_finished_but_not_written_down_is_not_repeated(
    videos: list[Path], tmp_path: Path
) -> None:
    out, log = tmp_path / "out", tmp_path / "log"
    inputs = inputs_about(videos, "find it")
    found, _ = run(out, inputs, log)
    path = out / "results.jsonl"
    path.write_bytes(path.read_bytes()[:-30])
    again, _ = run(out, inputs, log)
    assert again == found and len(questions_in(log)) == 3


def test_an_unfinished_folder_is_done_again(videos: list[Path], tmp_path: Path) -> None:
    out, log = tmp_path / "out", tmp_path / "log"
    inputs = inputs_about(videos[:1], "find it")
    (result,) = run(out, inputs, log)[0].values()
    folder = out / result.folder
    (folder / "result.json").unlink()
    (folder / ".stablechat-xyz").mkdir()
    (out / "results.jsonl").unlink()
    run(out, inputs, log)
    assert sorted(path.name for path in folder.iterdir()) == [
        "result.json",
        "v0_clip.mp4",
    ]


def test_a_model_that_cannot_be_loaded_ends_the_run(
    videos: list[Path], tmp_path: Path
) -> None:
    def load() -> FakeChat:
        raise ModelError("There is no model.")

    plan = small_plan(tmp_path / "out")
    inputs = inputs_about(videos, "a")
    with pytest.raises(ModelError):
        run_batch(inputs, plan, LocalEngine(plan, load), lambda: False, print)
    assert (tmp_path / "out" / "results.jsonl").read_bytes() == b""


def test_what_an_engine_lost_is_a_result_too(tmp_path: Path) -> None:
    class Forgetful:
        """Gives one result twice, and another one never."""

        def run(self, jobs: Any, cancelled: Any) -> Iterator[Result]:
            plan = small_plan(tmp_path)
            one = Result(jobs[0].inputs[0].id, "a", "x", plan.asked, "done")
            yield from (one, one)

    inputs = inputs_about([Path("/a"), Path("/b")], "x")
    plan = small_plan(tmp_path)
    report = run_batch(inputs, plan, Forgetful(), lambda: False, print)  # type: ignore[arg-type]
    assert [each.status for each in report.results] == ["done", "failed"]
    assert report.failed[0].kind == "infrastructure"
    assert len((tmp_path / "results.jsonl").read_text().splitlines()) == 2


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (VideoError("bad"), "input"),
        (StorageError("away"), "infrastructure"),
        (OutOfMemoryError("full"), "infrastructure"),
        (RenderError("odd"), "input"),
        (ValueError("bug"), "bug"),
    ],
)
def test_whose_fault_it_is(error: Exception, kind: str) -> None:
    def work() -> None:
        raise error

    failure = attempt(work)
    assert isinstance(failure, Failure) and failure.kind == kind


def test_a_full_disk_is_no_fault_of_the_video() -> None:
    def work() -> None:
        raise RenderError("It can't be written.") from OSError(28, "full")

    failure = attempt(work)
    assert isinstance(failure, Failure) and failure.kind == "infrastructure"
    with pytest.raises(CancelledError):
        attempt(work, lambda: True)


def test_frames_are_small_where_they_are_sent(
    videos: list[Path], tmp_path: Path
) -> None:
    plan = small_plan(tmp_path)
    (job,) = jobs_of(inputs_about(videos[:1], "a"), {})
    assert read(plan, job).sample.frames.shape == (4, 64, 96, 3)  # type: ignore[union-attr]
    small = read(plan, job, small=True)
    assert small.sample is not None and small.sample.frames.shape == (4, 28, 28, 3)
    (answered,) = answer(plan, FakeChat(tmp_path / "log"), small)
    first = finish(plan, answered)
    assert first.status == "done" and first.timings["read_seconds"] > 0
    # Twice is once.
    assert finish(plan, answered) == first


def test_a_clip_that_cannot_be_written_leaves_nothing(
    videos: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: Any, **__: Any) -> None:
        raise RenderError("It can't be written.")

    monkeypatch.setattr(stages, "_write_result", refuse)
    found, _ = run(
        tmp_path / "out", inputs_about(videos[:1], "find it"), tmp_path / "l"
    )
    (result,) = found.values()
    assert result.status == "failed" and result.reason == "It can't be written."
    assert list((tmp_path / "out" / "answers").iterdir()) == []


def test_one_ahead_and_no_further() -> None:
    begun: list[int] = []
    made = one_ahead(lambda n: begun.append(n) or n, iter(range(5)))
    assert next(made) == 0 and begun in ([0], [0, 1])
    assert list(made) == [1, 2, 3, 4]
    broken = one_ahead(lambda n: 1 // n, [1, 0, 1])
    assert next(broken) == 1
    with pytest.raises(ZeroDivisionError):
        next(broken)


def test_progress_tells_what_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    shown: list[tuple[str, float]] = []
    told: list[str] = []
    progress = Progress(4, told.append, lambda line, part: shown.append((line, part)))
    now[0] += 30
    result = Result("1", "a", "x", "", "done")
    progress.add(result)
    assert shown == [("1 of 4, 0:01:30 left,", 0.25)]
    progress.add(replace(result, status="failed", reason="why"))
    assert shown[1][0] == "2 of 4, 1 failed, 0:00:30 left," and told == ["a: why"]
