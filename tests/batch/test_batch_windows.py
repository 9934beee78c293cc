"""``batch --window``: long videos, on the local engine."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import golden_files
import pytest
from batch_fakes import FakeChat, inputs_about, questions_in, small_plan
from cli_runs import MODEL, run

from stablechat import second_look as second_look_module
from stablechat import turn as turn_module
from stablechat.cli.batch.jobs import Plan
from stablechat.cli.batch.local_engine import LocalEngine
from stablechat.cli.batch.running import Report, run_batch
from stablechat.types import Generation, SecondLook

BOX = "[<WIDTH-010>,<HEIGHT-010>,<WIDTH-040>,<HEIGHT-040>]"
ANSWER = (
    "During the span of {<TEMP-030><TEMP-060>}. Object bounding box: "
    f"<TEMP-030>:{BOX}, <TEMP-045>:{BOX}, <TEMP-060>:{BOX}"
)
NOTHING = "I can't see that."
WINDOWS = ("--window", "4", "--overlap", "1")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """10 seconds: windows at 0, 3 and 6."""
    folder = tmp_path_factory.mktemp("clips")
    return golden_files.write_clip(folder / "long.mp4", count=100)


@pytest.fixture
def says(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of three windows the first and the last have something; the last is likelier."""
    import torch

    texts = {0: ANSWER, 1: NOTHING, 2: ANSWER}
    asked: list[int] = []

    def generate(*_: Any, **__: Any) -> Generation:
        asked.append(1)
        return Generation(texts[(len(asked) - 1) % 3], (1,), "stop")

    monkeypatch.setattr(
        turn_module, "encode_frames", lambda *_, **__: torch.zeros(1620, 64)
    )
    monkeypatch.setattr(turn_module, "generate", generate)
    monkeypatch.setattr(
        second_look_module,
        "second_look",
        lambda *_: SecondLook("it", 0.1 if len(asked) % 3 == 0 else 0.4),
    )


def without_files(search: dict[str, Any]) -> dict[str, Any]:
    moments = [
        {name: m[name] for name in m if name not in ("files", "timings")}
        for m in search["moments"]
    ]
    return {**search, "moments": moments}


@pytest.mark.parametrize("more", [(), ("--top", "1")])
def test_the_answers_are_those_of_ground(
    clip: Path,
    says: None,
    tmp_path: Path,
    more: tuple[str, ...],
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = (*WINDOWS, *more, "--merge", "--model", MODEL)
    assert run("ground", clip, "it", *options, "--out", tmp_path / "alone") == 0
    one = tmp_path / "batch"
    assert run("batch", clip, "--query", "it", *options, "--out", one, "--json") == 0
    (line,) = (one / "results.jsonl").read_text().splitlines()
    result = json.loads(line)
    folder = one / result["folder"]
    alone = json.loads((tmp_path / "alone" / "long_moments.json").read_text())
    here = json.loads((folder / "result.json").read_text())
    assert here["windows"] == alone["windows"] and len(here["windows"]) == 3
    (search,), (wanted,) = here["searches"], alone["searches"]
    assert without_files(search) == without_files(wanted)
    assert len(search["moments"]) == (1 if more else 2)
    # The result is that of the likeliest: the last window's.
    best = search["moments"][0]["span"]
    assert result["found"] and result["start_seconds"] > 6
    assert round(result["start_seconds"], 6) == best["start_seconds"]
    written = {path.name for path in folder.iterdir()} - {"result.json"}
    assert written == {path.name for path in (tmp_path / "alone").iterdir()}


def test_a_moment_of_a_batch_can_be_cut_again(
    clip: Path, says: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert run("batch", clip, "--query", "it", *WINDOWS, "--model", MODEL,
               "--out", out) == 0  # fmt: skip
    (saved,) = out.glob("answers/*/long_1_grounding.json")
    assert run("clip", clip, saved, "--out", tmp_path / "again") == 0
    assert list((tmp_path / "again").glob("*.mp4"))


def windowed(plan: Plan, inputs: list[Any], log: Path) -> Report:
    engine = LocalEngine(plan, lambda: FakeChat(log))
    return run_batch(inputs, plan, engine, lambda: False, lambda _: None)


def test_all_queries_share_a_video_and_each_has_its_result(
    clip: Path, tmp_path: Path
) -> None:
    bad, log = tmp_path / "bad.mp4", tmp_path / "log"
    bad.write_text("no video")
    inputs = inputs_about([clip, bad], "find it", "nothing", "x" * 9999)
    plan = small_plan(tmp_path / "out", window_seconds=4.0, overlap_seconds=1.0)
    report = windowed(plan, inputs, log)
    found = {(Path(r.video).name, r.query[:7]): r for r in report.results}
    assert len(found) == 6
    moment = found["long.mp4", "find it"]
    assert (moment.status, moment.found) == ("done", True)
    assert moment.start_seconds == 6.0  # the likeliest, not the first
    assert moment.timings["search_seconds"] > 0
    assert not found["long.mp4", "nothing"].found
    assert found["long.mp4", "nothing"].status == "done"
    assert found["long.mp4", "xxxxxxx"].kind == "input"
    for name in ("find it", "nothing", "xxxxxxx"):
        assert found["bad.mp4", name].kind == "input"
    assert len(questions_in(log)) == 2 * 3
    # What is finished is not asked again.
    again = windowed(plan, inputs, log)
    assert again.num_before == 6 and len(questions_in(log)) == 6
    folder = plan.out / found["long.mp4", "nothing"].folder
    data = json.loads((folder / "result.json").read_text())
    assert data["searches"][0]["moments"] == []


def test_a_search_that_ends_with_a_bug_is_told(clip: Path, tmp_path: Path) -> None:
    plan = small_plan(tmp_path / "out", window_seconds=4.0)
    (only,) = windowed(plan, inputs_about([clip], "bug"), tmp_path / "log").results
    assert (only.status, only.kind) == ("failed", "bug")


def test_a_remote_video_is_fetched_for_its_windows(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsspec = pytest.importorskip("fsspec")
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr("tempfile.tempdir", None)
    memory = fsspec.filesystem("memory")
    with clip.open("rb") as source, memory.open("/long/a.mp4", "wb") as target:
        shutil.copyfileobj(source, target)
    plan = small_plan(tmp_path / "out", window_seconds=4.0)
    inputs = inputs_about([clip], "find it")
    inputs = [type(inputs[0])("1", "memory:///long/a.mp4", "find it")]
    (only,) = windowed(plan, inputs, tmp_path / "log").results
    assert only.found, only.reason
    texts = {p.name: p for p in (plan.out / only.folder).glob("*.json")}
    assert {"result.json", "a_moments.json", "a_1_grounding.json"} <= set(texts)
    for path in texts.values():
        data = json.loads(path.read_text())
        assert data["video"]["path"] == "memory:///long/a.mp4", path.name
    assert not list(tmp_path.glob("stablechat-batch-*"))
    memory.rm("/long", recursive=True)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("--overlap 2", "--overlap is for long videos"),
        ("--top 2", "--top is for long videos"),
        ("--merge", "--merge is for long videos"),
        ("--window 0", "longer than 0 s"),
        ("--window 4 --overlap 4", "less than 4 s"),
        ("--window 4 --top 0", "top must be 1 or more"),
        ("--window 4 --candidates 2", "can't be combined with --candidates"),
        ("--window 4 --task tvg", "can't be combined with --task"),
    ],
)
def test_what_makes_no_sense_is_one_plain_line(
    clip: Path,
    tmp_path: Path,
    options: str,
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out = tmp_path / "out"
    asking = (clip, "--query", "it", "--out", out, "--model", MODEL)
    assert run("batch", *asking, *options.split()) == 2
    assert words in capsys.readouterr().err
    assert not out.exists()
