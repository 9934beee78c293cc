"""What tells models apart."""

from __future__ import annotations

import shutil
from pathlib import Path

import golden_files
import pytest

from stablechat.errors import CheckpointError
from stablechat.fingerprint import model_digest


def test_the_content_of_a_model_tells_it_apart(tmp_path: Path) -> None:
    known = model_digest(golden_files.CHECKPOINT)
    copy = shutil.copytree(golden_files.CHECKPOINT, tmp_path / "copy")
    (copy / "confidence.json").write_text("{}")
    assert model_digest(copy) == known
    weights = sorted(copy.glob("*.safetensors"))[-1]
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1  # the same size
    weights.write_bytes(content)
    changed = model_digest(copy)
    assert changed != known
    (copy / "config.json").write_text("{}")
    assert model_digest(copy) not in (known, changed)


def test_a_model_that_can_not_be_read(tmp_path: Path) -> None:
    (tmp_path / "model.safetensors").mkdir()
    with pytest.raises(CheckpointError, match="can't be read: Is a directory"):
        model_digest(tmp_path)
