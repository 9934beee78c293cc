"""Every tensor of the published layout has its place."""

from __future__ import annotations

import json

import golden_files
import pytest

from stablechat.model.checkpoint import Target, target_of
from stablechat.weights import list_tensors, published_name

BASE = 416


def test_every_published_key_fits_a_parameter_of_ours() -> None:
    parameters = dict(golden_files.loaded().model.named_parameters())
    shapes = json.loads((golden_files.GOLDEN / "state_dict_shapes.json").read_text())
    stored = list_tensors(golden_files.CHECKPOINT)
    assert {key: list(t.shape) for key, t in stored.items()} == shapes
    for key, shape in shapes.items():
        target = target_of(key, BASE)
        assert target is not None, key
        place = parameters[target.name].shape
        assert list(place[1:]) == shape[1:], key


@pytest.mark.parametrize(
    ("key", "expected"),
    [
        ("lm_head.weight", Target("language_model.lm_head.weight", 0)),
        (
            "model.temporal_input_embeddings.weight",
            Target("language_model.model.embed_tokens.weight", BASE),
        ),
        (
            "model.spatial_height_output_embeddings.weight",
            Target("language_model.lm_head.weight", BASE + 100),
        ),
        (
            "model.spatial_width_input_embeddings.weight",
            Target("language_model.model.embed_tokens.weight", BASE + 200),
        ),
        ("model.norm.weight", Target("language_model.model.norm.weight")),
        ("model.mm_projector.2.bias", Target("projector.2.bias")),
        (
            "model.vision_resampler.token_packer.devide_attention.ln_q.bias",
            Target("packer.token_packer.ln_q.bias"),
        ),
        ("model.image_newline", None),  # another LLaVA's
        ("visual.proj", None),
        ("", None),
    ],
)
def test_target_of(key: str, expected: Target | None) -> None:
    assert target_of(key, BASE) == expected


def test_published_names_are_the_inverse() -> None:
    shapes = json.loads((golden_files.GOLDEN / "state_dict_shapes.json").read_text())
    for name, _ in golden_files.loaded().model.named_parameters():
        published = published_name(name)
        assert published in shapes
        target = target_of(published, BASE)
        assert target is not None
        assert target.name == name
