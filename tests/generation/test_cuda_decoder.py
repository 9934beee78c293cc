"""The CUDA decoder computes what the plain one does: ``make test-gpu``."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor

from benchmarks._full_size import CHECKPOINT, build_random
from stablechat.generation.decoder import Decoder
from stablechat.generation.decoders import decoder_for
from stablechat.generation.drafter import Drafter
from stablechat.generation.forms import AnswerForm, Tables
from stablechat.generation.sampler import Sampler
from stablechat.generation.static_decoder import StaticDecoder
from stablechat.generation.tree import DraftTree, single
from stablechat.loader import KNOWN_TOWERS, SO400M
from stablechat.model.config import build_config
from stablechat.model.modeling import LlavaST
from stablechat.types import GenerationConfig

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]

HIDDEN = 512
SMALL = {
    **CHECKPOINT,
    "hidden_size": HIDDEN,
    "intermediate_size": 1184,  # no power of two
    "num_hidden_layers": 3,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
    "vocab_size": 2000,
}
TOWER = {
    **KNOWN_TOWERS[SO400M],
    "num_hidden_layers": 2,
    "hidden_size": 64,
    "intermediate_size": 64,
    "num_attention_heads": 2,
}
GREEDY = GenerationConfig(max_new_tokens=400)


@pytest.fixture(params=[torch.float32, torch.float16, torch.bfloat16], scope="module")
def model(request: pytest.FixtureRequest) -> LlavaST:
    return build_random(build_config(SMALL, TOWER, 64), "cuda", request.param)


@pytest.fixture(scope="module")
def prompt(model: LlavaST) -> Tensor:
    generator = torch.Generator("cuda").manual_seed(1)
    shape = (1, 700, HIDDEN)
    drawn = torch.randn(shape, device="cuda", generator=generator, dtype=torch.float32)
    return drawn.to(model.dtype)


def tolerance(model: LlavaST) -> float:
    return {torch.float32: 2e-5, torch.float16: 8e-3, torch.bfloat16: 8e-2}[model.dtype]


def random_tree(count: int, seed: int) -> DraftTree:
    rng = np.random.default_rng(seed)
    parents = [int(rng.integers(max(0, i - 4), i)) for i in range(1, count)]
    return DraftTree(rng.integers(0, 2000, count).tolist(), [-1, *parents])


def path_to(tree: DraftTree, place: int) -> list[int]:
    path = [place]
    while path[0]:
        path.insert(0, tree.parents[path[0]])
    return path


@torch.inference_mode()
def test_trees_of_every_size(model: LlavaST, prompt: Tensor) -> None:
    sampler = Sampler(GREEDY, model.device)
    plain, fast = StaticDecoder(model), decoder_for(model)
    assert type(fast).__name__ == "CudaDecoder"
    for decoder in (plain, fast):
        decoder.read_prompt(prompt, sampler, 400)
    for seed, count in enumerate([1, 1, 5, 8, 13, 16, 30, 64, 64, 2, 1]):
        tree = random_tree(count, seed)
        expected, found = plain.read(tree, 1), fast.read(tree, 1)
        torch.testing.assert_close(
            found.logits, expected.logits, atol=tolerance(model), rtol=0.02
        )
        path = path_to(tree, count - 1)
        plain.keep(path)
        fast.keep(path)


def write(
    decoder: Decoder, prompt: Tensor, config: GenerationConfig, ahead: bool
) -> list[int]:
    sampler = Sampler(config, prompt.device)
    reading = decoder.read_prompt(prompt, sampler, config.max_new_tokens)
    tokens = [reading.tokens[0]]
    for _ in range(40):
        reading = decoder.read(single(tokens[-1]), len(tokens), ahead=ahead)
        decoder.keep([0])
        tokens.append(reading.tokens[0])
    return tokens


@pytest.mark.parametrize("temperature", [0.0, 1.0])
@torch.inference_mode()
def test_reading_ahead_changes_nothing(
    model: LlavaST, prompt: Tensor, temperature: float
) -> None:
    config = replace(GREEDY, temperature=temperature)
    decoder = decoder_for(model)
    assert write(decoder, prompt, config, True) == write(decoder, prompt, config, False)


@torch.inference_mode()
def test_a_token_that_was_not_expected(model: LlavaST, prompt: Tensor) -> None:
    sampler, decoder = Sampler(GREEDY, model.device), decoder_for(model)
    plain = StaticDecoder(model)
    for each in (plain, decoder):
        each.read_prompt(prompt, sampler, 400)
    first = decoder.read(single(3), 1, ahead=True)  # reads what it picks, in vain
    decoder.keep([0])
    expected = plain.read(single(3), 1)
    plain.keep([0])
    torch.testing.assert_close(
        first.logits, expected.logits, atol=tolerance(model), rtol=0.02
    )
    found = decoder.read(single(1999), 2)
    expected = plain.read(single(1999), 2)
    torch.testing.assert_close(
        found.logits, expected.logits, atol=tolerance(model), rtol=0.02
    )


@torch.inference_mode()
def test_sampling_is_the_same_in_trees(model: LlavaST, prompt: Tensor) -> None:
    config = replace(GREEDY, temperature=0.8, top_p=0.9)
    decoder = decoder_for(model)
    tokens = write(decoder, prompt, config, False)
    sampler = Sampler(config, model.device)
    decoder.read_prompt(prompt, sampler, 400)
    chain = DraftTree(tokens[:20], [-1, *range(19)])
    found = decoder.read(chain, 1)
    places = torch.arange(1, 21, device=model.device)
    assert list(found.tokens) == sampler.pick(found.logits, places).tolist()
    if model.dtype == torch.float32:
        # Where 2,000 tokens are about as likely, half precision draws another one.
        assert list(found.tokens) == tokens[1:21]


def test_a_guess_fits_the_graphs(model: LlavaST) -> None:
    drafter = Drafter(Tables(2000), AnswerForm())
    drafter.see(5)
    assert len(drafter.tree(decoder_for(model).costs)) == 1
