"""The benchmark of training: whole steps of a small model."""

from __future__ import annotations

import pytest
import torch

from benchmarks import training


@pytest.mark.parametrize("name", ["lora24gb", "lora80gb_plain"])
def test_steps_are_whole(name: str) -> None:
    found = training.measure(
        training.SETUPS[name], torch.device("cpu"), steps=1, answer_tokens=40
    )
    assert found["model"] == "small, random"
    assert found["tokens_per_step"] == 2611 + 40
    assert found["tokens_per_second"] > 0
    assert found["trained_parameters"] > 0
