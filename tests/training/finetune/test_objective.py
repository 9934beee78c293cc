"""The loss and its gradients are those of the published code."""

from __future__ import annotations

import json
from typing import Any

import golden_files
import pytest
import torch
from safetensors.torch import load_file
from torch import Tensor

from stablechat.loader import load_model
from stablechat.model.config import AXES
from stablechat.model.modeling import LlavaST
from stablechat.model.preprocess import preprocess
from stablechat.types import NUM_BINS
from training.finetune.examples import IGNORED, Example, encode_example
from training.finetune.objective import (
    example_losses,
    propagate_to_neighbours,
)
from training.published import published_tensors

CASE: dict[str, Any] = json.loads((golden_files.GOLDEN / "train.json").read_text())
TENSORS = load_file(golden_files.GOLDEN / "train.safetensors")
QUESTION = CASE["question"].removeprefix("<video>\n")
LOADED = load_model(golden_files.CHECKPOINT, "cpu", "float32")


def golden_example() -> Example:
    return encode_example(
        LOADED.tokenizer, LOADED.model.config, QUESTION, CASE["answer"]
    )


def golden_visual(model: LlavaST) -> Tensor:
    pixels = preprocess(golden_files.video_frames(), model.config.image_size)
    return model.encode_video(pixels)[0]


def test_an_example_is_what_upstream_made_of_it() -> None:
    example = golden_example()
    expected, labels = TENSORS["input_ids"][0], TENSORS["labels"][0]
    is_coordinate = torch.zeros(len(example), dtype=torch.bool)
    is_coordinate[example.prompt.coordinate_positions] = True
    assert len(expected) == len(example)
    assert (example.prompt.input_ids == expected)[~is_coordinate].all()
    assert ((example.target_rows != IGNORED) == (labels != -100)).all()
    first = LOADED.model.config.base_vocab_size
    offsets = example.prompt.coordinate_rows - first
    found = {
        axis: (offsets[offsets.div(NUM_BINS).long() == table] % NUM_BINS) / 99
        for table, axis in enumerate(AXES)
    }
    for axis in AXES:
        values = CASE["variables"][f"{axis}_output_locations"]
        assert found[axis].tolist() == pytest.approx(values)


def test_loss_and_gradients() -> None:
    model = LOADED.model.requires_grad_(True)
    handles = propagate_to_neighbours(model)
    try:
        loss = example_losses(model, [golden_example()], [golden_visual(model)]).sum()
        loss.backward()
    finally:
        for handle in handles:
            handle.remove()
    assert loss.item() == pytest.approx(CASE["loss"], abs=1e-4)
    gradients = published_tensors(
        {n: p.grad for n, p in model.named_parameters() if p.grad is not None},
        model.config,
    )
    model.zero_grad()
    model.requires_grad_(False)
    for name, expected in TENSORS.items():
        if name.startswith("grad."):
            torch.testing.assert_close(
                gradients[name.removeprefix("grad.")], expected, atol=1e-4, rtol=1e-3
            )
    norms = {name: gradient.norm().item() for name, gradient in gradients.items()}
    for name, norm in CASE["grad_norm"].items():
        assert norms.get(name, 0.0) == pytest.approx(norm, abs=1e-4, rel=1e-3), name


def test_a_batch_is_its_examples() -> None:
    model = LOADED.model
    config, tokenizer = model.config, LOADED.tokenizer
    answers = ["{<t0.1><t0.2>}", "It ends in <t0.987>, [<w0.25><h0.5><w1><h.75>] so."]
    examples = [encode_example(tokenizer, config, QUESTION, a) for a in answers]
    with torch.no_grad():
        visual = golden_visual(model)
        together = example_losses(model, examples, [visual, visual * 0.5])
        alone = [
            example_losses(model, [example], [visual * factor]).item()
            for example, factor in zip(examples, (1, 0.5), strict=True)
        ]
    assert together.tolist() == pytest.approx(alone, abs=1e-4)


def test_frozen_tables_are_left_alone() -> None:
    LOADED.model.requires_grad_(False)
    assert propagate_to_neighbours(LOADED.model) == []
