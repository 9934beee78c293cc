"""The command ``batch`` on the local engine."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import golden_files
import pytest
from batch_fakes import FakeChat, questions_in, write_videos
from cli_runs import MODEL, run

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """3 seconds, 96x64."""
    return golden_files.write_clip(tmp_path_factory.mktemp("clips") / "square.mp4")


@pytest.fixture
def folder(tmp_path: Path, clip: Path) -> Path:
    """Two videos and a broken one."""
    made = tmp_path / "videos"
    made.mkdir()
    for name in ("a.mp4", "b.mp4"):
        shutil.copy(clip, made / name)
    (made / "broken.mp4").write_text("This is no video.\n" * 50)
    return made


@pytest.fixture
def log(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """What the model is asked; it is a stand-in."""
    path = tmp_path / "log"
    monkeypatch.setattr(
        "stablechat.cli.batch.command.load_chat", lambda *_: FakeChat(path)
    )
    return path


def batch(*arguments: str | Path) -> int:
    return run("batch", *arguments, "--model", MODEL)


def test_a_folder_and_what_is_said_of_it(
    folder: Path, tmp_path: Path, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    asking = (folder, "--query", "find it", "--query", "other", "--out", out)
    assert batch(*asking) == 1
    printed = capsys.readouterr()
    told = printed.out.splitlines()
    assert told[:3] == [
        "4 of 6 answered, found in 2, of which 2 are guesses; 0 were finished before.",
        f"results: {out / 'results.jsonl'}",
        "2 failed:",
    ]
    assert told[3].startswith(f"  {folder / 'broken.mp4'}: broken.mp4 is not a video")
    assert f"{folder / 'broken.mp4'}: broken.mp4 is not a video" in printed.err
    assert len(questions_in(log)) == 4
    # Failed ones are tried again only when asked to.
    shutil.copy(folder / "a.mp4", folder / "broken.mp4")
    assert batch(*asking, "--json") == 1
    data = json.loads(capsys.readouterr().out)
    assert (data["num_finished_before"], data["num_failed"]) == (6, 2)
    assert {each["kind"] for each in data["failed"]} == {"input"}
    assert batch(*asking, "--json", "--retry-failed") == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["num_finished_before"], data["num_failed"]) == (4, 0)
    assert (data["num_done"], data["num_found"], data["num_inputs"]) == (6, 3, 6)
    assert len(questions_in(log)) == 6
    assert batch(*asking, "--overwrite") == 0
    assert len(questions_in(log)) == 12
    # Other answers, so all are asked anew.
    capsys.readouterr()
    assert batch(*asking, "--json", "--no-second-look") == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["num_found"], data["num_guesses"]) == (3, 0)
    assert len(questions_in(log)) == 18


def test_its_own_clips_are_no_videos_of_the_next_run(folder: Path, log: Path) -> None:
    pattern, out = f"{folder}/**/*.mp4", folder / "results"
    (folder / "broken.mp4").unlink()
    assert batch(pattern, "--query", "find it", "--out", out) == 0
    assert list(out.rglob("*.mp4"))
    asked = len(questions_in(log))
    assert batch(pattern, "--query", "find it", "--out", out) == 0
    assert len(questions_in(log)) == asked


def test_a_task_without_words_needs_no_query(
    folder: Path, tmp_path: Path, log: Path
) -> None:
    elc = ("--task", "elc", "--region", "1", "2", "30", "40", "--start", "0")
    assert batch(folder / "a.mp4", *elc, "--out", tmp_path / "out") == 0
    assert questions_in(log) == [("a.mp4", "")]


def test_a_list_with_ids_and_exports(
    folder: Path, tmp_path: Path, log: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    listed = tmp_path / "list.jsonl"
    listed.write_text('{"video": "videos/a.mp4", "query": "find it", "id": "mine"}\n')
    out = tmp_path / "out"
    assert batch(listed, "--out", out, "--export", "srt,json") == 0
    (line,) = (out / "results.jsonl").read_text().splitlines()
    result = json.loads(line)
    assert result["id"] == "mine"
    assert sorted(os.listdir(out / result["folder"])) == [
        "a_clip.mp4",
        "a_moments.srt",
        "result.json",
    ]


def test_options_are_part_of_what_is_finished(
    folder: Path, tmp_path: Path, log: Path
) -> None:
    out = tmp_path / "out"
    asking = (folder / "a.mp4", "--query", "it", "--out", out)
    assert batch(*asking) == 0
    assert batch(*asking, "--task", "tvg") == 0
    assert len(questions_in(log)) == 2
    assert len((out / "results.jsonl").read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{tmp}/videos --out {tmp}/out", "nothing to look for"),
        ("{tmp}/none --query a --out s3://bucket/x", "can't be --out"),
        ("{tmp}/*.avi --query a --out {tmp}/out", "No file fits"),
        ("ftp://h/a.mp4 --query a --out {tmp}/out", "an address begins with"),
        ("{tmp}/empty.jsonl --query a --out {tmp}/out", "no list holds a row"),
        ("{tmp}/none.jsonl --out {tmp}/out", "can't be read"),
        ("{tmp}/videos --query a --out {tmp}/notes.txt", "not a folder"),
        ("{tmp}/videos --query a --out {tmp}/out --export paper", "no export"),
        ("{tmp}/videos --query a --out {tmp}/out --models 2", "is for --engine ray"),
        ("{tmp}/videos --query a --out {tmp}/out --candidates 0", "candidates"),
        ("{tmp}/videos --query a --out {tmp}/out --model {tmp}/no", "no model"),
        ("{tmp}/videos --query a", "--out"),
        ("{tmp}/videos --query a --out {tmp}/out --task rec --segment 0 1", "segment"),
        ("{tmp}/videos --query a --out {tmp}/out --at 3", "for task rec"),
        ("{tmp}/videos --query a --out {tmp}/out --task rec --at -4", "0 or later"),
        ("{tmp}/videos --query a --out {tmp}/out --task rec --at nan", "0 or later"),
    ],
)
def test_what_makes_no_sense_is_one_plain_line(
    folder: Path,
    tmp_path: Path,
    line: str,
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "notes.txt").touch()
    arguments = [word.format(tmp=tmp_path) for word in line.split()]
    model = () if "--model " in line else ("--model", MODEL)
    assert run("batch", *arguments, *model) == 2
    printed = capsys.readouterr()
    (told,) = printed.err.splitlines()
    assert told.startswith("error: ") and words in told
    assert printed.out == "" and not (tmp_path / "out").exists()


def test_ray_that_is_not_installed_is_named(
    folder: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(
        "stablechat.cli.batch.ray_engine.cluster.find_spec", lambda _: None
    )
    asking = (folder, "--query", "a", "--out", tmp_path / "out", "--engine", "ray")
    assert batch(*asking) == 2
    assert "pip install -r requirements-ray.txt" in capsys.readouterr().err


def program(tmp_path: Path, *arguments: Any, more: str = "") -> list[str]:
    """``batch`` as a program of its own, with the stand-in for a model."""
    script = (
        "import sys\n"
        f"sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / 'tests')!r}]\n"
        "from pathlib import Path\n"
        "from batch_fakes import FakeChat\n"
        "from stablechat.cli.batch import command\n"
        "from stablechat.__main__ import main\n"
        f"log = Path({str(tmp_path / 'log')!r})\n"
        "command.load_chat = lambda *_: FakeChat(log, seconds=0.2)\n"
        "code = main(sys.argv[1:])\n"
        f"{more}\n"
        "sys.exit(code)\n"
    )
    return [
        sys.executable,
        "-c",
        script,
        *map(str, ("batch", *arguments, "--model", MODEL)),
    ]


def test_the_local_engine_is_free_of_ray(folder: Path, tmp_path: Path) -> None:
    more = "print(sorted({m.split('.')[0] for m in sys.modules} & {'ray', 'pyarrow'}))"
    done = subprocess.run(
        program(
            tmp_path, folder / "a.mp4", "--query", "a", "--out", tmp_path / "out",
            more=more,
        ),
        capture_output=True, text=True, timeout=120, cwd=ROOT,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "[]"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_run_that_ends_early_goes_on(
    tmp_path: Path, log: Path, number: signal.Signals
) -> None:
    videos, out = tmp_path / "v", tmp_path / "out"
    write_videos(videos, 8)
    arguments = (videos, "--query", "a", "--out", out)
    with subprocess.Popen(
        program(tmp_path, *arguments), stderr=subprocess.PIPE, text=True, cwd=ROOT
    ) as process:
        deadline = time.monotonic() + 120
        while len(questions_in(log)) < 3 and time.monotonic() < deadline:
            time.sleep(0.02)
        process.send_signal(number)
        _, told = process.communicate(timeout=60)
    assert "Traceback" not in told
    if number == signal.SIGINT:
        assert process.returncode == 130
        assert "of 8 are through; the same command goes on from there." in told
    else:
        assert process.returncode == -signal.SIGKILL
    asked = len(questions_in(log))
    assert 3 <= asked < 8
    assert batch(*arguments) == 0
    # What was under way is done again, and nothing else.
    assert len(questions_in(log)) <= 8 + 2
    assert {video for video, _ in questions_in(log)} == set(os.listdir(videos))
    lines = [json.loads(line) for line in (out / "results.jsonl").open()]
    assert len({line["id"] for line in lines}) == len(lines) == 8
    assert all(line["status"] == "done" for line in lines)
    assert len(os.listdir(out / "answers")) == 8
