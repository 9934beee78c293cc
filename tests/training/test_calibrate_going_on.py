"""Answers to calibrate on: which runs are gone on with, and from where."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import golden_files
import pytest

from training.calibrate import __main__ as cli


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The videos that were asked about; each gives three rows."""
    numbers: list[int] = []

    def ask(seed: int, todo: Iterable[int], *_: object) -> Iterator[list[Any]]:
        for number in todo:
            numbers.append(number)
            row = {"world": "plain", "video_number": number, "seed": seed}
            yield [{**row, "candidate": each} for each in range(3)]

    monkeypatch.setattr(cli, "ask_about_videos", ask)
    return numbers


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "rows.jsonl"


def ask(monkeypatch: pytest.MonkeyPatch, out: Path, *options: object) -> int:
    words = ["calibrate", "ask", "--seed", 1, "--count", 3, "--out", out, *options]
    monkeypatch.setattr(sys, "argv", [str(word) for word in words])
    try:
        cli.main()
    except SystemExit as left:
        return int(left.code or 0)
    return 0


@pytest.mark.parametrize(
    "lost", [1, 30, 200, 500], ids=["newline", "line", "row", "video"]
)
def test_it_goes_on_where_it_was_cut(
    lost: int, out: Path, asked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ask(monkeypatch, out) == 0
    whole = out.read_bytes()
    out.write_bytes(whole[:-lost])
    assert ask(monkeypatch, out) == 0
    assert out.read_bytes() == whole
    assert asked == [0, 1, 2, 2]


def test_more_videos_may_be_asked(
    out: Path, asked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert ask(monkeypatch, out) == 0
    assert ask(monkeypatch, out, "--count", 5) == 0
    assert asked == [0, 1, 2, 3, 4]


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("--seed", 2),
        ("--world", "crowded"),
        ("--candidates", 4),
        ("--temperature", 0.5),
        ("--model", golden_files.CHECKPOINT),
    ],
)
def test_another_run_is_refused(
    option: str,
    value: object,
    out: Path,
    asked: list[int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert ask(monkeypatch, out) == 0
    before = out.read_bytes()
    assert ask(monkeypatch, out, option, value) == 2
    assert f"another {option} (" in capsys.readouterr().err
    assert out.read_bytes() == before and len(asked) == 3


def test_rows_of_earlier_versions_are_gone_on_with(
    out: Path, asked: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    out.write_text(json.dumps({"world": "plain", "video_number": 0}) + "\n")
    assert ask(monkeypatch, out) == 0
    assert asked == [1, 2]


@pytest.mark.parametrize("content", ["a diary", "a diary\n", "[]\n", '{"a": 1}\n'])
def test_a_file_of_something_else_stays_as_it_is(
    content: str,
    out: Path,
    asked: list[int],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    out.write_text(content)
    assert ask(monkeypatch, out) == 2
    assert "line 1 is no row of this program" in capsys.readouterr().err
    assert out.read_text() == content and not asked
