"""The full-size model with random weights, made where it will run.

Speed and memory do not depend on what the weights say, and the published ones are 14
GB to fetch. Nothing here needs a video library.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch

from stablechat.loader import KNOWN_TOWERS, SO400M, build_empty
from stablechat.model.config import LlavaSTConfig, build_config
from stablechat.model.modeling import LlavaST
from stablechat.placement import Placement, allocate, choose_attention

#: The published model's ``config.json``: Qwen2-7B and what LLaVA-ST adds.
CHECKPOINT: Mapping[str, Any] = {
    "architectures": ["LlavaQwenForCausalLM"],
    "model_type": "llava_qwen",
    "hidden_act": "silu",
    "hidden_size": 3584,
    "intermediate_size": 18944,
    "num_hidden_layers": 28,
    "num_attention_heads": 28,
    "num_key_value_heads": 4,
    "max_position_embeddings": 32768,
    "max_window_layers": 28,
    "rms_norm_eps": 1e-6,
    "rope_theta": 1e6,
    "rope_scaling": None,
    "sliding_window": 131072,
    "use_sliding_window": False,
    "tie_word_embeddings": False,
    "vocab_size": 152064,
    "num_temporal_tokens": 100,
    "num_spatial_tokens": 100,
    "mm_projector_type": "mlp2x_gelu",
    "mm_resampler_type": "fast_slow_resampler",
    "mm_perceiver_latents": 81,
    "mm_perceiver_latents_fast": 9,
    "mm_vision_select_layer": -2,
    "mm_vision_tower": SO400M,
}
#: Inner width of the published packer's attention.
PACKER_WIDTH = 1024
# As Qwen2 and SigLIP are initialised.
_DEVIATION = 0.02


def build_full_size(
    device: str | torch.device,
    dtype: torch.dtype,
    *,
    attn: str | None = None,
    seed: int = 0,
) -> LlavaST:
    """The full-size LLaVA-ST (8.1 billion parameters) with random weights.

    Args:
        device: Where each parameter is allocated, once, and drawn.
        dtype: Type of the weights.
        attn: Attention kernel; None picks as the loader does.
        seed: Of the weights; the same on one kind of device gives the same weights.

    Returns:
        In evaluation mode.
    """
    config = build_config(CHECKPOINT, KNOWN_TOWERS[SO400M], PACKER_WIDTH)
    return build_random(config, device, dtype, attn=attn, seed=seed)


def build_random(
    config: LlavaSTConfig,
    device: str | torch.device,
    dtype: torch.dtype,
    *,
    attn: str | None = None,
    seed: int = 0,
) -> LlavaST:
    """A model of any geometry with random weights; arguments as above."""
    place = torch.device(device)
    attention = choose_attention(attn, place, dtype)
    model = build_empty(config, attention)
    allocate(model, Placement(place, dtype, attention))
    _draw(model, place, seed)
    return model.eval()


@torch.no_grad()
def _draw(model: LlavaST, device: torch.device, seed: int) -> None:
    generator = torch.Generator(device).manual_seed(seed)
    for name, parameter in model.named_parameters():
        if is_norm(name):
            parameter.fill_(1.0 if name.endswith("weight") else 0.0)
        else:
            parameter.normal_(0.0, _DEVIATION, generator=generator)


def is_norm(parameter: str) -> bool:
    """Whether a parameter, by its name, belongs to a normalisation."""
    owner = parameter.split(".")[-2]
    return "norm" in owner or owner.startswith("ln_")
