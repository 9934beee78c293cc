"""``ground`` for folders, patterns and several queries."""

from __future__ import annotations

import errno
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
import torch
from cli_runs import ANSWER, MODEL, run

from stablechat import second_look as second_look_module
from stablechat import turn as turn_module
from stablechat.cli.answer_folders import RECORD_FILE
from stablechat.cli.videos import expand_names, means_several
from stablechat.downloads import Watch
from stablechat.errors import InputError
from stablechat.types import Generation, SecondLook
from stablechat.video import probe

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """3 seconds, 96x64."""
    return golden_files.write_clip(tmp_path_factory.mktemp("clips") / "square.mp4")


@pytest.fixture
def folder(tmp_path: Path, clip: Path) -> Path:
    """Two videos, a broken one, and what is no video."""
    made = tmp_path / "videos"
    made.mkdir()
    for name in ("a.mp4", "b.MP4"):
        shutil.copy(clip, made / name)
    (made / "broken.mp4").write_text("This is no video.\n" * 50)
    (made / "notes.txt").write_text("a, b")
    (made / ".hidden.mp4").write_text("")
    return made


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What the model does: "encode" for each video, "answer" for each question."""
    events: list[str] = []

    def encode(*_: Any, **__: Any) -> torch.Tensor:
        events.append("encode")
        return torch.zeros(1620, 64)

    def generate(*_: Any, **__: Any) -> Generation:
        events.append("answer")
        return Generation(ANSWER, (1,), "stop")

    monkeypatch.setattr(turn_module, "encode_frames", encode)
    monkeypatch.setattr(turn_module, "generate", generate)
    return events


def ground(*arguments: str | Path) -> int:
    return run("ground", *arguments, "--model", MODEL)


def test_a_folder_of_videos(
    folder: Path, tmp_path: Path, asked: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert ground(folder, "the square", "--out", out) == 1
    assert sorted(os.listdir(out)) == ["a", "b"]
    assert sorted(os.listdir(out / "a")) == [
        "a_clip.mp4",
        "a_grounding.json",
        RECORD_FILE,
    ]
    assert probe(out / "b" / "b_clip.mp4").codec == "h264"
    printed = capsys.readouterr()
    *answers, told, failed = printed.out.splitlines()
    assert told == "1 of 3 videos failed:"
    assert failed.startswith(f"  {folder / 'broken.mp4'}: broken.mp4 is not a video")
    assert f"  clip: {out / 'a' / 'a_clip.mp4'}" in answers
    assert "[1/3] a.mp4: done" in printed.err.splitlines()
    assert asked == ["encode", "answer"] * 2


def test_a_pattern_that_no_shell_expanded(
    folder: Path, tmp_path: Path, asked: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    out = tmp_path / "out"
    assert ground(f"{folder}/[ab].*", "it", "--out", out) == 0
    assert sorted(os.listdir(out)) == ["a", "b"]


def test_finished_videos_are_skipped_and_failed_ones_tried_again(
    folder: Path,
    clip: Path,
    tmp_path: Path,
    asked: list[str],
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = (folder, "it", "--out", tmp_path / "out", "--json")
    assert ground(*arguments) == 1
    asked.clear()
    shutil.copy(clip, folder / "broken.mp4")
    capsys.readouterr()
    assert ground(*arguments) == 0
    data = json.loads(capsys.readouterr().out)
    states = [(Path(r["video"]).name, r["status"]) for r in data["results"]]
    assert states == [
        ("a.mp4", "skipped"),
        ("b.MP4", "skipped"),
        ("broken.mp4", "done"),
    ]
    assert data["num_failed"] == 0
    assert all(Path(p).is_file() for r in data["results"] for p in r["files"].values())
    assert asked == ["encode", "answer"]
    asked.clear()
    assert ground(*arguments, "--overwrite") == 0
    assert asked.count("answer") == 3


def test_no_model_is_loaded_where_nothing_is_to_be_asked(
    folder: Path, tmp_path: Path, asked: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "broken.mp4").unlink()
    arguments = (folder, "it", "--out", tmp_path / "out")
    assert ground(*arguments) == 0
    monkeypatch.setattr(
        "stablechat.cli.several.load_chat", lambda *_: pytest.fail("loaded a model")
    )
    assert ground(*arguments) == 0


@pytest.mark.parametrize("change", ["query", "option", "video", "file"])
def test_what_changed_is_answered_anew(
    folder: Path, tmp_path: Path, asked: list[str], change: str
) -> None:
    out = tmp_path / "out"
    arguments: list[str | Path] = [folder / "a.mp4", folder / "b.MP4", "it"]
    arguments += ["--out", out, "--export", "srt"]
    assert ground(*arguments) == 0
    asked.clear()
    again = 2
    if change == "query":
        arguments[2] = "that"
    elif change == "option":
        arguments[-1] = "csv"
    elif change == "video":
        status, again = (folder / "a.mp4").stat(), 1
        os.utime(folder / "a.mp4", ns=(status.st_atime_ns, status.st_mtime_ns + 1))
    else:
        (out / "a" / "a_clip.mp4").unlink()
        again = 1
    assert ground(*arguments) == 0
    assert asked.count("answer") == again
    ending = "csv" if change == "option" else "srt"
    assert sorted(os.listdir(out / "a")) == [
        "a_clip.mp4",
        "a_grounding.json",
        f"a_moments.{ending}",
        RECORD_FILE,
    ]


def test_videos_of_one_name_have_folders_of_their_own(
    clip: Path, tmp_path: Path, asked: list[str]
) -> None:
    videos = [tmp_path / name for name in ("x/v.mp4", "y/v.mp4", "y/V.mov")]
    for video in videos:
        video.parent.mkdir(exist_ok=True)
        shutil.copy(clip, video)
    out = tmp_path / "out"
    assert ground(*videos, "it", "--out", out) == 0
    folders = sorted(os.listdir(out))
    assert len(folders) == 3
    assert len({name.casefold() for name in folders}) == 3
    assert "v" in folders
    asked.clear()
    # In another order, and fewer of them: each finds its own again.
    assert ground(videos[2], videos[1], "it", "--out", out) == 0
    assert asked == []
    assert sorted(os.listdir(out)) == folders


def test_one_video_named_twice_is_asked_once(
    folder: Path, tmp_path: Path, asked: list[str]
) -> None:
    link = tmp_path / "link.mp4"
    link.symlink_to(folder / "a.mp4")
    out = tmp_path / "out"
    names = (folder / "a.mp4", f"{folder}/a.*", link)
    assert ground(*names, "it", "--out", out) == 0
    assert os.listdir(out) == ["a"]
    assert asked.count("answer") == 1


def test_several_queries_reuse_a_videos_features(
    clip: Path, tmp_path: Path, asked: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    out, file = tmp_path / "out", tmp_path / "queries.txt"
    file.write_text("the circle\n\n  the dog  \nthe square\n", encoding="utf-8-sig")
    asking = ("--query", "the square", "--queries", file, "--merge")
    assert ground(clip, *asking, "--out", out) == 0
    assert asked == ["encode", "answer", "answer", "answer"]
    assert {"square_merged.mp4", "square_3_clip.mp4"} <= set(os.listdir(out / "square"))
    kept = [
        json.loads((out / "square" / f"square_{n}_grounding.json").read_text())["query"]
        for n in (1, 2, 3)
    ]
    assert kept == ["the square", "the circle", "the dog"]
    assert "  the dog: Found from 0:00:00.900" in capsys.readouterr().out


def test_several_queries_share_windows(
    clip: Path, tmp_path: Path, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        second_look_module, "second_look", lambda *_: SecondLook("it", 0.1)
    )
    asking = ("--query", "a", "--query", "b", "--window", "2", "--overlap", "0")
    assert ground(clip, *asking, "--out", tmp_path) == 0
    assert asked == ["encode", "answer", "answer"] * 2
    data = json.loads((tmp_path / "square" / "square_moments.json").read_text())
    assert [search["query"] for search in data["searches"]] == ["a", "b"]
    assert data["searches"][1]["moments"][0]["files"]["clip"].endswith("_3_clip.mp4")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("{tmp}/videos it", "need a folder; give it with --out"),
        ("{clip} {clip} it", "need a folder; give it with --out"),
        ("{clip} --query a --query b", "need a folder; give it with --out"),
        ("{tmp}/*.avi it --out {tmp}/out", "No file fits"),
        ("{tmp}/empty it --out {tmp}/out", "no video in the folder"),
        ("{clip} {clip} --out {tmp}/out", "stands last and is a file"),
        ("{clip} --queries {tmp}/none.txt", "none.txt can't be read: No such file"),
        ("{clip} --queries {tmp}/blank.txt", "must hold 1 to 1000 queries"),
        ("{clip} --queries {clip}", "it is not UTF-8 text"),
        ("{clip} --query a --queries {tmp}/long.txt", "must hold 1 to 1000"),
        ("{tmp}/videos it --out {clip}", "not a folder"),
        ("{tmp}/videos it --out {tmp}/out --export paper", "no export 'paper'"),
        ("{tmp}/videos it --out {tmp}/out --task svg", "needs the span"),
        ("{tmp}/videos it --out {tmp}/out --model {tmp}/nowhere", "There is no model"),
    ],
)
def test_what_makes_no_sense_is_one_plain_line(
    folder: Path,
    clip: Path,
    tmp_path: Path,
    line: str,
    words: str,
    capsys: pytest.CaptureFixture[str],
) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "blank.txt").write_text("\n \n")
    (tmp_path / "long.txt").write_text("\n".join(map(str, range(1001))))
    arguments = [word.format(tmp=tmp_path, clip=clip) for word in line.split()]
    model = () if "--model" in line else ("--model", MODEL)
    assert run("ground", *arguments, *model) == 2
    printed = capsys.readouterr()
    (told,) = printed.err.splitlines()
    assert told.startswith("error: ") and words in told
    assert printed.out == ""
    assert not (tmp_path / "out").exists()


def test_names_folders_and_patterns(folder: Path) -> None:
    odd = folder / "take [2].mp4"
    shutil.copy(folder / "a.mp4", odd)
    assert not means_several([str(odd)])
    assert means_several([f"{folder}/*"]) and means_several([str(folder)])
    assert expand_names([str(odd)]) == [odd]
    names = [path.name for path in expand_names([str(folder)])]
    assert names == ["a.mp4", "b.MP4", "broken.mp4", "take [2].mp4"]
    assert Path("missing.mp4") in expand_names(["missing.mp4", str(odd)])
    with pytest.raises(InputError, match="No file fits"):
        expand_names([f"{folder}/*.txt.gz"])


def test_what_an_earlier_run_wrote_is_no_video_of_the_next(
    folder: Path, asked: Any
) -> None:
    pattern = f"{folder}/**/*.mp4"
    before = expand_names([pattern])
    assert ground(folder, "it", "--out", folder) == 1
    assert len(list(folder.rglob("*.mp4"))) > len(before)
    assert expand_names([pattern]) == before


@pytest.mark.parametrize("method", ["iterdir", "unlink"])
def test_folders_that_may_not_be_read_or_changed(
    folder: Path, tmp_path: Path, asked: Any, method: str,
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    def refuse(path: Path, **_: Any) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(Path, method, refuse)
    code = ground(folder, "it", "--out", tmp_path / "out")
    told = capsys.readouterr().err
    assert "Permission denied." in told and "Traceback" not in told
    assert code == (2 if method == "iterdir" else 1)


def test_a_record_of_others_hides_no_video(folder: Path) -> None:
    before = expand_names([str(folder)])
    (folder / RECORD_FILE).write_text("{}")
    shutil.copy(folder / "a.mp4", folder / "result.json")
    assert expand_names([str(folder)]) == before


@pytest.mark.parametrize("command", ["ground", "batch"])
def test_ctrl_c_while_the_model_loads(
    command: str, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(*_: Any, watch: Watch, **__: Any) -> None:
        signal.raise_signal(signal.SIGINT)
        watch.report("load", 0.5)
        pytest.fail("loaded on")

    monkeypatch.setattr("stablechat.chat.StableChat.from_pretrained", load)
    asking = (folder, "--query", "it", "--out", tmp_path / "out", "--model", MODEL)
    assert run(command, *asking) == 130


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_ctrl_c_leaves_whole_folders_only(
    folder: Path, tmp_path: Path, number: signal.Signals
) -> None:
    """As a program of its own; every video but the first takes long."""
    out = tmp_path / "out"
    script = (
        "import sys, time, torch\n"
        "from stablechat import turn\n"
        "from stablechat.__main__ import main\n"
        "from stablechat.errors import CancelledError\n"
        "from stablechat.types import Generation\n"
        "turn.encode_frames = lambda *_, **__: torch.zeros(1620, 64)\n"
        "asked = []\n"
        "def generate(*_, cancelled, **__):\n"
        "    asked.append(1)\n"
        "    while len(asked) > 1 and not cancelled(): time.sleep(0.05)\n"
        f"    return Generation({ANSWER!r}, (1,), "
        "'cancelled' if cancelled() else 'stop')\n"
        "turn.generate = generate\n"
        "sys.exit(main(sys.argv[1:]))\n"
    )
    arguments = ["ground", str(folder), "it", "--out", str(out), "--model", MODEL]
    with subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        deadline = time.monotonic() + 120
        while not (out / "a" / RECORD_FILE).exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        time.sleep(0.3)
        process.send_signal(number)
        _, told = process.communicate(timeout=60)
    assert process.returncode == 130
    assert "Stopped: 1 of 3 videos are through" in told
    assert "Traceback" not in told
    assert os.listdir(out) == ["a"]
    assert len(os.listdir(out / "a")) == 3
