"""Geometry from the checkpoint's files."""

from __future__ import annotations

import json
from typing import Any

import golden_files
import pytest

from stablechat.errors import CheckpointError
from stablechat.model.config import LlavaSTConfig, build_config

FIELDS: dict[str, Any] = json.loads(
    (golden_files.CHECKPOINT / "config.json").read_text()
)
TOWER: dict[str, Any] = json.loads(
    (golden_files.CHECKPOINT / "siglip-tiny" / "config.json").read_text()
)


def build(**changes: Any) -> LlavaSTConfig:
    fields = {**FIELDS, **changes}
    return build_config({k: v for k, v in fields.items() if v is not ...}, TOWER, 32)


def test_the_golden_geometry() -> None:
    config = build()
    assert (config.grid, config.slow_grid, config.fast_grid) == (27, 9, 3)
    assert config.language.vocab_size == FIELDS["vocab_size"] + 300
    # The last layer is dropped.
    assert config.vision.num_hidden_layers == TOWER["num_hidden_layers"] - 1
    assert (config.num_fast_tokens, config.num_slow_tokens) == (900, 1620)


def test_rope_theta_is_read() -> None:
    assert build().language.rope_parameters["rope_theta"] == FIELDS["rope_theta"]


def test_a_whole_siglip_configuration_will_do() -> None:
    whole = {"vision_config": TOWER, "text_config": {}}
    assert build_config(FIELDS, whole, 32).grid == 27


@pytest.mark.parametrize(("width", "heads"), [(1024, 8), (64, 8), (32, 4), (4, 1)])
def test_packer_heads(width: int, heads: int) -> None:
    assert build_config(FIELDS, TOWER, width).packer_heads == heads


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"vocab_size": ...}, "vocab_size"),  # missing
        ({"hidden_size": "big"}, "config.json"),  # of the wrong type
        ({"model_type": "llava"}, "model_type"),  # another model
        ({"mm_projector_type": "linear"}, "mm_projector_type"),
        ({"mm_resampler_type": "qformer"}, "mm_resampler_type"),
        ({"rope_scaling": {"type": "yarn"}}, "rope_scaling"),
        ({"num_temporal_tokens": 50}, "num_temporal_tokens"),
        ({"tie_word_embeddings": True}, "tie_word_embeddings"),
        ({"mm_vision_select_layer": 3}, "mm_vision_select_layer"),
        ({"mm_perceiver_latents": 64}, "divide each other"),  # 8 does not divide 27
        # damaged
        ({"hidden_size": 0}, "hidden_size = 0"),
        ({"hidden_size": -4}, "hidden_size = -4"),
        ({"hidden_size": 66}, "66 values among"),
        ({"num_attention_heads": 64}, "heads 1 wide"),
        ({"hidden_size": 10**30}, "hidden_size"),
        ({"intermediate_size": 0}, "intermediate_size = 0"),
        ({"num_attention_heads": 0}, "num_attention_heads|ZeroDivision"),
        ({"num_key_value_heads": 0}, "num_key_value_heads = 0"),
        ({"num_key_value_heads": 3}, "in 3 groups"),
        ({"num_hidden_layers": 0}, "num_hidden_layers = 0"),
        ({"num_hidden_layers": 10**7}, "num_hidden_layers"),
        ({"vocab_size": -1000}, "vocab_size"),
        ({"vocab_size": float("inf")}, "OverflowError"),
        ({"hidden_act": "foo"}, "foo"),
        ({"mm_perceiver_latents": 0}, "must have patches"),
        ({"mm_perceiver_latents": -81}, "config.json"),
        ({"mm_perceiver_latents_fast": 0}, "must have patches"),
        ({"mm_vision_select_layer": -500}, "nothing of a vision tower of 3 layers"),
        ({"mm_vision_select_layer": -4}, "nothing of a vision tower"),
    ],
)
def test_what_this_code_does_not_know_is_refused(
    changes: dict[str, Any], message: str
) -> None:
    with pytest.raises(CheckpointError, match=message):
        build(**changes)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"patch_size": 0}, "patch_size = 0"),
        ({"image_size": 1}, "must have patches"),
        ({"num_attention_heads": 0}, "num_attention_heads"),
        ({"num_hidden_layers": 10**7}, "num_hidden_layers"),
        ({"hidden_act": "foo"}, "foo"),
        ({"hidden_size": -64}, "hidden_size"),
    ],
)
def test_a_damaged_tower_is_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(CheckpointError, match=message) as caught:
        build_config(FIELDS, {**TOWER, **changes}, 32)
    assert "\n" not in str(caught.value)
