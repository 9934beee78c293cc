"""Where a checkpoint's vision tower is looked for."""

from __future__ import annotations

import logging
from pathlib import Path

import golden_files
import pytest
import torch
from golden_files import read_weights, write_weights

from stablechat.errors import CheckpointError
from stablechat.loader import LoadedModel, load_model
from stablechat.model.checkpoint import TOWER_PREFIX


@pytest.fixture
def checkpoint(tmp_path: Path) -> Path:
    """A checkpoint of the test's own."""
    return golden_files.copy_checkpoint(tmp_path / "my-model")


def load(folder: Path) -> LoadedModel:
    return load_model(folder, device="cpu")


@pytest.mark.parametrize("has_tower", [True, False])
@pytest.mark.parametrize("named", ["{parent}/siglip", "../siglip", "siglip"])
def test_a_tower_in_another_folder(
    checkpoint: Path, named: str, has_tower: bool, caplog: pytest.LogCaptureFixture
) -> None:
    outside = (checkpoint / "siglip-tiny").rename(checkpoint.parent / "siglip")
    golden_files.edit_config(
        checkpoint, mm_vision_tower=named.format(parent=checkpoint.parent)
    )
    stored, beside = read_weights(checkpoint), read_weights(outside)
    name = "embeddings.patch_embedding.weight"
    expected = beside[f"vision_model.{name}"]
    if has_tower:
        expected = stored[TOWER_PREFIX + name]
    else:
        kept = {k: t for k, t in stored.items() if not k.startswith(TOWER_PREFIX)}
        write_weights(checkpoint, kept)
    with caplog.at_level(logging.INFO, "stablechat"):
        tower = load(checkpoint).model.vision_tower.state_dict()
    assert torch.equal(tower[name], expected)
    assert f"The vision tower is in {outside.resolve()}" in caplog.text


def test_a_folder_without_a_configuration_is_no_tower(checkpoint: Path) -> None:
    (checkpoint.parent / "empty").mkdir()
    golden_files.edit_config(checkpoint, mm_vision_tower="../empty")
    with pytest.raises(CheckpointError, match="neither a folder"):
        load(checkpoint)


@pytest.mark.parametrize("named", ["/data/siglip-so400m-patch14-384", "../siglip-tiny"])
def test_a_tower_that_is_nowhere(checkpoint: Path, named: str) -> None:
    golden_files.edit_config(checkpoint, mm_vision_tower=named)
    # The published tower is known by its name: then the shapes do not fit.
    message = "shape" if "so400m" in named else "neither a folder"
    with pytest.raises(CheckpointError, match=message):
        load(checkpoint)
