"""Several answers at once on CUDA: ``make test-gpu``."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from stablechat.generation import generate
from stablechat.generation.batch import generate_batch
from stablechat.generation.batch_decoder import BatchDecoder
from stablechat.generation.decoders import batch_decoder_for
from stablechat.generation.loop import Asked
from stablechat.generation.sampler import Sampler
from stablechat.generation.tree import DraftTree
from stablechat.generation.writer import Pass
from stablechat.loader import LoadedModel, load_model
from stablechat.types import GenerationConfig

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device"),
]


@pytest.fixture(params=["float32", "float16"], scope="module")
def loaded(request: pytest.FixtureRequest) -> LoadedModel:
    return load_model(None, "cuda", request.param)


@torch.inference_mode()
def questions(loaded: LoadedModel) -> list[Asked]:
    """Visual tokens of noise: what is written is long, and about nothing."""
    generator = torch.Generator("cuda").manual_seed(4)
    config = loaded.model.config
    asked = []
    for number in range(6):
        prompt = loaded.tokenizer.encode_prompt(f"Where is the red circle {number}?")
        shape = (config.num_slow_tokens, int(config.language.hidden_size))
        visual = torch.randn(shape, device="cuda", generator=generator) * 0.3
        embedded = loaded.model.embed_prompt(prompt, visual.to(loaded.dtype))
        decoded = GenerationConfig(max_new_tokens=120, temperature=number % 2 * 0.7)
        asked.append(Asked(embedded, decoded, "stvg"))
    return asked


@pytest.mark.parametrize("seats", [1, 3, 8])
def test_answers_are_those_written_alone(loaded: LoadedModel, seats: int) -> None:
    asked = questions(loaded)
    found = generate_batch(loaded.model, loaded.tokenizer, asked, seats=seats)
    same = []
    for each, answer in zip(asked, found, strict=True):
        alone = generate(
            loaded.model,
            loaded.tokenizer,
            each.inputs_embeds,
            each.config,
            task=each.task,
        )
        same.append(answer.token_ids == alone.token_ids)
    # In half precision a tie may be broken another way.
    least = len(same) if loaded.dtype == torch.float32 else len(same) / 2
    assert sum(same) >= least


def random_tree(count: int, rng: np.random.Generator) -> DraftTree:
    parents = [int(rng.integers(max(0, i - 4), i)) for i in range(1, count)]
    return DraftTree(rng.integers(0, 600, count).tolist(), [-1, *parents])


def path_to(tree: DraftTree, place: int) -> list[int]:
    path = [place]
    while path[0]:
        path.insert(0, tree.parents[path[0]])
    return path


@torch.inference_mode()
def test_trees_of_every_size(loaded: LoadedModel) -> None:
    rng = np.random.default_rng(2)
    sampler = Sampler(GenerationConfig(max_new_tokens=400), loaded.model.device)
    plain = BatchDecoder(loaded.model, 9)
    graphed = batch_decoder_for(loaded.model, 9)
    assert type(graphed).__name__ == "CudaBatchDecoder"
    for seat, asked in enumerate(questions(loaded)):
        for decoder in (plain, graphed):
            decoder.read_prompt_at(seat, asked.inputs_embeds, sampler, 400)
    for sizes in ([1] * 6, [5, 3, 1], [8] * 6, [64, 0, 20, 1], [0, 64] * 3, [1, 2]):
        trees = {s: random_tree(n, rng) for s, n in enumerate(sizes) if n}
        passes = {seat: Pass(tree, 1, False) for seat, tree in trees.items()}
        pairs = zip(plain.read_all(passes), graphed.read_all(passes), strict=True)
        for expected, found in pairs:
            torch.testing.assert_close(
                found.logits,
                expected.logits,
                atol=1e-4 if loaded.dtype == torch.float32 else 5e-2,
                rtol=0.02,
            )
        for seat, tree in trees.items():
            path = path_to(tree, len(tree) - 1)
            plain.keep_at(seat, path)
            graphed.keep_at(seat, path)


@torch.inference_mode()
def test_a_pass_that_is_too_large_for_a_graph(loaded: LoadedModel) -> None:
    rng = np.random.default_rng(3)
    sampler = Sampler(GenerationConfig(max_new_tokens=400), loaded.model.device)
    decoder = batch_decoder_for(loaded.model, 9)
    prompt = questions(loaded)[0].inputs_embeds
    for seat in range(9):
        decoder.read_prompt_at(seat, prompt, sampler, 400)
    tree = random_tree(64, rng)
    few = decoder.read_all({4: Pass(tree, 1, False)})[0].logits.clone()
    many = decoder.read_all({seat: Pass(tree, 1, False) for seat in range(9)})
    tolerance = 1e-4 if loaded.dtype == torch.float32 else 5e-2
    for found in many:
        torch.testing.assert_close(found.logits, few, atol=tolerance, rtol=0.02)
