"""One step of each stage on the CPU, and a run that is stopped and resumed."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path

import pytest
import torch

from stablechat.hub import DEMO_FOLDER
from stablechat.loader import load_model
from training.demo.train import Trainer, train


def arguments(out: Path, **changes: object) -> argparse.Namespace:
    values: dict[str, object] = {
        "skeleton": str(DEMO_FOLDER),
        "out": str(out),
        "total_seconds": 1000.0,
        "stop_after": 0.0,
        "videos": 1,
        "images": 2,
        "lr": 1e-3,
        "optimizer": "muon",
        "seed": 1,
        "no_compile": True,
        "init": None,
    }
    return argparse.Namespace(**{**values, **changes})


@pytest.mark.slow
def test_every_part_learns_from_some_stage(tmp_path: Path) -> None:
    trainer = Trainer(arguments(tmp_path), torch.device("cpu"))
    trainer.reseed(5)
    losses = trainer.image_losses(2, ask=True) | trainer.video_losses(1, step=0)
    total = sum(v for k, v in losses.items() if not k.startswith("~"))
    assert isinstance(total, torch.Tensor) and math.isfinite(total.item())
    total.backward()
    untouched = {
        name
        for name, value in trainer.modules.named_parameters()
        if value.grad is None or not value.grad.any()
    }
    # The reference never fills the fast tokens, and reads the tower before its last
    # layer norm.
    assert all("token_packer_fast" in n or "post_layernorm" in n for n in untouched)


@pytest.mark.slow
def test_a_stopped_run_goes_on_where_it_was(tmp_path: Path) -> None:
    args = arguments(tmp_path)
    train(Trainer(args, torch.device("cpu")), args, rank=0)
    first = json.loads((tmp_path / "facts.json").read_text())
    train(Trainer(args, torch.device("cpu")), args, rank=0)
    second = json.loads((tmp_path / "facts.json").read_text())
    assert second["step"] > first["step"]
    assert (first["runs"], second["runs"]) == (1, 2)
    lines = [json.loads(x) for x in (tmp_path / "log.jsonl").read_text().splitlines()]
    assert [line["stage"] for line in lines] == ["tower"] * len(lines)
    assert all(math.isfinite(line["dense_box"]) for line in lines)


def test_a_run_can_begin_with_a_trained_model(tmp_path: Path) -> None:
    fresh = Trainer(arguments(tmp_path), torch.device("cpu"))
    begun = Trainer(arguments(tmp_path, init=DEMO_FOLDER), torch.device("cpu"))
    trained = load_model(None, "cpu", "float32").model.state_dict()
    name = "projector.0.weight"
    assert torch.equal(begun.model.state_dict()[name], trained[name])
    assert not torch.equal(fresh.model.state_dict()[name], trained[name])


def test_a_step_sees_every_world(tmp_path: Path) -> None:
    trainer = Trainer(arguments(tmp_path), torch.device("cpu"))
    trainer.reseed(5)
    scenes = trainer._scenes(20)
    assert len(scenes) == 20
    assert scenes.exists.sum(1).max() > 4
    assert (scenes.window[:, 2:] < 1).any()
    assert (scenes.exposure == 0).any() and (scenes.exposure > 0).any()
