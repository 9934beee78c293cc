"""Several answers at once on CUDA: ``make test-gpu``."""

from __future__ import annotations

import pytest
import torch

from stablechat.generation import generate
from stablechat.generation.batch import generate_batch
from stablechat.generation.loop import Asked
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
