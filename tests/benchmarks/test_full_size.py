"""The benchmarks' model: its geometry, and random weights of a tiny one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import golden_files
import pytest
import torch

from benchmarks import _full_size
from stablechat.loader import KNOWN_TOWERS, SO400M, build_empty
from stablechat.model.config import LlavaSTConfig, build_config
from stablechat.model.modeling import LlavaST

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def tiny() -> LlavaSTConfig:
    """The golden checkpoint's geometry; the configurations are this module's own."""
    return golden_files.copy_config()


def test_the_published_geometry() -> None:
    config = build_config(
        _full_size.CHECKPOINT, KNOWN_TOWERS[SO400M], _full_size.PACKER_WIDTH
    )
    model = build_empty(config, "sdpa")
    count = sum(p.numel() for p in model.parameters())
    assert (config.grid, config.num_slow_tokens, config.packer_heads) == (27, 1620, 8)
    assert len(model.vision_tower.encoder.layers) == 26
    assert model.language_model.lm_head.weight.shape == (152064 + 300, 3584)
    assert 8.0e9 < count < 8.2e9


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_random_weights(tiny: LlavaSTConfig, dtype: torch.dtype) -> None:
    model = _full_size.build_random(tiny, "cpu", dtype)
    assert not model.training
    for name, parameter in model.named_parameters():
        assert parameter.dtype is dtype and not parameter.requires_grad, name
        values = parameter.float()
        if _full_size.is_norm(name):
            assert set(values.unique().tolist()) <= {0.0, 1.0}, name
        elif values.numel() > 1000:
            assert abs(values.std().item() - 0.02) < 0.003, name
        else:
            assert values.abs().max() < 0.2, name


def test_every_norm_is_known(tiny: LlavaSTConfig) -> None:
    model = build_empty(tiny, "sdpa")
    kinds = (torch.nn.LayerNorm, type(model.language_model.model.norm))
    norms = {n for n, module in model.named_modules() if isinstance(module, kinds)}
    named = {
        name.rpartition(".")[0]
        for name, _ in model.named_parameters()
        if _full_size.is_norm(name)
    }
    assert named == norms


def test_a_seed_repeats(tiny: LlavaSTConfig) -> None:
    def head(seed: int) -> torch.Tensor:
        model: LlavaST = _full_size.build_random(tiny, "cpu", torch.float32, seed=seed)
        weight: torch.Tensor = model.language_model.lm_head.weight
        return weight

    assert torch.equal(head(1), head(1))
    assert not torch.equal(head(1), head(2))


def test_it_runs(tiny: LlavaSTConfig) -> None:
    model = _full_size.build_random(tiny, "cpu", torch.float32)
    size = tiny.image_size
    with torch.inference_mode():
        visual = model.encode_video(torch.rand(tiny.num_frames, 3, size, size))
        logits = model.language_model(inputs_embeds=visual).logits
    assert visual.shape == (1, tiny.num_slow_tokens, tiny.language.hidden_size)
    assert logits.isfinite().all()


def test_no_video_library_is_needed() -> None:
    script = (
        "import sys\n"
        "sys.modules.update(dict.fromkeys(('av', 'cv2', 'moviepy'), None))\n"
        "import benchmarks._full_size"
    )
    subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=True)
