"""``describe --window``: what happens part by part, on the command line."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path
from typing import Any

import golden_files
import pytest
import srt
import torch
from cli_runs import MODEL, run

from render.exports import captions_from_dict
from stablechat import turn as turn_module
from stablechat.types import Generation

PARTS = ("--model", MODEL, "--window", "4")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """10 seconds: parts at 0, 4 and 8."""
    folder = tmp_path_factory.mktemp("clips")
    return golden_files.write_clip(folder / "long.mp4", count=100)


@pytest.fixture
def said(monkeypatch: pytest.MonkeyPatch) -> None:
    """One text after the other, without computing anything."""
    texts = iter(["A dog\nruns.", "A cat.", ""])
    monkeypatch.setattr(
        turn_module, "encode_frames", lambda *_, **__: torch.zeros(1620, 64)
    )
    monkeypatch.setattr(
        turn_module, "generate", lambda *_, **__: Generation(next(texts), (1,), "stop")
    )


@pytest.mark.usefixtures("said")
def test_a_line_for_each_part(clip: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("describe", clip, *PARTS) == 0
    printed = capsys.readouterr()
    assert printed.out.splitlines() == [
        "0:00.000 - 0:04.000  A dog runs.",
        "0:04.000 - 0:08.000  A cat.",
    ]
    assert "note: Parts about which the model said nothing: 1." in printed.err


@pytest.mark.usefixtures("said")
def test_the_files_are_written(
    clip: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ("--segment", "1", "9", "--out", tmp_path / "new", "--export", "srt,csv")
    assert run("describe", clip, "what is it?", *PARTS, *options, "--json") == 0
    data = json.loads(capsys.readouterr().out)
    names = ["long_captions.csv", "long_captions.json", "long_captions.srt"]
    assert sorted(os.listdir(tmp_path / "new")) == names
    assert {Path(path).name for path in data["files"].values()} == set(names)
    captions = captions_from_dict(data)
    assert captions.question == "what is it?"
    spans = [each.span for each in captions.captions]
    assert [(s.start_seconds, s.end_seconds) for s in spans] == [(1, 5), (5, 9)]
    (first, second) = srt.parse(Path(data["files"]["srt"]).read_text("utf-8"))
    assert (first.content, second.start.total_seconds()) == ("A dog runs.", 5)
    written = captions_from_dict(json.loads(Path(data["files"]["json"]).read_text()))
    assert written.captions == captions.captions


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--window", "0"), "longer than 0 s"),
        (("--window", "nan"), "longer than 0 s"),
        (("--window", "0.0001"), "the limit is"),
        (("--out", "here"), "--out is for what happens part by part"),
        (("--export", "srt"), "--export is for what happens part by part"),
        (("--window", "4", "--export", "srt"), "--export needs a folder"),
        (("--window", "4", "--out", "here", "--export", "mp4"), "no export 'mp4'"),
        (("--window", "4", "--segment", "20", "30"), "choose an earlier one"),
    ],
)
def test_what_makes_no_sense_is_one_plain_line(
    clip: Path, options: Any, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("describe", clip, "--model", MODEL, *options) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and words in line
    assert not Path("here").exists()


@pytest.mark.usefixtures("said")
def test_ctrl_c_in_a_part_ends_it_and_writes_nothing(
    clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupted(*_: Any, **__: Any) -> torch.Tensor:
        os.kill(os.getpid(), signal.SIGINT)
        return torch.zeros(1620, 64)

    monkeypatch.setattr(turn_module, "encode_frames", interrupted)
    assert run("describe", clip, *PARTS, "--out", tmp_path / "new") == 130
    assert os.listdir(tmp_path) == []
