"""The benchmark of encoding: every stage runs and is timed."""

from __future__ import annotations

from dataclasses import replace

import golden_files
import pytest
import torch

from benchmarks import encoding
from benchmarks._devices import measure
from benchmarks._full_size import build_random
from stablechat.model.modeling import LlavaST


@pytest.fixture(scope="module")
def model() -> LlavaST:
    """The golden geometry with a configuration of its own; the benchmark edits it."""
    config = replace(golden_files.copy_config(), num_frames=10)
    return build_random(config, "cpu", torch.float32)


def test_burn_in_is_not_counted() -> None:
    calls: list[int] = []
    found = measure(lambda: calls.append(1), torch.device("cpu"), runs=3, burn_in=2)
    assert len(calls) == 5
    assert list(found) == ["wall_ms"]


def test_every_stage_is_measured(model: LlavaST) -> None:
    bench = encoding.Bench(model, runs=1)
    report = encoding.run(bench, [(48, 32)], compile_tower=False)
    assert report["frames_per_step"] == 10
    assert list(report["stages"]) == [
        "tower ours, 10 a step",
        "tower ours, 20 a step",
        "encode ours, device, 48x32",
        "projector, positions and packer, 10 a step",
        "projector, positions and packer, at once",
        "tower transformers, 10 a step",
        "preprocess exact, 48x32",
        "preprocess device, 48x32",
        "encode baseline, 48x32",
        "encode ours, exact, 48x32",
    ]
    assert all(found["wall_ms"] > 0 for found in report["stages"].values())
    assert model.config.vision._attn_implementation == "sdpa"


def test_another_attention_is_put_back(model: LlavaST) -> None:
    with pytest.raises(RuntimeError), encoding.attention(model, "eager"):
        assert model.config.vision._attn_implementation == "eager"
        raise RuntimeError
    assert model.config.vision._attn_implementation == "sdpa"
