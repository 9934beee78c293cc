"""The cache of features: whose they are, and who may write at once."""

from __future__ import annotations

import shutil
from pathlib import Path

import golden_files
import pytest
import torch
from safetensors.torch import load_file, save_file
from tiny_runs import settings

from stablechat.loader import load_model
from training.finetune import features
from training.finetune.features import FeatureCache
from training.finetune.model import cache_for


def cache_of(model: Path, tmp_path: Path) -> FeatureCache:
    chosen = settings(
        tmp_path, learning_rates={"language": 1e-3}, feature_cache=tmp_path / "cache"
    )
    cache = cache_for(chosen, load_model(model, "cpu", "float32"))
    assert cache is not None
    return cache


def test_features_of_other_weights_are_others(tmp_path: Path) -> None:
    video = golden_files.write_clip(tmp_path / "a.mp4", 3)
    model = shutil.copytree(golden_files.CHECKPOINT, tmp_path / "model")
    cache_of(model, tmp_path).write(video, None, torch.ones(2))
    assert cache_of(model, tmp_path).has(video, None)
    # The same folder, trained further.
    weights = load_file(model / "model.safetensors")
    name = min(weights)
    weights[name] = weights[name] + 1
    save_file(weights, model / "model.safetensors", {"format": "pt"})
    assert not cache_of(model, tmp_path).has(video, None)


def test_machines_that_share_a_cache_do_not_write_to_one_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    video = golden_files.write_clip(tmp_path / "a.mp4", 3)
    written = []

    def save(tensors: dict[str, torch.Tensor], path: Path) -> None:
        written.append(path.name)
        save_file(tensors, path)

    monkeypatch.setattr(features, "save_file", save)
    for _ in range(2):  # processes of one number, on two machines
        FeatureCache(tmp_path / "cache", "visual", "m").write(
            video, None, torch.ones(2)
        )
    assert len(set(written)) == 2
    assert len(list((tmp_path / "cache").iterdir())) == 1
