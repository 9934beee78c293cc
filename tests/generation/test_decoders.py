"""Both decoders compute what transformers does, alone and in trees."""

from __future__ import annotations

import golden_files
import numpy as np
import pytest
import torch
from torch import Tensor, nn

from stablechat.generation.decoder import Decoder, Reading
from stablechat.generation.decoders import decoder_for, is_plain
from stablechat.generation.plain_decoder import PlainDecoder
from stablechat.generation.sampler import Sampler
from stablechat.generation.static_decoder import StaticDecoder
from stablechat.generation.tree import DraftTree, single
from stablechat.types import GenerationConfig

LOADED = golden_files.loaded()
MODEL = LOADED.model
GREEDY = Sampler(GenerationConfig(), torch.device("cpu"))
DECODERS = pytest.mark.parametrize("make", [PlainDecoder, StaticDecoder])
CHAIN = DraftTree((5, 77, 420, 9), (-1, 0, 1, 2))
#: 5 -> (77 -> (420, 9), 13 -> 9)
TREE = DraftTree((5, 77, 13, 420, 9, 9), (-1, 0, 0, 1, 1, 2))


@pytest.fixture(scope="module")
def prompt() -> Tensor:
    ids = LOADED.tokenizer.encode("Where is the red ball?")
    with torch.inference_mode():
        return MODEL.embed_tokens(torch.tensor([ids]))


def expected(prompt: Tensor, tokens: list[int]) -> Tensor:
    """The scores after some tokens, by transformers in one go."""
    after = MODEL.embed_tokens(torch.tensor([tokens], dtype=torch.long))
    whole = torch.cat([prompt, after], dim=1)
    return MODEL.language_model(inputs_embeds=whole).logits[0, -1]


def begin(make: type[Decoder], prompt: Tensor) -> tuple[Decoder, Reading]:
    decoder = make(MODEL)  # type: ignore[call-arg]
    return decoder, decoder.read_prompt(prompt, GREEDY, 64)


def assert_close(found: Tensor, wanted: Tensor) -> None:
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=1e-4)


@DECODERS
@torch.inference_mode()
def test_a_prompt(make: type[Decoder], prompt: Tensor) -> None:
    _, reading = begin(make, prompt)
    assert reading.logits.shape == (1, 716)
    assert_close(reading.logits[0], expected(prompt, []))
    assert reading.tokens == [int(reading.logits[0].argmax())]


@DECODERS
@torch.inference_mode()
def test_one_token_after_the_other(make: type[Decoder], prompt: Tensor) -> None:
    decoder, _ = begin(make, prompt)
    for place, token in enumerate(CHAIN.tokens):
        reading = decoder.read(single(token), place + 1)
        decoder.keep([0])
    assert_close(reading.logits[0], expected(prompt, list(CHAIN.tokens)))


@DECODERS
@torch.inference_mode()
def test_a_chain_of_which_a_part_is_kept(make: type[Decoder], prompt: Tensor) -> None:
    decoder, _ = begin(make, prompt)
    reading = decoder.read(CHAIN, 1)
    for place in range(len(CHAIN)):
        tokens = list(CHAIN.tokens[: place + 1])
        assert_close(reading.logits[place], expected(prompt, tokens))
    decoder.keep([0, 1])
    reading = decoder.read(DraftTree((3, 8), (-1, 0)), 3)
    assert_close(reading.logits[1], expected(prompt, [5, 77, 3, 8]))


@torch.inference_mode()
def test_a_tree_of_which_a_path_is_kept(prompt: Tensor) -> None:
    decoder, _ = begin(StaticDecoder, prompt)
    reading = decoder.read(TREE, 1)
    paths = ([5], [5, 77], [5, 13], [5, 77, 420], [5, 77, 9], [5, 13, 9])
    for place, path in enumerate(paths):
        assert_close(reading.logits[place], expected(prompt, path))
    decoder.keep([0, 2, 5])
    reading = decoder.read(TREE, 4)
    assert_close(reading.logits[4], expected(prompt, [5, 13, 9, 5, 77, 9]))


@DECODERS
@torch.inference_mode()
def test_a_new_prompt_forgets_the_old_one(make: type[Decoder], prompt: Tensor) -> None:
    decoder, first = begin(make, prompt)
    before = first.logits.clone()
    decoder.read(CHAIN, 1)
    decoder.keep([0, 1, 2])
    assert_close(decoder.read_prompt(prompt, GREEDY, 64).logits, before)


@torch.inference_mode()
def test_the_memory_grows(prompt: Tensor) -> None:
    decoder, _ = begin(StaticDecoder, prompt)
    decoder.read_prompt(prompt, GREEDY, 3000)
    for place in range(600):
        decoder.read(single(5), place + 1)
        decoder.keep([0])
    reading = decoder.read(single(5), 601)
    assert_close(reading.logits[0], expected(prompt, [5] * 601))


@DECODERS
@torch.inference_mode()
def test_scores_of_the_written_tokens(make: type[Decoder], prompt: Tensor) -> None:
    decoder, _ = begin(make, prompt)
    reading = decoder.read(CHAIN, 1)
    log_probs = reading.logits.log_softmax(dim=-1)
    for place, token in enumerate(reading.tokens):
        assert reading.scores[place, 0] == pytest.approx(
            float(log_probs[place, token]), abs=1e-5
        )
    assert np.all(reading.scores[:, 1:] >= 0)


@torch.inference_mode()
def test_sharing_weights_leaves_the_model_as_it_was(prompt: Tensor) -> None:
    fresh = golden_files.loaded.__wrapped__().model  # type: ignore[attr-defined]
    before = {name: value.clone() for name, value in fresh.state_dict().items()}
    StaticDecoder(fresh)
    after = fresh.state_dict()
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    attention = fresh.language_model.model.layers[0].self_attn
    base = attention.q_proj.weight.untyped_storage().data_ptr()
    assert attention.k_proj.weight.untyped_storage().data_ptr() == base


def test_which_decoder() -> None:
    assert isinstance(decoder_for(MODEL), StaticDecoder)
    assert decoder_for(MODEL) is decoder_for(MODEL)


def test_a_spread_model_is_run_as_transformers_does() -> None:
    fresh = golden_files.loaded.__wrapped__().model  # type: ignore[attr-defined]
    assert is_plain(fresh)
    fresh.language_model.model.layers[1]._hf_hook = object()
    assert not is_plain(fresh)


@torch.inference_mode()
def test_projections_of_other_kinds_are_left_alone(prompt: Tensor) -> None:
    class Wrapped(nn.Linear):
        """Stands for a quantised or adapted layer."""

    fresh = golden_files.loaded.__wrapped__().model  # type: ignore[attr-defined]
    fresh.language_model.model.layers[0].self_attn.q_proj.__class__ = Wrapped
    decoder = StaticDecoder(fresh)
    reading = decoder.read_prompt(prompt, GREEDY, 8)
    assert_close(reading.logits[0], expected(prompt, []))
