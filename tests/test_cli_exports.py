"""``--export`` on the command line."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import golden_files
import pytest
from cli_runs import BOX, MODEL, let_model_say, run

from stablechat.video import probe

ANSWER = (
    "During the span of {<TEMP-030><TEMP-060>}. Object bounding box: "
    f"<TEMP-030>:{BOX}, <TEMP-060>:{BOX}"
)


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """3 seconds, 96x64."""
    return golden_files.write_clip(tmp_path_factory.mktemp("clips") / "square.mp4")


@pytest.fixture
def answer(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Let the model say something."""

    return partial(let_model_say, monkeypatch)


def test_exports(
    clip: Path, tmp_path: Path, answer: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(ANSWER)
    asked = ("ground", clip, "it", "--model", MODEL, "--out", tmp_path)
    assert run(*asked, "--export", "srt, coco") == 0
    printed = capsys.readouterr()
    assert f"srt: {tmp_path / 'square_moments.srt'}" in printed.out
    assert sorted(os.listdir(tmp_path)) == [
        *("square_clip.mp4", "square_coco.json"),
        *("square_grounding.json", "square_moments.srt"),
    ]
    saved, out = tmp_path / "square_grounding.json", tmp_path / "again"
    assert set(json.loads(saved.read_text())["files"]) == {
        *("clip", "coco", "grounding", "srt"),
    }
    assert run("clip", clip, saved, "--out", out, "--export", "zip") == 0
    assert sorted(os.listdir(out)) == ["square_clip.mp4", "square_results.zip"]
    everything = tmp_path / "everything"
    assert run("clip", clip, saved, "--out", everything, "--export", "all") == 0
    assert len(os.listdir(everything)) == 13


@pytest.mark.parametrize("letter", ["x", "é", "影"])
def test_a_long_name_is_shortened_where_it_is_written(
    clip: Path, tmp_path: Path, answer: Any, letter: str
) -> None:
    answer(ANSWER)
    size = len(letter.encode())
    video = tmp_path / f"{letter * (245 // size)}.mp4"
    os.link(clip, video)
    out = tmp_path / "out"
    saving = ("--out", out, "--export", "all", "--merge", "--model", MODEL)
    assert run("ground", video, "it", *saving) == 0
    stem = letter * (180 // size)
    names = os.listdir(out)
    assert len(names) > 10 and all(name.startswith(f"{stem}_") for name in names)


def test_a_film_of_the_persons_own_is_not_overwritten(
    clip: Path, tmp_path: Path, answer: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(ANSWER)
    video, own = tmp_path / "x.mp4", tmp_path / "x_clip.mp4"
    os.link(clip, video)
    own.write_text("mine")
    asking = ("ground", video, "it", "--out", tmp_path, "--model", MODEL)
    assert run(*asking) == 2
    assert "not from an earlier run" in capsys.readouterr().err
    assert own.read_text() == "mine" and len(os.listdir(tmp_path)) == 2
    own.unlink()
    assert run(*asking) == 0 == run(*asking)  # its own it writes again


def test_names_tell_a_terminal_nothing(
    clip: Path, tmp_path: Path, answer: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(ANSWER)
    video = tmp_path / "a  b\x1b[2J\nnote: c.mp4"
    os.link(clip, video)
    out = tmp_path / "out"
    assert run("ground", video, "it", "--out", out, "--model", MODEL) == 0
    (grounding,) = out.glob("*_grounding.json")
    told = capsys.readouterr().out
    assert run("clip", video, grounding, "--out", out) == 0
    told += capsys.readouterr().out
    assert "a  b?[2J?note: c_clip.mp4" in told
    assert "\x1b" not in told and "\nnote" not in told


def test_exports_of_nothing(
    clip: Path, tmp_path: Path, answer: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    answer("I see no zebra.")
    asked = ("ground", clip, "a zebra", "--model", MODEL, "--out", tmp_path)
    assert run(*asked, "--export", "png,srt") == 0
    assert "note: There is no png: nothing was found." in capsys.readouterr().out
    assert sorted(os.listdir(tmp_path)) == [
        *("square_grounding.json", "square_moments.srt"),
    ]
    saved, out = tmp_path / "square_grounding.json", tmp_path / "again"
    assert run("clip", clip, saved, "--out", out, "--export", "mp4,csv") == 0
    printed = capsys.readouterr()
    assert printed.out == f"csv: {out / 'square_moments.csv'}\n"
    assert printed.err == "note: There is no mp4: nothing was found.\n"


def test_a_clip_is_cut_wider_and_with_the_way_of_the_box(
    clip: Path, tmp_path: Path, answer: Any, capsys: pytest.CaptureFixture[str]
) -> None:
    answer(ANSWER)
    assert run("ground", clip, "it", "--model", MODEL, "--out", tmp_path) == 0
    saved, out = tmp_path / "square_grounding.json", tmp_path / "again"
    again = ("clip", clip, saved, "--out", out)
    assert run(*again, "--pad", "0.4", "0.2", "--trail", "1.5") == 0
    lengths = [
        probe(folder / "square_clip.mp4").duration_seconds for folder in (tmp_path, out)
    ]
    assert lengths[1] - lengths[0] == pytest.approx(0.6, abs=0.05)
    capsys.readouterr()
    for wrong in (("--pad", "-1", "0"), ("--pad", "nan", "0"), ("--trail", "61")):
        assert run(*again, *wrong) == 2
        assert "must be 0 to" in capsys.readouterr().err
