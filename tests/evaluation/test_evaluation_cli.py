"""``python -m evaluation``: from annotations to metrics, and what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from eval_runs import call, run_arguments, write_world
from eval_samples import GOLDEN_METRICS, annotation, write_annotations, write_rows

from evaluation import __main__ as cli
from evaluation.rows import read_json_lines

ROOT = Path(__file__).resolve().parents[2]
EXPECTED = json.loads((GOLDEN_METRICS / "expected.json").read_text())


@pytest.fixture
def world(tmp_path: Path) -> Path:
    return write_world(tmp_path)


def test_from_annotations_to_metrics(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(*run_arguments(world)) == 0
    told = capsys.readouterr()
    assert "3 rows, 3 of them new; 2 without a usable video, 1 cut" in told.out
    assert "3/3 rows, 2 missing" in told.err
    rows = read_json_lines(world / "rows.jsonl")
    assert [row["missing"] for row in rows] == [False, True, True]
    assert "gone.mp4" in rows[1]["error"] and "broken.mp4" in rows[2]["error"]
    assert rows[0]["finish_reason"] == "length"
    assert call("score", world / "rows.jsonl", "--task", "stvg") == 0
    found = json.loads(capsys.readouterr().out)
    assert (found["num_rows"], found["num_missing"], found["num_unparsed"]) == (3, 2, 1)


@pytest.mark.parametrize("task", ["stvg", "svg", "elc", "tvg", "rec"])
def test_score_prints_one_flat_object(
    task: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = GOLDEN_METRICS / f"{task}.jsonl"
    more = () if task != "elc" else ("--captions", "no")
    assert call("score", path, "--task", task, "--protocol", "released", *more) == 0
    found = json.loads(capsys.readouterr().out)
    expected = EXPECTED[task].get("overall", EXPECTED[task])
    assert {key: found[key] for key in expected if key != "caption_score"} == {
        key: pytest.approx(value, abs=1e-9)
        for key, value in expected.items()
        if key != "caption_score"
    }
    assert all(isinstance(value, (int, float)) for value in found.values())


def nothing_to_score(kind: str, task: str) -> list[dict[str, Any]]:
    """Rows of which none says anything: no rows, no videos, or no words of sense."""
    rows = [json.loads(line) for line in (GOLDEN_METRICS / f"{task}.jsonl").open()]
    nothing = {
        "empty": {},
        "missing": {"outputs": "", "converted_outputs": "", "missing": True},
        "unparsed": {"outputs": "Well.", "converted_outputs": "Well."},
    }[kind]
    return [{**row, **nothing} for row in rows[: 0 if kind == "empty" else 3]]


@pytest.mark.parametrize("kind", ["empty", "missing", "unparsed"])
@pytest.mark.parametrize("protocol", ["released", "strict"])
@pytest.mark.parametrize("task", ["stvg", "svg", "elc", "tvg", "rec"])
def test_score_has_all_keys_where_there_is_nothing_to_score(
    task: str,
    protocol: str,
    kind: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    rows = write_rows(tmp_path / "rows.jsonl", nothing_to_score(kind, task))
    words = ("score", rows, "--task", task, "--protocol", protocol, "--bootstrap", 9)
    assert call(*words, "--captions", "no") == 0
    told = capsys.readouterr()
    found = json.loads(told.out)
    num_rows = 0 if kind == "empty" else 3
    assert found["num_rows"] == num_rows
    assert found["num_unparsed"] == (num_rows if kind == "unparsed" else 0)
    assert found["num_missing"] == (num_rows if kind == "missing" else 0)
    assert ("holds no rows" in told.err) is (kind == "empty")
    keys = {*EXPECTED[task].get("overall", EXPECTED[task])} - {"caption_score"}
    assert keys <= found.keys()
    # The question of SVG gives the time: strictly there is nothing to measure.
    no_times = task == "svg" and protocol == "strict"
    untimed = {key for key in keys if no_times and key.startswith(("mtiou", "tiou"))}
    assert {key: found[key] for key in keys} == {
        key: None if key in untimed else 0.0 for key in keys
    }


def test_captions_that_cannot_be_scored(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    score = ("score", GOLDEN_METRICS / "elc.jsonl", "--task", "elc")
    assert call(*score) == 0
    told = capsys.readouterr()
    assert "note: Captions are not scored" in told.err and "Java" in told.err
    assert "METEOR" not in json.loads(told.out)
    assert call(*score, "--captions", "yes") == cli.EXIT_BAD_INPUT
    assert capsys.readouterr().err.startswith("error: Captions are not scored")


def test_confidence_intervals(capsys: pytest.CaptureFixture[str]) -> None:
    path = GOLDEN_METRICS / "stvg.jsonl"
    assert call("score", path, "--task", "stvg", "--bootstrap", 200) == 0
    found = json.loads(capsys.readouterr().out)
    for name in ("mtiou", "siou@0.5", "viou@0.7"):
        assert found[f"{name}_low"] < found[name] < found[f"{name}_high"]


@pytest.mark.parametrize("protocol", ["hcstvg", "vidstg"])
def test_the_benchmarks_own_metrics(
    protocol: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = GOLDEN_METRICS / "stvg.jsonl"
    assert call("score", path, "--task", "stvg", "--protocol", protocol) == 0
    found = json.loads(capsys.readouterr().out)
    assert 0.3 < found["m_viou"] < found["m_tiou"] < 0.7
    assert call("score", path, "--task", "elc", "--protocol", protocol) == 2
    assert "is for task stvg" in capsys.readouterr().err


def test_scoring_loads_no_torch() -> None:
    script = (
        "import sys\nfrom evaluation.__main__ import main\n"
        f"main(['score', {str(GOLDEN_METRICS / 'stvg.jsonl')!r}, '--task', 'stvg'])\n"
        "heavy = ('torch', 'transformers', 'av', 'cv2', 'moviepy', 'gradio')\n"
        "print([name for name in heavy if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[-1] == "[]"


#: Arguments behind those of a good run, and what the line on stderr says.
BAD_RUNS: list[tuple[str, str]] = [
    ("--task tvg", "ST-Align has no task tvg; it has stvg, svg, elc"),
    ("--task dance", "invalid choice: 'dance'"),
    ("--dataset kinetics", "invalid choice: 'kinetics'"),
    ("--temperature -1", "must be a number from 0 on"),
    ("--limit 0", "must be a number from 1 on"),
    ("--limit x", "must be a number from 1 on"),
    ("--subset -1", "must be a number from 1 on"),
    ("--seed 3", "--seed is for --subset"),
    ("--max-new-tokens 0", "max_new_tokens"),
    ("--videos {world}/nowhere", "not a folder"),
    ("--videos {world}/stvg.json", "not a folder"),
    ("--annotations {world}/nowhere.json", "can't be read"),
    ("--annotations {world}/videos/broken.mp4", "not a JSON file"),
    ("--out {world}/videos", "is a folder"),
    ("--out {world}/videos/broken.mp4", "something other than the rows"),
    ("--out {world}/stvg.json/rows.jsonl", "stvg.json"),
    ("--model {world}/nowhere", "There is no model"),
    ("--device warp", "no device 'warp'"),
    ("--dtype int3", "no number type 'int3'"),
    ("--colour red", "unrecognized arguments"),
]


@pytest.mark.parametrize(("arguments", "says"), BAD_RUNS)
def test_bad_runs(
    world: Path, arguments: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    before = sorted(world.rglob("*"))
    more = arguments.format(world=world).split()
    assert call(*run_arguments(world, *more)) == cli.EXIT_BAD_INPUT
    told = capsys.readouterr()
    assert told.out == ""
    (line,) = told.err.splitlines()
    assert line.startswith("error: ") and says in line
    assert sorted(world.rglob("*")) == before


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("", "required: COMMAND"),
        ("dance", "invalid choice: 'dance'"),
        ("score", "required: ROWS.jsonl"),
        ("score {rows}", "required: --task"),
        ("score {rows} --task describe", "invalid choice"),
        ("score {rows} --task stvg --protocol kind", "invalid choice: 'kind'"),
        ("score {rows} --task rec", "is not a result row of task rec"),
        ("score /nowhere/rows.jsonl --task stvg", "can't be read"),
    ],
)
def test_bad_calls(
    arguments: str, says: str, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = GOLDEN_METRICS / "stvg.jsonl"
    assert call(*arguments.format(rows=rows).split()) == cli.EXIT_BAD_INPUT
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and says in line


def test_bad_rows_are_listed_and_can_be_left_out(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = json.loads((world / "stvg.json").read_text())
    rows.insert(1, annotation(video_path=""))
    rows.append({"meta": 3})
    write_annotations(world / "stvg.json", rows)
    look = ("validate", "--annotations", world / "stvg.json", "--task", "stvg")
    assert call(*look) == 1
    assert capsys.readouterr().out.splitlines() == [
        "row 1: video_path must be text, got ''",
        "row 4: 'int' object is not subscriptable",
        f"{world / 'stvg.json'}: 5 rows, 2 of them unusable; 3 questions",
    ]
    assert call(*run_arguments(world)) == cli.EXIT_BAD_INPUT
    assert "2 of the 5 rows" in capsys.readouterr().err
    assert call(*run_arguments(world, "--skip-bad-rows")) == 0
    assert "2 annotated rows are unusable" in capsys.readouterr().out
    info = json.loads((world / "rows.run.json").read_text())
    assert info["num_bad_rows"] == 2 and info["bad_rows"][1].startswith("row 4")
    written = read_json_lines(world / "rows.jsonl")
    assert [row["index"] for row in written] == [0, 2, 3]


def test_videos_are_looked_at_before_a_run(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    look = ("validate", "--annotations", world / "stvg.json", "--task", "stvg")
    assert call(*look, "--videos", world / "videos") == 1
    gone, broken, summary = capsys.readouterr().out.splitlines()
    assert gone.startswith("gone.mp4: There is no") and broken.startswith("broken.mp4:")
    assert summary.endswith("3 questions about 3 videos, 2 of them unusable")
    long = annotation(video_path="there.mp4", meta={"split": [0, 30]})
    long["meta"]["time_token"] = {"<s>": 20, "<e>": 25}
    write_annotations(world / "stvg.json", [long])
    assert call(*look, "--videos", world / "videos") == 1
    assert "ends at frame 30 and the video has 30 frames" in capsys.readouterr().out


def test_how_it_was_made_is_written_down(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(*run_arguments(world, "--subset", 2, "--seed", 5)) == 0
    info = json.loads((world / "rows.run.json").read_text())
    assert info["dataset"] == "st-align" and info["num_questions"] == 2
    assert (info["subset"], info["seed"], info["limit"]) == (2, 5, None)
    assert info["decoding"]["temperature"] == 0.0
    assert info["hardware"]["device"] == "cpu" and info["hardware"]["cores"] >= 1
    assert {"torch", "transformers", "python"} <= set(info["versions"])


def test_prepare_says_what_goes_where(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call("prepare", "vidstg", "--root", world / "empty") == 0
    told = capsys.readouterr().out
    assert "[ ] test_annotations.json" in told
    assert "[ ] vidor/validation" in told and "(for stvg)" in told
    assert not (world / "empty").exists()
    (world / "videos").rename(world / "sources")
    assert call("prepare", "st-align", "--root", world) == 0
    told = capsys.readouterr().out
    assert "[x] stvg.json" in told and "[ ] svg.json" in told
    assert "3 rows, 0 of them unusable, 3 questions; 2 of 3 videos are there" in told
    command = told.splitlines()[-1].split()
    assert command[:4] == ["python", "-m", "evaluation", "run"]
    assert cli._parse_arguments(command[3:]).videos == world / "sources"


def test_ctrl_c_says_how_to_go_on(
    world: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("evaluation.runner.answer_row", stop)
    assert call(*run_arguments(world)) == cli.EXIT_INTERRUPTED
    assert "goes on from here" in capsys.readouterr().err
