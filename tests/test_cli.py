"""The command line, as a person uses it."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import answer_texts
import av
import golden_files
import numpy as np
import pytest
import torch
from cli_runs import ANSWER, BOX, MODEL, let_model_say, run
from PIL import Image

from stablechat import turn as turn_module
from stablechat.errors import RenderError
from stablechat.types import Generation
from stablechat.video import probe

ROOT = Path(__file__).resolve().parents[1]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """3 seconds, 96x64."""
    return golden_files.write_clip(tmp_path_factory.mktemp("clips") / "square.mp4")


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let the model say something."""

    return partial(let_model_say, monkeypatch)


def start(*arguments: str | Path, **options: Any) -> subprocess.Popen[str]:
    """Start a command as a program of its own."""
    return subprocess.Popen(
        [sys.executable, "-m", "stablechat", *map(str, arguments)],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        **options,
    )


# --- what it does ---------------------------------------------------------------


def test_ground_prints_a_summary(
    clip: Path, tmp_path: Path, answer: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(ANSWER)
    out = tmp_path / "new" / "folder"
    assert run("ground", clip, "the square", "--model", MODEL, "--out", out) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines()[0] == (
        "Found from 0:00:00.900 to 0:00:01.800 (0.900 s), 3 boxes."
    )
    assert f"clip: {out / 'square_clip.mp4'}" in printed.out
    assert f"grounding: {out / 'square_grounding.json'}" in printed.out
    assert printed.err == ""
    assert sorted(os.listdir(out)) == ["square_clip.mp4", "square_grounding.json"]
    assert probe(out / "square_clip.mp4").codec == "h264"


def test_what_is_odd_about_a_video_is_told_with_the_answer(
    clip: Path, tmp_path: Path, answer: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    odd = tmp_path / "odd.ts"
    with av.open(str(clip)) as source, av.open(str(odd), "w") as target:
        stream = target.add_stream_from_template(source.streams.video[0])
        for packet in source.demux(video=0):
            packet.stream = stream
            if packet.size:
                target.mux(packet)
    odd.write_bytes(odd.read_bytes()[:-100])
    note = "note: The file ends in the middle of a packet; it may be cut off."
    answer(ANSWER)
    assert run("ground", odd, "the square", "--model", MODEL) == 0
    assert note in capsys.readouterr().out.splitlines()
    assert run("describe", odd, "--model", MODEL) == 0
    printed = capsys.readouterr()
    assert note in printed.err.splitlines() and note not in printed.out


def test_ground_prints_json_and_nothing_else(
    clip: Path, answer: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(ANSWER)
    assert run("ground", clip, "the square", "--model", MODEL, "--json") == 0
    printed = capsys.readouterr()
    assert printed.err == ""
    data = json.loads(printed.out)
    assert set(data) == {
        *("video", "query", "task", "model", "span", "boxes", "confidence"),
        *("text", "finish_reason", "issues", "files", "timings", "alternatives"),
        "is_guess",
    }
    assert {"path", "width", "height", "duration_seconds", "fps"} <= set(data["video"])
    assert set(data["span"]) == {
        *("start_seconds", "end_seconds", "duration_seconds", "confidence"),
    }
    assert set(data["boxes"][0]) == {"time_seconds", "xyxy", "confidence"}
    assert (data["query"], data["task"]) == ("the square", "stvg")
    assert (data["text"], data["files"]) == (ANSWER, {})
    assert set(data["timings"]) > {"read_seconds", "encode_seconds"}
    np.testing.assert_allclose(
        data["boxes"][0]["xyxy"], [9.697, 6.465, 48.485, 38.788], atol=1e-3
    )


def test_the_file_holds_what_is_printed(
    clip: Path, tmp_path: Path, answer: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(ANSWER)
    assert run("ground", clip, "it", "--model", MODEL, "--json", "--out", tmp_path) == 0
    data = json.loads(capsys.readouterr().out)
    assert json.loads((tmp_path / "square_grounding.json").read_text()) == data
    assert data["files"] == {
        "clip": str(tmp_path / "square_clip.mp4"),
        "grounding": str(tmp_path / "square_grounding.json"),
    }


def test_candidates_are_ranked(
    clip: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def generate(*given: Any, **_: Any) -> Generation:
        seed = given[3].seed
        boxes = dict.fromkeys(range(30, 34 - seed), (10, 10, 50, 60))
        return answer_texts.written(
            answer_texts.answer((30, 33 - seed), boxes), sure=0.5 + seed / 10
        )

    visual = torch.zeros(1620, 64)
    monkeypatch.setattr(turn_module, "encode_frames", lambda *_, **__: visual)
    monkeypatch.setattr(turn_module, "generate", generate)
    asked = ("ground", clip, "it", "--model", MODEL, "--candidates", "3")
    assert run(*asked) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].endswith(", 2 boxes, confidence 70%.")
    assert all(line.startswith("or: Found from 0:00:00.900") for line in lines[1:])
    assert [line[-4:-1] for line in lines[1:]] == ["60%", "50%"]
    assert run(*asked, "--json") == 0
    data = json.loads(capsys.readouterr().out)
    assert [other["confidence"] for other in data["alternatives"]] == [0.6, 0.5]
    assert data["boxes"][0]["confidence"] == data["span"]["confidence"] == 0.7
    monkeypatch.setattr(turn_module.Turn, "score", lambda *_: [-0.1, -0.3, -0.2])
    assert run(*asked, "--choose", "likelihood", "--json") == 0
    data = json.loads(capsys.readouterr().out)
    assert data["confidence"] == 0.5
    assert [other["confidence"] for other in data["alternatives"]] == [0.7, 0.6]


def test_a_guess_is_told_as_one(
    clip: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    said = answer_texts.answer((30, 33), {90: (10, 10, 50, 60)})
    written = answer_texts.written(said, sure=0.9)
    monkeypatch.setattr(turn_module, "generate", lambda *_, **__: written)
    visual = torch.zeros(1620, 64)
    monkeypatch.setattr(turn_module, "encode_frames", lambda *_, **__: visual)
    assert run("ground", clip, "how are you", "--model", MODEL) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("Probably not there: the surest guess is from 0:00:00.9")
    assert lines[0].endswith(", 0 boxes, confidence 0%.")
    assert "note: Boxes outside the span were left out: 1." in lines
    assert not any("no box" in line for line in lines)


def test_nothing_found(
    clip: Path, tmp_path: Path, answer: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    answer("I see\nno zebra.")
    assert run("ground", clip, "a zebra", "--model", MODEL, "--out", tmp_path) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first == "Could not find it. The model said: I see no zebra."
    assert os.listdir(tmp_path) == ["square_grounding.json"]


def test_an_image(
    tmp_path: Path,
    answer: Any,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    Image.new("RGB", (100, 50)).save(tmp_path / "photo.png")
    answer(BOX)
    monkeypatch.setattr(
        turn_module, "encode_frames", lambda *_, **__: torch.zeros(729, 64)
    )
    out = tmp_path / "out"
    task = ("--task", "rec", "--model", MODEL, "--out", out)
    assert run("ground", tmp_path / "photo.png", "it", *task) == 0
    assert "in the box (10, 5) to (51, 30)." in capsys.readouterr().out
    assert os.listdir(out) == ["photo_grounding.json"]


def test_options_reach_the_model(clip: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    configs: list[Any] = []

    def generate(model: Any, words: Any, embeds: Any, config: Any, **_: Any) -> Any:
        configs.append(config)
        return Generation("", (), "stop")

    monkeypatch.setattr(turn_module, "generate", generate)
    options = "--max-new-tokens 7 --temperature 0.5 --top-p 0.9 --seed 3 --dtype fp32"
    assert run("describe", clip, "--model", MODEL, *options.split()) == 0
    (config,) = configs
    assert (config.max_new_tokens, config.temperature) == (7, 0.5)
    assert (config.top_p, config.seed) == (0.9, 3)


@pytest.mark.parametrize(
    "options",
    [
        ["--task", "svg", "--span", "1", "2"],
        ["--task", "elc", "--region", "9", "9", "50", "50", "--start", "1"],
        ["--task", "tvg", "--segment", "1", "2"],
        ["--task", "rec", "--at", "1.5"],
    ],
)
def test_other_tasks(
    clip: Path, options: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    small = ("--model", MODEL, "--max-new-tokens", "3", "--json")
    assert run("ground", clip, "it", *small, *options) == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["task"], data["finish_reason"]) == (options[1], "length")


def test_describe(clip: Path, answer: Any, capsys: pytest.CaptureFixture[str]) -> None:
    answer("A red square moves right.")
    assert run("describe", clip, "--model", MODEL) == 0
    assert capsys.readouterr().out == "A red square moves right.\n"
    assert run("describe", clip, "What moves?", "--model", MODEL, "--json") == 0
    data = json.loads(capsys.readouterr().out)
    assert data["question"] == "What moves?"
    assert data["text"] == "A red square moves right."


def test_probe(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("probe", clip) == 0
    data = json.loads(capsys.readouterr().out)
    assert (data["width"], data["height"], data["fps"]) == (96, 64, 10.0)
    assert (data["num_frames"], data["has_audio"]) == (30, False)
    assert data["duration_seconds"] == pytest.approx(3.0)


def test_clip_needs_no_model(
    clip: Path, tmp_path: Path, answer: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(ANSWER)
    assert run("ground", clip, "it", "--model", MODEL, "--out", tmp_path) == 0
    saved = tmp_path / "square_grounding.json"
    capsys.readouterr()
    out = tmp_path / "again"
    assert run("clip", clip, saved, "--out", out) == 0
    assert capsys.readouterr().out == f"clip: {out / 'square_clip.mp4'}\n"
    assert os.listdir(out) == ["square_clip.mp4"]


# --- when it goes wrong ----------------------------------------------------------


def test_a_failed_clip_leaves_nothing(
    clip: Path,
    tmp_path: Path,
    answer: Any,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    from render.exports import registry

    def fail(*_: Any) -> None:
        raise RenderError("square_grounding.json can't be written: full.")

    answer(ANSWER)
    monkeypatch.setattr(registry, "json_bytes", fail)
    out = tmp_path / "a" / "b"
    assert run("ground", clip, "it", "--model", MODEL, "--out", out) == 2
    assert "full" in capsys.readouterr().err
    assert os.listdir(tmp_path) == []


# --- as a process ---------------------------------------------------------------


def test_help_and_probe_load_nothing_heavy(clip: Path) -> None:
    script = (
        "import sys\n"
        "from stablechat.__main__ import main\n"
        f"assert main(['probe', {str(clip)!r}]) == 0\n"
        "heavy = ('torch', 'transformers', 'moviepy', 'cv2', 'gradio')\n"
        "print(*[name for name in heavy if name in sys.modules], file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True
    )
    assert (done.returncode, done.stderr) == (0, "\n")


@pytest.mark.parametrize("command", [[], ["ground"], ["describe"], ["clip"]])
def test_help(command: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run(*command, "--help") == 0
    assert capsys.readouterr().out.startswith("usage: python -m stablechat")


def test_json_is_clean_in_a_process_of_its_own(clip: Path) -> None:
    small = ("--model", MODEL, "--device", "cpu", "--max-new-tokens", "2")
    process = start("ground", clip, "it", *small, "--json")
    out, err = process.communicate(timeout=120)
    assert (process.returncode, err) == (0, "")
    assert json.loads(out)["model"] == "checkpoint"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_stop_leaves_nothing(
    clip: Path, tmp_path: Path, number: signal.Signals
) -> None:
    endless = ("--max-new-tokens", "32768", "--out", tmp_path / "out", "-v")
    process = start("ground", clip, "it", *endless, "--model", MODEL)
    assert process.stderr is not None
    for line in process.stderr:
        if "Loaded" in line:
            assert "device" in line
            assert "attention" in line
            break
    time.sleep(0.5)
    process.send_signal(number)
    out, err = process.communicate(timeout=60)
    assert process.returncode == 130
    assert (out, err) == ("", "")
    assert os.listdir(tmp_path) == []


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="Linux has it")
def test_output_that_can_not_be_written_is_one_line(clip: Path) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "stablechat", "probe", clip],
            cwd=ROOT, stdout=full, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert done.returncode == 2
    (told,) = done.stderr.splitlines()
    assert told.startswith("error: The output can't be written: No space left")


def test_a_reader_that_leaves_is_no_error(clip: Path) -> None:
    process = start("probe", clip)
    assert process.stdout is not None
    process.stdout.close()
    assert process.stderr is not None
    err = process.stderr.read()
    process.stderr.close()
    assert process.wait(timeout=60) in (0, 141)
    assert err == ""
