"""The decoding loop on the golden model."""

from __future__ import annotations

import dataclasses

import golden_files
import pytest
import torch

from stablechat.generation import generate, threads
from stablechat.generation.stopping import StopRule
from stablechat.types import Generation, GenerationConfig

LOADED = golden_files.loaded()


@pytest.fixture(scope="module")
def embeddings() -> torch.Tensor:
    """A short prompt without a video; what it says does not matter."""
    ids = LOADED.tokenizer.encode("Where is the red ball?")
    with torch.inference_mode():
        return LOADED.model.embed_tokens(torch.tensor([ids]))


def write(embeddings: torch.Tensor, count: int = 12, **options: object) -> Generation:
    config = GenerationConfig(max_new_tokens=count)
    return generate(LOADED.model, LOADED.tokenizer, embeddings, config, **options)  # type: ignore[arg-type]


def test_scores_of_the_last_position_only(embeddings: torch.Tensor) -> None:
    shapes = []
    head = LOADED.model.language_model.lm_head
    hook = head.register_forward_hook(lambda m, i, out: shapes.append(tuple(out.shape)))
    try:
        write(embeddings, 2)
    finally:
        hook.remove()
    assert shapes[0] == (1, 716)


def test_the_limit_cuts(embeddings: torch.Tensor) -> None:
    answer = write(embeddings, 12)
    assert (len(answer.token_ids), answer.finish_reason) == (12, "length")
    assert write(embeddings, 5).token_ids == answer.token_ids[:5]
    assert answer.text == LOADED.tokenizer.decode(list(answer.token_ids))


def test_an_end_token_ends_and_is_left_out(embeddings: torch.Tensor) -> None:
    tokens = write(embeddings, 12).token_ids
    place = next(i for i in range(1, 12) if tokens[i] not in tokens[:i])
    answer = write(embeddings, 12, end_token_ids=[tokens[place]])
    assert answer.finish_reason == "stop"
    assert answer.token_ids == tokens[:place]
    # An answer that ends exactly at the limit was not cut.
    exact = write(embeddings, place, end_token_ids=[tokens[place]])
    assert (exact.finish_reason, exact.token_ids) == ("stop", tokens[:place])


def test_an_answer_may_be_empty(embeddings: torch.Tensor) -> None:
    first = write(embeddings, 1).token_ids[0]
    answer = write(embeddings, 9, end_token_ids=[first])
    assert (answer.text, answer.token_ids, answer.finish_reason) == ("", (), "stop")


def test_cancelled_is_asked_at_every_token(embeddings: torch.Tensor) -> None:
    seen: list[tuple[int, int]] = []
    answer = write(
        embeddings,
        12,
        on_token=lambda token, count: seen.append((token, count)),
        cancelled=lambda: len(seen) == 4,
    )
    assert answer.finish_reason == "cancelled"
    assert [count for _, count in seen] == [1, 2, 3, 4]
    assert tuple(token for token, _ in seen) == answer.token_ids


def test_timings(embeddings: torch.Tensor) -> None:
    timings = write(embeddings, 6).timings
    assert set(timings) == {"prefill_seconds", "decode_seconds", "tokens_per_second"}
    speed = 6 / timings["decode_seconds"]
    assert timings["tokens_per_second"] == pytest.approx(speed)


def test_sampling_is_repeatable(embeddings: torch.Tensor) -> None:
    def sample(seed: int) -> tuple[int, ...]:
        config = GenerationConfig(max_new_tokens=20, temperature=1.5, seed=seed)
        loaded = (LOADED.model, LOADED.tokenizer)
        return generate(*loaded, embeddings, config).token_ids

    assert sample(1) == sample(1)
    assert sample(1) != sample(2)


def test_no_gradients_are_kept(embeddings: torch.Tensor) -> None:
    parameter = LOADED.model.language_model.lm_head.weight
    before = dataclasses.replace(write(embeddings, 1), timings={})
    assert parameter.grad is None
    assert before == dataclasses.replace(write(embeddings, 1), timings={})


@pytest.mark.parametrize(("limit", "expected"), [(10**9, 1), (10, 3)])
def test_a_small_model_decodes_on_one_thread(
    embeddings: torch.Tensor,
    limit: int,
    expected: int,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(threads, "SMALL_MODEL_PARAMETERS", limit)
    before, seen = torch.get_num_threads(), []

    def look(token: int, count: int) -> None:
        seen.append(torch.get_num_threads())
        raise KeyboardInterrupt

    torch.set_num_threads(3)
    try:
        with pytest.raises(KeyboardInterrupt):
            write(embeddings, 2, on_token=look)
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    assert seen == [expected]


@pytest.mark.parametrize(
    ("token", "count", "expected"),
    [
        (3, 0, None),
        (9, 0, "stop"),
        (3, 4, "length"),
        (9, 4, "stop"),  # it ended by itself, at the limit
    ],
)
def test_stop_rule(token: int, count: int, expected: str | None) -> None:
    assert StopRule({9}, 4).reason(token, [1] * count) == expected
