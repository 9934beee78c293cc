"""The proof: the published code's own numbers, through the parts and the whole."""

from __future__ import annotations

from functools import cache

import golden_files
import pytest
import torch

from stablechat.generation import generate
from stablechat.generation.decoders import decoder_for
from stablechat.generation.sampler import Sampler
from stablechat.model.preprocess import preprocess
from stablechat.types import GenerationConfig

NEW_TOKENS = 48
CASE_NAMES = ("stvg", "svg", "elc", "describe", "rec")


def is_image(name: str) -> bool:
    return golden_files.CASES[name]["modality"] == "image"


def query(name: str) -> str:
    return str(golden_files.CASES[name]["query"])


@cache
@torch.inference_mode()
def visual_tokens(image: bool) -> torch.Tensor:
    # All video cases are about the same frames.
    model = golden_files.loaded().model
    frames = golden_files.case_frames("rec" if image else "stvg")
    pixels = preprocess(frames, model.config.image_size)
    encode = model.encode_images if image else model.encode_video
    return encode(pixels)[0]


@torch.inference_mode()
def prompt_embeddings(name: str) -> torch.Tensor:
    loaded, image = golden_files.loaded(), is_image(name)
    prompt = loaded.tokenizer.encode_prompt(query(name), image=image)
    return loaded.model.embed_prompt(prompt, visual_tokens(image))


def test_all_cases_are_here() -> None:
    assert set(golden_files.CASES) == set(CASE_NAMES)


@pytest.mark.parametrize("name", CASE_NAMES)
def test_input_ids_are_the_same(name: str) -> None:
    prompt = golden_files.loaded().tokenizer.encode_prompt(
        query(name), image=is_image(name)
    )
    expected = golden_files.case_tensors(name)["input_ids"][0]
    assert torch.equal(prompt.input_ids, expected)


@pytest.mark.parametrize("name", CASE_NAMES)
def test_pixels_are_the_same(name: str) -> None:
    tensors = golden_files.case_tensors(name)
    expected = tensors.get("pixel_values", tensors.get("pixel_values_first"))
    assert expected is not None
    frames = golden_files.case_frames(name)[: len(expected)]
    size = golden_files.loaded().model.config.image_size
    assert torch.equal(preprocess(frames, size), expected)


@pytest.mark.parametrize("name", CASE_NAMES)
def test_embeddings_and_logits_are_the_same(name: str) -> None:
    tensors = golden_files.case_tensors(name)
    embeddings = prompt_embeddings(name)
    if "inputs_embeds" in tensors:
        torch.testing.assert_close(
            embeddings, tensors["inputs_embeds"], atol=1e-3, rtol=0
        )
    if "inputs_embeds_tail" in tensors:
        tail = tensors["inputs_embeds_tail"]
        torch.testing.assert_close(
            embeddings[:, -tail.shape[1] :], tail, atol=1e-3, rtol=0
        )
    with torch.inference_mode():
        greedy = Sampler(GenerationConfig(), embeddings.device)
        decoder = decoder_for(golden_files.loaded().model)
        logits = decoder.read_prompt(embeddings, greedy, 1).logits[0]
    torch.testing.assert_close(logits[None], tensors["last_logits"], atol=1e-4, rtol=0)


@pytest.mark.parametrize("name", CASE_NAMES)
def test_the_parts_write_the_same_tokens(name: str) -> None:
    loaded = golden_files.loaded()
    answer = generate(
        loaded.model,
        loaded.tokenizer,
        prompt_embeddings(name),
        GenerationConfig(max_new_tokens=NEW_TOKENS),
    )
    expected = golden_files.case_tensors(name)["generated_ids"][0].tolist()
    assert len(expected) == NEW_TOKENS
    assert list(answer.token_ids) == expected


@pytest.mark.parametrize("name", CASE_NAMES)
def test_stablechat_writes_the_same_tokens(name: str) -> None:
    answer = golden_files.new_chat().generate(
        golden_files.case_frames(name),
        query(name),
        GenerationConfig(max_new_tokens=NEW_TOKENS),
    )
    expected = golden_files.case_tensors(name)["generated_ids"][0].tolist()
    assert list(answer.token_ids) == expected
    assert answer.text == golden_files.CASES[name]["text"]
    assert answer.finish_reason == "length"
