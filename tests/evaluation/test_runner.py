"""The loop: rows as they come, missing videos, going on after a kill."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from eval_samples import ANSWER, FakeAsker, annotation

from evaluation.datasets import Sample, read_sample
from evaluation.processes import ALONE, Processes, launched_processes
from evaluation.protocols import score
from evaluation.row_file import RowFile
from evaluation.rows import read_json_lines, read_result_rows
from evaluation.runner import RunSummary, run
from stablechat.errors import InputError, OutOfMemoryError
from stablechat.types import Generation, GenerationConfig

ROOT = Path(__file__).resolve().parents[2]


def samples(*names: str) -> list[Sample]:
    return [
        read_sample(index, annotation(video_path=f"{name}.mp4"), "stvg")
        for index, name in enumerate(names)
    ]


def go(
    asked: Sequence[Sample],
    out: Path,
    asker: FakeAsker | None = None,
    stderr: io.StringIO | None = None,
    seconds: Sequence[float] = (),
) -> RunSummary:
    ticks = iter(seconds)
    return run(
        asked,
        Path("/videos"),
        asker or FakeAsker(),
        RowFile(out),
        GenerationConfig(),
        stderr=stderr or io.StringIO(),
        clock=lambda: next(ticks, 0.0),
    )


def without_seconds(path: Path) -> list[dict[str, Any]]:
    return [{**row, "seconds": None} for row in read_json_lines(path)]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "rows.jsonl"


def test_a_row(out: Path) -> None:
    go(samples("a"), out)
    (row,) = read_json_lines(out)
    assert row.pop("seconds") >= 0
    assert row.pop("prompt").startswith("When can we see it?")
    assert row.pop("gt")["tvg"] == [20, 50]
    assert row.pop("converted_outputs").startswith("During the span of {0.20202,")
    assert row == {
        "index": 0,
        "task": "stvg",
        "model": "fake",
        "video": "a.mp4",
        "query": "the red circle moving left",
        "split": [0, 100],
        "width": 200,
        "height": 100,
        "outputs": ANSWER,
        "finish_reason": "stop",
        "num_tokens": 0,
        "num_passes": 0,
        "missing": False,
        "error": None,
    }


def test_what_was_written_can_be_scored(out: Path) -> None:
    go(samples("a", "missing", "b"), out)
    found = score(read_result_rows(out, "stvg"), "stvg", "strict")
    counts = (found["num_rows"], found["num_missing"], found["num_unparsed"])
    assert counts == (3, 1, 0)
    # Bins 20 and 50 of frames 0..100: 0.20202 to 0.50505 against 0.2 to 0.5.
    each = (0.5 - 0.20202) / (0.50505 - 0.2)
    assert found["mtiou"] == pytest.approx(2 / 3 * each)


def test_a_missing_video_is_a_row_with_its_reason(out: Path) -> None:
    stderr = io.StringIO()
    summary = go(samples("missing", "a"), out, stderr=stderr)
    row = read_json_lines(out)[0]
    assert (row["missing"], row["outputs"], row["finish_reason"]) == (True, "", None)
    assert row["error"] == "There is no file missing.mp4."
    assert row["gt"]["tvg"] == [20, 50]  # strict scoring needs the truth
    assert summary == RunSummary(num_rows=2, num_new=2, num_missing=1, num_cut=0)
    assert "1 missing" in stderr.getvalue()


def test_a_model_that_fails_ends_the_run_and_keeps_its_rows(out: Path) -> None:
    def answer(number: int) -> str:
        if number == 2:
            raise OutOfMemoryError("The card is full.")
        return ANSWER

    with pytest.raises(OutOfMemoryError):
        go(samples(*"abcd"), out, FakeAsker(answer))
    assert [row["index"] for row in read_json_lines(out)] == [0, 1]


@pytest.mark.parametrize("tail", ["", '{"index": 2, "task": "st'])
def test_it_goes_on_after_a_stop(out: Path, tmp_path: Path, tail: str) -> None:
    def answer(number: int) -> str:
        if number == 2:
            raise KeyboardInterrupt
        return ANSWER

    asked = samples(*"abcd")
    with pytest.raises(KeyboardInterrupt):
        go(asked, out, FakeAsker(answer))
    with out.open("a") as file:
        file.write(tail)
    again = FakeAsker()
    summary = go(asked, out, again)
    assert again.asked == ["c.mp4", "d.mp4"]
    assert summary == RunSummary(num_rows=4, num_new=2, num_missing=0, num_cut=0)
    whole = tmp_path / "whole.jsonl"
    go(asked, whole)
    assert without_seconds(out) == without_seconds(whole)


def test_it_goes_on_after_a_kill(out: Path) -> None:
    script = f"""
import os, signal, sys
sys.path[:0] = [{str(ROOT)!r}, {str(Path(__file__).parent)!r}]
from pathlib import Path
from test_runner import FakeAsker, go, samples, ANSWER

def answer(number):
    if number == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    return ANSWER

go(samples(*"abcd"), Path({str(out)!r}), FakeAsker(answer))
"""
    done = subprocess.run([sys.executable, "-c", script], env={**os.environ})
    assert done.returncode == -signal.SIGKILL
    assert [row["index"] for row in read_json_lines(out)] == [0, 1]
    again = FakeAsker()
    go(samples(*"abcd"), out, again)
    assert len(again.asked) == 2
    assert [row["index"] for row in read_json_lines(out)] == [0, 1, 2, 3]


class Found(FakeAsker):
    """Has all videos but one."""

    def ask(self, video: Path, sample: Sample, config: GenerationConfig) -> Generation:
        if video.name == "missing-still.mp4":
            return super().ask(video, sample, config)
        self.asked.append(video.name)
        return Generation(ANSWER, (), "stop")


@pytest.mark.parametrize("processes", [ALONE, Processes(0, 2)])
def test_videos_that_were_missing_are_asked_again(
    out: Path, processes: Processes, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = samples("a", "missing", "b", "missing-still")
    go(asked, out)
    monkeypatch.setattr(Processes, "wait_for_all", lambda _: None)
    monkeypatch.setattr(Processes, "part_of", lambda _, items: items)
    again, file = Found(), RowFile(out)
    config, videos = GenerationConfig(), Path("/videos")
    summary = run(asked, videos, again, file, config, processes=processes)
    assert again.asked == ["missing.mp4"]
    assert summary == RunSummary(num_rows=4, num_new=2, num_missing=1, num_cut=0)
    rows = read_json_lines(out)
    assert [row["index"] for row in rows] == [0, 1, 2, 3]
    assert [row["missing"] for row in rows] == [False, False, False, True]


def test_a_file_whose_rows_were_dropped_is_still_this_runs(out: Path) -> None:
    go(samples("a", "missing"), out)
    with RowFile(out) as file:
        file.drop({1})
        with pytest.raises(InputError, match="Another run is writing"):
            RowFile(out)
        file.append({"index": 5})
    assert [row["index"] for row in read_json_lines(out)] == [0, 5]


def test_nothing_left_to_ask(out: Path) -> None:
    go(samples("a"), out)
    before = out.read_bytes()
    assert go(samples("a"), out).num_new == 0
    assert out.read_bytes() == before


def test_a_larger_run_goes_on_from_a_smaller_one(out: Path) -> None:
    go(samples(*"abc")[1:2], out)
    assert go(samples(*"abc"), out).num_new == 2
    assert [row["index"] for row in read_json_lines(out)] == [1, 0, 2]


def test_rows_of_other_annotations_are_refused(out: Path) -> None:
    go(samples("a"), out)
    with pytest.raises(InputError, match="other annotations"):
        go(samples("b"), out)
    other = read_sample(0, annotation(video_path="a.mp4"), "svg")
    with pytest.raises(InputError, match="another task"):
        go([other], out)


def test_rows_of_another_model_are_refused(out: Path) -> None:
    go(samples("a"), out)
    with pytest.raises(InputError, match="answers of fake, not other"):
        go(samples("a", "b"), out, FakeAsker(name="other"))


def test_progress_says_how_long_it_will_take(out: Path) -> None:
    stderr = io.StringIO()
    # The clock: at the start, and after each row.
    go(samples(*"abcd"), out, stderr=stderr, seconds=[0, 30, 34, 60, 80])
    assert stderr.getvalue().splitlines() == [
        "1/4 rows, 0 missing, 30.0 s a row, 0:01:30 left",
        "3/4 rows, 0 missing, 20.0 s a row, 0:00:20 left",
        "4/4 rows, 0 missing, 20.0 s a row, 0:00:00 left",
    ]


def test_progress_counts_what_was_there(out: Path) -> None:
    go(samples(*"abcd")[:3], out)
    stderr = io.StringIO()
    go(samples(*"abcd"), out, stderr=stderr, seconds=[0, 3700])
    assert stderr.getvalue().splitlines() == [
        "3 of 4 rows are there already",
        "4/4 rows, 0 missing, 3700.0 s a row, 0:00:00 left",
    ]


def test_answers_that_were_cut_are_counted(out: Path) -> None:
    go(samples("a"), out)
    row = {**json.loads(out.read_text()), "finish_reason": "length"}
    out.write_text(json.dumps(row) + "\n")
    assert go(samples("a"), out).num_cut == 1


# --- one writer, or several that share the work ---------------------------------


def test_two_runs_with_one_file_are_refused(out: Path) -> None:
    with RowFile(out) as first:
        first.append({"index": 0})
        with pytest.raises(InputError, match="Another run is writing"):
            RowFile(out)
        late = RowFile(out, check_lock=False)
        with pytest.raises(InputError, match="Another run is writing"), late:
            pass
        first.append({"index": 1})
    assert [row["index"] for row in RowFile(out).rows] == [0, 1]


def test_a_lock_ends_with_its_process(out: Path) -> None:
    script = f"""
import os, signal, sys
sys.path[:0] = [{str(ROOT)!r}]
from pathlib import Path
from evaluation.row_file import RowFile
with RowFile(Path({str(out)!r})) as file:
    file.append({{"index": 0}})
    os.kill(os.getpid(), signal.SIGKILL)
"""
    done = subprocess.run([sys.executable, "-c", script])
    assert done.returncode == -signal.SIGKILL
    with RowFile(out) as file:
        assert [row["index"] for row in file.rows] == [0]


def test_a_file_that_grew_since_it_was_looked_at(out: Path) -> None:
    go(samples(*"ab")[:1], out)
    early = RowFile(out)
    go(samples(*"ab"), out)
    asker = FakeAsker()
    run(samples(*"abc"), Path("/videos"), asker, early, GenerationConfig())
    assert asker.asked == ["c.mp4"]
    assert [row["index"] for row in read_json_lines(out)] == [0, 1, 2]


def test_what_parts_have_left_is_taken_over(out: Path, tmp_path: Path) -> None:
    """Parts of a killed run of several: some rows twice, one line cut."""
    asked = samples(*"abcd")
    whole = tmp_path / "whole.jsonl"
    go(asked, whole)
    lines = whole.read_text().splitlines(keepends=True)
    out.write_text(lines[0])
    out.with_name("rows.jsonl.part0").write_text(lines[0] + lines[1])
    out.with_name("rows.jsonl.part3").write_text(lines[3] + lines[2][:50])
    again = FakeAsker()
    summary = go(asked, out, again)
    assert again.asked == ["c.mp4"]
    assert summary == RunSummary(num_rows=4, num_new=1, num_missing=0, num_cut=0)
    assert sorted(tmp_path.iterdir()) == [out, whole]
    assert [row["index"] for row in read_json_lines(out)] == [0, 1, 3, 2]


@pytest.mark.parametrize("count", [1, 2, 3, 7])
def test_the_shares_are_everything_once(count: int) -> None:
    items = list(range(11))
    shares = [list(Processes(rank, count).part_of(items)) for rank in range(count)]
    assert [item for share in shares for item in share] == items
    assert max(map(len, shares)) - min(map(len, shares)) <= 1


def test_processes_share_what_is_left(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Processes, "wait_for_all", lambda _: None)
    asked = samples(*"abcdef")
    go(asked[:2], out)
    second, second_file = FakeAsker(), RowFile(out, check_lock=False)
    config, videos = GenerationConfig(), Path("/videos")
    there = Processes(rank=1, count=2)
    assert run(asked, videos, second, second_file, config, processes=there) is None
    assert second.asked == ["e.mp4", "f.mp4"]
    first = FakeAsker()
    run(asked, videos, first, RowFile(out), config, processes=Processes(0, 2))
    assert first.asked == ["c.mp4"]
    assert [row["index"] for row in read_json_lines(out)] == [0, 1, 2, 4, 5]


def test_the_launcher_says_who_one_is(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("RANK", "WORLD_SIZE", "LOCAL_RANK"):
        monkeypatch.delenv(name, raising=False)
    assert launched_processes() is ALONE
    for name, value in (("RANK", "5"), ("WORLD_SIZE", "8"), ("LOCAL_RANK", "1")):
        monkeypatch.setenv(name, value)
    assert launched_processes() == Processes(5, 8, 1)


def test_sampled_rows_have_seeds_of_their_own(out: Path) -> None:
    seeds: dict[str, int] = {}

    class Listening(FakeAsker):
        def ask(self, video: Path, sample: Any, config: Any) -> Any:
            seeds[video.name] = config.seed
            return super().ask(video, sample, config)

    def asked(names: str, seed: int) -> dict[str, int]:
        seeds.clear()
        out.unlink(missing_ok=True)
        config = GenerationConfig(temperature=0.1, seed=seed)
        chosen = [s for s in samples(*"abcd") if s.video_path[0] in names]
        run(chosen, Path("/videos"), Listening(), RowFile(out), config)
        return dict(seeds)

    all_of_them, other_seed = asked("abcd", 1), asked("abcd", 2)
    assert len({*all_of_them.values(), *other_seed.values()}) == 8
    assert asked("bd", 1) == {k: all_of_them[k] for k in ("b.mp4", "d.mp4")}
