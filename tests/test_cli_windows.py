"""``ground --window``: long videos on the command line."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import golden_files
import pytest
from cli_runs import BOX, MODEL, run

from render.exports import load_grounding
from stablechat import second_look as second_look_module
from stablechat import turn as turn_module
from stablechat.types import Generation, SecondLook
from stablechat.video import probe

ANSWER = (
    "During the span of {<TEMP-030><TEMP-060>}. Object bounding box: "
    f"<TEMP-030>:{BOX}, <TEMP-045>:{BOX}, <TEMP-060>:{BOX}"
)
NOTHING = "I can't see that."
WINDOWS = ("--model", MODEL, "--window", "4", "--overlap", "1")


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """10 seconds: windows at 0, 3 and 6."""
    folder = tmp_path_factory.mktemp("clips")
    return golden_files.write_clip(folder / "long.mp4", count=100)


@pytest.fixture
def encoded(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Counts the windows that are encoded."""
    import torch

    runs: list[int] = []

    def encode(model: Any, frames: Any, **_: Any) -> torch.Tensor:
        runs.append(len(frames))
        return torch.zeros(1620, 64)

    monkeypatch.setattr(turn_module, "encode_frames", encode)
    return runs


def let_say(monkeypatch: pytest.MonkeyPatch, *said: tuple[str, float | None]) -> None:
    """Answers and how different the second look is, one after the other."""
    texts = iter([text for text, _ in said])
    looks = iter([look and SecondLook("it", look) for _, look in said])
    monkeypatch.setattr(
        turn_module, "generate", lambda *_, **__: Generation(next(texts), (1,), "stop")
    )
    monkeypatch.setattr(second_look_module, "second_look", lambda *_: next(looks))


def test_moments_are_told_the_likeliest_first(
    clip: Path,
    encoded: list[int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    let_say(monkeypatch, (ANSWER, 0.4), (NOTHING, None), (ANSWER, 0.01))
    assert run("ground", clip, "the square", *WINDOWS) == 0
    first, best, other = capsys.readouterr().out.splitlines()[:3]
    assert first == "the square: 2 moments in 3 windows, the likeliest first."
    assert best.startswith("1. Found from 0:00:07.")
    assert best.endswith(" Asked what it found, the model says: it.")
    assert other.startswith("2. Probably not there: the surest guess is from 0:00:01.")
    assert other.endswith("says: it. To it that is not what was asked for.")
    assert len(encoded) == 3


def test_only_a_part_is_looked_at(
    clip: Path,
    encoded: list[int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    let_say(monkeypatch, (ANSWER, 0.4), (NOTHING, None))
    options = (*WINDOWS, "--segment", "3.05", "9", "--json")
    assert run("ground", clip, "it", *options) == 0
    data = json.loads(capsys.readouterr().out)
    part = {"start_seconds": 3.05, "end_seconds": 9.0}
    assert data["segment"] == part and len(encoded) == 2
    assert [each["start_seconds"] for each in data["windows"]] == [3.05, 5.0]
    (moment,) = data["searches"][0]["moments"]
    assert 3.05 < moment["span"]["start_seconds"] < 7.05 and "segment" not in moment
    # No longer than a window: asked about as one.
    let_say(monkeypatch, (ANSWER, 0.4))
    options = (*WINDOWS, "--segment", "2", "5", "--json")
    assert run("ground", clip, "it", *options) == 0
    (window,) = json.loads(capsys.readouterr().out)["windows"]
    assert window == {"start_seconds": 2.0, "end_seconds": 5.0}
    assert len(encoded) == 3


def test_one_clip_for_each_moment_and_one_of_all(
    clip: Path,
    tmp_path: Path,
    encoded: list[int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    let_say(monkeypatch, (ANSWER, 0.4), (NOTHING, None), (ANSWER, 0.1))
    options = ("--out", tmp_path, "--merge", "--json")
    assert run("ground", clip, "it", *WINDOWS, *options) == 0
    data = json.loads(capsys.readouterr().out)
    assert sorted(os.listdir(tmp_path)) == [
        "long_1_clip.mp4",
        "long_1_grounding.json",
        "long_2_clip.mp4",
        "long_2_grounding.json",
        "long_merged.mp4",
        "long_moments.json",
    ]
    assert json.loads((tmp_path / "long_moments.json").read_text()) == data
    assert set(data) == {"video", "model", "windows", "searches", "files"}
    assert len(data["windows"]) == 3
    (search,) = data["searches"]
    assert (search["query"], search["num_moments"]) == ("it", 2)
    best, other = search["moments"]
    assert (best["rank"], best["second_look"]["difference_nats"]) == (1, 0.1)
    assert best["span"]["start_seconds"] > other["span"]["start_seconds"]
    assert best["windows"] == [{"start_seconds": 6.0, "end_seconds": 10.0}]
    assert best["files"] == {
        "clip": str(tmp_path / "long_1_clip.mp4"),
        "grounding": str(tmp_path / "long_1_grounding.json"),
    }
    assert set(data["files"]) == {"merged", "moments"}
    frames = [probe(tmp_path / f"long_{n}_clip.mp4").num_frames for n in (1, 2)]
    assert probe(tmp_path / "long_merged.mp4").num_frames == sum(frames)
    again = load_grounding(Path(best["files"]["grounding"]), clip)
    assert again.span is not None
    assert again.span.start_seconds == best["span"]["start_seconds"]


def test_moments_of_an_earlier_run_do_not_stay(
    clip: Path,
    tmp_path: Path,
    encoded: list[int],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    (tmp_path / "long_9_clip.mp4").write_text("mine")
    others = json.dumps({"video": {"path": "/videos/long_8.mp4"}})
    (tmp_path / "long_8_grounding.json").write_text(others)
    let_say(monkeypatch, (ANSWER, 0.4), (NOTHING, None), (ANSWER, 0.1))
    assert run("ground", clip, "it", *WINDOWS, "--out", tmp_path) == 0
    assert len(list(tmp_path.glob("long_*_grounding.json"))) == 3
    let_say(monkeypatch, (ANSWER, 0.4), (NOTHING, None), (NOTHING, None))
    assert run("ground", clip, "it", *WINDOWS, "--out", tmp_path) == 0
    left = sorted(path.name for path in tmp_path.iterdir())
    assert not any("_2_" in name for name in left)
    assert len([name for name in left if name.endswith("grounding.json")]) == 2
    assert (tmp_path / "long_8_grounding.json").read_text() == others
    assert (tmp_path / "long_9_clip.mp4").read_text() == "mine"


def test_only_the_best_are_kept(
    clip: Path,
    tmp_path: Path,
    encoded: list[int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    let_say(monkeypatch, (ANSWER, 0.4), (ANSWER, 0.2), (ANSWER, 0.1))
    assert run("ground", clip, "it", *WINDOWS, "--top", "1", "--out", tmp_path) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("it: 3 moments in 3 windows")
    assert [line[:2] for line in lines].count("1.") == 1
    assert not any(line.startswith("2.") for line in lines)
    assert sorted(os.listdir(tmp_path)) == [
        "long_clip.mp4",
        "long_grounding.json",
        "long_moments.json",
    ]


def test_nothing_found_is_an_answer_too(
    clip: Path,
    tmp_path: Path,
    encoded: list[int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    let_say(monkeypatch, *[(NOTHING, None)] * 3)
    asked = ("ground", clip, "it", *WINDOWS, "--out", tmp_path, "--merge")
    assert run(*asked, "--export", "srt") == 0
    told = capsys.readouterr().out.splitlines()
    assert told[0] == "it: 0 moments in 3 windows, the likeliest first."
    assert "note: There is no srt: nothing was found." in told
    assert "note: There is no merged: nothing was found." in told
    assert os.listdir(tmp_path) == ["long_moments.json"]


def test_a_short_video_is_one_window(
    clip: Path,
    encoded: list[int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    let_say(monkeypatch, (ANSWER, 0.1))
    assert run("ground", clip, "it", "--model", MODEL, "--window", "60") == 0
    assert "1 moment in 1 window," in capsys.readouterr().out
    assert len(encoded) == 1


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--window", "0"), "longer than 0 s"),
        (("--window", "4", "--overlap", "4"), "less than 4 s"),
        (("--window", "4", "--top", "0"), "1 or more"),
        (("--overlap", "4"), "--overlap is for long videos"),
        (("--top", "4"), "--top is for long videos"),
        (("--window", "4", "--task", "tvg"), "can't be combined with --task"),
        (("--window", "4", "--segment", "11", "12"), "video ends at 10.00"),
        (("--window", "4", "--candidates", "3"), "combined with --candidates"),
        (("--merge",), "--merge needs a folder"),
        (("--window", "0.0001"), "the limit is"),
    ],
)
def test_what_makes_no_sense_is_one_plain_line(
    clip: Path, options: Any, words: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run("ground", clip, "it", "--model", MODEL, *options) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: ") and words in line
