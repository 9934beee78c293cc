"""The fast tower on CUDA: ``make test-gpu``. Needs no video library."""

from __future__ import annotations

import pytest
import torch

from benchmarks._full_size import CHECKPOINT, build_random
from stablechat.loader import KNOWN_TOWERS, SO400M
from stablechat.model import modeling
from stablechat.model.config import build_config
from stablechat.model.fast_tower import fast_tower_for

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_on_cuda_it_is_as_near_to_float32(
    dtype: torch.dtype, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = build_config(
        {**CHECKPOINT, "num_hidden_layers": 1}, KNOWN_TOWERS[SO400M], 64
    )
    model = build_random(config, "cuda", dtype)
    exact = build_random(config, "cuda", torch.float32)
    exact.load_state_dict(model.state_dict())
    pixels = torch.rand(5, 3, 384, 384, device="cuda") * 2 - 1
    with torch.inference_mode():
        assert fast_tower_for(model.vision_tower) is not None
        fast = model.tower_features(pixels).float()
        monkeypatch.setattr(modeling, "fast_tower_for", lambda tower: None)
        slow = model.tower_features(pixels).float()
        expected = exact.tower_features(pixels.to(dtype).float())
    ours, theirs = ((found - expected).abs() for found in (fast, slow))
    assert 0 < ours.mean() <= 1.1 * theirs.mean()
    assert ours.max() <= 2 * theirs.max()


def test_gradients_take_the_modules() -> None:
    config = build_config(
        {**CHECKPOINT, "num_hidden_layers": 1}, KNOWN_TOWERS[SO400M], 64
    )
    model = build_random(config, "cuda", torch.float16).requires_grad_(True)
    assert fast_tower_for(model.vision_tower) is None
    features = model.tower_features(torch.rand(1, 3, 384, 384, device="cuda"))
    assert features.requires_grad
