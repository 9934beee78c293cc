"""The golden model on a CUDA device: ``make test-gpu``."""

from __future__ import annotations

import golden_files
import pytest
import torch

from stablechat.chat import StableChat
from stablechat.loader import load_model
from stablechat.types import GenerationConfig

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


@pytest.mark.parametrize("name", sorted(golden_files.CASES))
def test_float32_writes_the_golden_tokens(name: str) -> None:
    chat = StableChat.from_pretrained(golden_files.CHECKPOINT, "cuda", "float32")
    answer = chat.generate(
        golden_files.case_frames(name),
        golden_files.CASES[name]["query"],
        GenerationConfig(max_new_tokens=48),
    )
    expected = golden_files.case_tensors(name)["generated_ids"][0].tolist()
    assert list(answer.token_ids) == expected


def test_half_precision_is_the_default_and_is_close() -> None:
    loaded = load_model(golden_files.CHECKPOINT)
    assert (loaded.device.type, loaded.dtype) == ("cuda", torch.float16)
    assert loaded.attn in ("sdpa", "flash_attention_2")
    case = golden_files.CASES["rec"]
    config = GenerationConfig(max_new_tokens=1)
    frames = golden_files.case_frames("rec")
    answer = StableChat(loaded).generate(frames, case["query"], config)
    expected = golden_files.case_tensors("rec")["generated_ids"][0, 0].item()
    assert answer.token_ids == (expected,)


def test_layers_can_be_spread() -> None:
    loaded = load_model(golden_files.CHECKPOINT, dtype="float32", device_map="auto")
    answer = StableChat(loaded).generate(
        golden_files.case_frames("rec"),
        golden_files.CASES["rec"]["query"],
        GenerationConfig(max_new_tokens=48),
    )
    expected = golden_files.case_tensors("rec")["generated_ids"][0].tolist()
    assert list(answer.token_ids) == expected
