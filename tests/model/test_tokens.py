"""The vocabulary and the chat format."""

from __future__ import annotations

import copy
import dataclasses

import golden_files
import pytest
import torch
from tokenizers import Tokenizer

from stablechat.errors import CheckpointError, InputError
from stablechat.model.tokens import PromptTokenizer

TOKENIZER = golden_files.loaded().tokenizer
CONFIG = golden_files.loaded().model.config
FIRST = CONFIG.base_vocab_size


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("<TEMP-000>", FIRST),
        ("<TEMP-099>", FIRST + 99),
        ("<HEIGHT-000>", FIRST + 100),
        ("<WIDTH-000>", FIRST + 200),
        ("<WIDTH-099>", FIRST + 299),
    ],
)
def test_coordinate_tokens_follow_the_vocabulary(token: str, expected: int) -> None:
    assert TOKENIZER.token_id(token) == expected
    assert TOKENIZER.decode([expected]) == token


def test_a_video_is_a_fast_and_a_slow_block() -> None:
    prompt = TOKENIZER.encode_prompt("What happens?")
    ids = prompt.input_ids.tolist()
    start = ids.index(TOKENIZER.token_id("<vid_start>"))
    slow = ids.index(TOKENIZER.token_id("<slow_vid_start>"))
    end = ids.index(TOKENIZER.token_id("<slow_vid_end>"))
    assert slow - start == CONFIG.num_fast_tokens == 900
    # The features replace the slow block, its start and end tokens included.
    assert prompt.visual == slice(slow, end + 1)
    assert end + 1 - slow == CONFIG.num_slow_tokens == 1620


def test_an_image_is_one_block() -> None:
    prompt = TOKENIZER.encode_prompt("What is this?", image=True)
    ids = prompt.input_ids.tolist()
    block = ids[prompt.visual]
    assert block[0] == TOKENIZER.token_id("<im_start>")
    assert block[-1] == TOKENIZER.token_id("<im_end>")
    assert len(block) == CONFIG.num_image_tokens == 729


def test_values_become_rows_and_widths_stay_bare() -> None:
    prompt = TOKENIZER.encode_prompt("at <t0.0874> <w0.352> <h1.0>")
    ids = prompt.input_ids[prompt.coordinate_positions].tolist()
    # The published weights never saw a width's value: a quirk to keep.
    assert ids == [
        TOKENIZER.token_id("<TEMP-INPUT>"),
        TOKENIZER.token_id("<HEIGHT-INPUT>"),
    ]
    # Rounded to three decimals first.
    expected = [FIRST + 0.087 * 99, FIRST + 100 + 99.0]
    assert prompt.coordinate_rows.tolist() == pytest.approx(expected)
    assert TOKENIZER.token_id("<WIDTH-INPUT>") in prompt.input_ids


def test_rows_are_exact_behind_a_vocabulary_of_full_size() -> None:
    first = 152_064

    class Large(PromptTokenizer):
        def token_id(self, token: str) -> int:
            found = super().token_id(token)
            return found + first - FIRST if found >= FIRST else found

    backend = Tokenizer.from_file(str(golden_files.CHECKPOINT / "tokenizer.json"))
    tokenizer = Large(backend, dataclasses.replace(CONFIG, base_vocab_size=first))
    (row,) = tokenizer.encode_prompt("at <t0.087>").coordinate_rows.tolist()
    assert row - first == pytest.approx(8.613, abs=1e-6)


def test_coordinates_are_mixed_by_their_exact_share() -> None:
    # A table whose row k holds k, as long as the 7B model's.
    first = 152_064
    table = torch.nn.Embedding(first + 300, 1)
    table.weight.data = torch.arange(-first, 300.0)[:, None]
    model = copy.copy(golden_files.loaded().model)
    model._input_table = lambda: table.weight  # type: ignore[method-assign]
    rows = torch.tensor([first + 8.613], dtype=torch.float64)
    assert model.embed_coordinates(rows).item() == pytest.approx(8.613, abs=1e-5)


def test_a_coordinate_token_without_a_value_is_refused() -> None:
    with pytest.raises(InputError, match="without a value"):
        TOKENIZER.encode_prompt("at <TEMP-INPUT>")


def test_a_tokenizer_of_another_model_is_refused() -> None:
    other = dataclasses.replace(CONFIG, base_vocab_size=FIRST + 1)
    with pytest.raises(CheckpointError, match="do not belong together"):
        PromptTokenizer.from_folder(golden_files.CHECKPOINT, other)


def test_the_tail_alone_is_the_end_of_the_whole() -> None:
    question = "at <t0.0874> <w0.352>"
    whole = TOKENIZER.encode_prompt(question)
    tail = whole.input_ids[whole.visual.stop :].tolist()
    assert TOKENIZER.encode_tail(question) == tail
