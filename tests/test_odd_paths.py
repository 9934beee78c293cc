"""Names that Path's own methods raise for are bad input like any other."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import golden_files
import pytest

from evaluation import __main__ as evaluation_cli
from stablechat import __main__ as cli

MODEL = str(golden_files.CHECKPOINT)
ANNOTATION = {
    "video_path": "square.mp4",
    "query": "it",
    "meta": {
        **{"width": 96, "height": 64, "split": [0, 29]},
        "spatial_token": {"<bboxes>": {"20": [20, 20, 40, 20]}},
        "time_token": {"<s>": 20, "<e>": 20},
    },
    "conversations": [{"value": "<video>\nWhen?"}, {"value": "{<s>,<e>}: <bboxes>."}],
}

#: Every argument that is a path; {odd} is the name.
ARGUMENTS = [
    "stablechat probe {odd}",
    "stablechat ground {odd} it",
    "stablechat ground {odd} it --task rec",
    "stablechat ground {clip} it --model {odd}",
    "stablechat ground {clip} it --model {model} --out {odd}",
    "stablechat describe {odd}",
    "stablechat describe {clip} --model {odd}",
    "stablechat clip {odd} {good} --out {tmp}/out",
    "stablechat clip {clip} {odd} --out {tmp}/out",
    "stablechat clip {clip} {good} --out {odd}",
    "evaluation run --annotations {odd} --videos {tmp} --task stvg --out {tmp}/o",
    "evaluation run --annotations {rows} --videos {odd} --task stvg --out {tmp}/o",
    "evaluation run --annotations {rows} --videos {tmp} --task stvg --out {odd}",
    "evaluation run --annotations {rows} --videos {tmp} --task stvg --out {tmp}/o "
    "--model {odd}",
    "evaluation score {odd} --task stvg",
]


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    folder = tmp_path_factory.mktemp("odd")
    good = {
        "video": {"path": "square.mp4", "width": 96, "height": 64}
        | {"duration_seconds": 3.0, "fps": 10.0},
        **{"query": "it", "task": "stvg", "boxes": []},
        "span": {"start_seconds": 1.0, "end_seconds": 2.0},
    }
    (folder / "good.json").write_text(json.dumps(good))
    (folder / "rows.json").write_text(json.dumps([ANNOTATION]))
    return {
        "clip": str(golden_files.write_clip(folder / "square.mp4")),
        "good": str(folder / "good.json"),
        "rows": str(folder / "rows.json"),
        "tmp": str(folder),
        "model": MODEL,
    }


@pytest.fixture
def locked(tmp_path: Path) -> Iterator[Path]:
    """A folder that may not be entered."""
    folder = tmp_path / "locked"
    (folder / "inner").mkdir(parents=True)
    folder.chmod(0)
    if os.access(folder, os.X_OK):
        pytest.skip("this user may enter every folder")
    yield folder
    folder.chmod(0o700)


def assert_refused(
    line: str, words: dict[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    program, *arguments = [word.format(**words) for word in line.split()]
    main = cli.main if program == "stablechat" else evaluation_cli.main
    assert main(arguments) == 2
    printed = capsys.readouterr()
    assert printed.out == ""
    (told,) = printed.err.splitlines()
    assert told.startswith("error: ")
    # What is right is not blamed.
    assert not any(name in told for name in ("square.mp4", "good.json", "rows.json"))
    assert not os.path.exists(Path(words["tmp"]) / "out")
    assert not os.path.exists(Path(words["tmp"]) / "o")


@pytest.mark.parametrize("odd", ["x" * 300, "deep/" * 1000 + "x", "zero\0byte"])
@pytest.mark.parametrize("line", ARGUMENTS)
def test_names_that_no_file_can_have(
    world: dict[str, str],
    line: str,
    odd: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert_refused(line, {**world, "odd": odd}, capsys)


# Only a shell turns ~ into a home, except that --model does too.
@pytest.mark.parametrize("line", [a for a in ARGUMENTS if "--out {odd}" not in a])
def test_the_home_of_nobody(
    world: dict[str, str], line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert_refused(line, {**world, "odd": "~nouser/x"}, capsys)


@pytest.mark.parametrize("name", [".", "inner", "inner/x"])
@pytest.mark.parametrize("line", ARGUMENTS)
def test_folders_that_may_not_be_entered(
    world: dict[str, str],
    line: str,
    name: str,
    locked: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert_refused(line, {**world, "odd": str(locked / name)}, capsys)
