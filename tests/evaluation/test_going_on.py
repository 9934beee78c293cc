"""Which runs may be gone on with, and how."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import golden_files
import pytest
from eval_runs import call, run_arguments, write_world
from eval_samples import write_annotations
from safetensors.torch import load_file, save_file

from evaluation import __main__ as cli
from evaluation.rows import read_json_lines


@pytest.fixture
def world(tmp_path: Path) -> Path:
    return write_world(tmp_path)


def test_a_run_is_gone_on_with_in_the_same_way_only(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(*run_arguments(world, "--limit", 1)) == 0
    capsys.readouterr()
    before = (world / "rows.jsonl").read_bytes()
    for more, says in (
        (("--temperature", 0.5), "another decoding ({'temperature': 0.0}, now"),
        (("--max-new-tokens", 5), "'max_new_tokens': 4"),
        (("--no-speculation",), "({'speculation': True}, now {'speculation': False})"),
        (("--grammar",), "({'grammar': False}, now {'grammar': True})"),
    ):
        assert call(*run_arguments(world, *more)) == cli.EXIT_BAD_INPUT
        assert says in capsys.readouterr().err
    rows = json.loads((world / "stvg.json").read_text())
    write_annotations(world / "stvg.json", [*rows, rows[0]])
    assert call(*run_arguments(world)) == cli.EXIT_BAD_INPUT
    assert "content of the annotation file" in capsys.readouterr().err
    assert (world / "rows.jsonl").read_bytes() == before


def trained_further(folder: Path) -> Path:
    """The golden model with one weight changed, under the golden model's name."""
    folder = folder / golden_files.CHECKPOINT.name
    shutil.copytree(golden_files.CHECKPOINT, folder)
    (path, *_) = sorted(folder.glob("*.safetensors"))
    weights = load_file(path)
    first = min(weights)
    save_file({**weights, first: weights[first] + 1}, path, {"format": "pt"})
    return folder


def test_another_model_of_the_same_name_is_refused(
    world: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(*run_arguments(world, "--limit", 1)) == 0
    before = (world / "rows.jsonl").read_bytes()
    other = trained_further(tmp_path / "other")
    assert call(*run_arguments(world, "--model", other)) == cli.EXIT_BAD_INPUT
    assert "another content of the model's folder" in capsys.readouterr().err
    assert (world / "rows.jsonl").read_bytes() == before
    # The same model elsewhere is no other; nor can a run say so that began before
    # this was written down.
    same = shutil.copytree(golden_files.CHECKPOINT, world / "same" / other.name)
    assert call(*run_arguments(world, "--limit", 2, "--model", same)) == 0
    path = world / "rows.run.json"
    old = json.loads(path.read_text())
    del old["model_sha256"], old["revision"]
    path.write_text(json.dumps(old))
    assert call(*run_arguments(world, "--model", other)) == 0


def test_another_subset_is_refused(
    world: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    drawn = ("--subset", 2, "--seed")
    assert call(*run_arguments(world, *drawn, 7, "--limit", 1)) == 0
    before = (world / "rows.jsonl").read_bytes()
    for more, says in (
        ((*drawn, 8), "another --seed (7, now 8)"),
        (("--subset", 1, "--seed", 7), "another --subset (2, now 1)"),
        ((), "another --subset (2, now none)"),
    ):
        assert call(*run_arguments(world, *more)) == cli.EXIT_BAD_INPUT
        assert says in capsys.readouterr().err
    assert (world / "rows.jsonl").read_bytes() == before
    assert call(*run_arguments(world, *drawn, 7)) == 0
    assert len(read_json_lines(world / "rows.jsonl")) == 2


def test_when_it_was_begun_stays_written_down(world: Path) -> None:
    path = world / "rows.run.json"
    assert call(*run_arguments(world, "--limit", 1)) == 0
    begun = {**json.loads(path.read_text()), "started": "long ago"}
    path.write_text(json.dumps(begun))
    assert call(*run_arguments(world)) == 0
    told = path.read_bytes()
    assert json.loads(told)["started"] == "long ago"
    assert json.loads(told)["num_questions"] == 3
    assert call(*run_arguments(world, "--limit", 1)) == 0  # nothing is left to ask
    assert path.read_bytes() == told
