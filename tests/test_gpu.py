"""The golden model on a CUDA device: ``make test-gpu``."""

from __future__ import annotations

import golden_files
import numpy as np
import pytest
import torch

from stablechat.chat import StableChat
from stablechat.encoding import encode_frames
from stablechat.loader import load_model
from stablechat.model.preprocess import preprocess, preprocess_on_device
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


@pytest.mark.parametrize("size", [(1080, 1920), (640, 360), (37, 1000), (5000, 4000)])
def test_pixels_of_the_device_are_pils(size: tuple[int, int]) -> None:
    frames = np.random.default_rng(0).integers(0, 256, (2, *size, 3), np.uint8)
    found = preprocess_on_device(torch.from_numpy(frames).cuda(), 384).cpu()
    difference = (found - preprocess(frames, 384)).abs() * 127.5
    assert difference.mean() < 0.02
    assert difference.max() < 2.5


def test_tokens_do_not_depend_on_where_frames_are_resized() -> None:
    model = load_model(golden_files.CHECKPOINT, "cuda", "float32").model
    exact, device = (
        encode_frames(
            model,
            golden_files.video_frames(),
            on_progress=lambda share: None,
            cancelled=lambda: False,
            preprocessing=kind,
        )
        for kind in ("exact", "device")
    )
    assert (exact - device).abs().mean() < 0.01 * exact.abs().mean()


@pytest.mark.parametrize("scheme", ["8bit", "4bit"])
def test_quantised_weights_answer(scheme: str) -> None:
    pytest.importorskip("bitsandbytes")
    loaded = load_model(golden_files.CHECKPOINT, "cuda", quantization=scheme)
    answer = StableChat(loaded).generate(
        golden_files.case_frames("rec"),
        golden_files.CASES["rec"]["query"],
        GenerationConfig(max_new_tokens=8),
    )
    expected = golden_files.case_tensors("rec")["generated_ids"][0, 0].item()
    assert (len(answer.token_ids), answer.token_ids[0]) == (8, expected)
