"""A question and its answer as the model reads and is taught them."""

from __future__ import annotations

import re
from dataclasses import dataclass

import torch
from torch import Tensor

from stablechat.model.config import LlavaSTConfig
from stablechat.model.tokens import EncodedPrompt, PromptTokenizer
from stablechat.types import NUM_BINS

#: A coordinate in an answer, written as in a question: ``<t0.087>``, ``<h0.442>``.
_COORDINATE = re.compile(r"<([twh])([01](?:\.\d+)?|\.\d+)>")
_TABLES = {"t": 0, "h": 1, "w": 2}
#: What stands at a position that nothing is taught at.
IGNORED = -1.0


@dataclass(frozen=True, eq=False)
class Example:
    """One conversation.

    Attributes:
        prompt: All of it, the answer included, with every continuous coordinate.
        target_rows: float64 ``(L,)``, for each token the row of the head that should
            have written it: its id, for a coordinate a fraction between the rows of two
            bins; :data:`IGNORED` where nothing is taught.
    """

    prompt: EncodedPrompt
    target_rows: Tensor

    def __len__(self) -> int:
        return len(self.target_rows)


def encode_example(
    tokenizer: PromptTokenizer,
    config: LlavaSTConfig,
    question: str,
    answer: str,
    *,
    image: bool = False,
) -> Example:
    """Put a question and its answer together.

    Args:
        tokenizer: The model's.
        config: Its geometry.
        question: Coordinates as ``<t0.087>`` and the like.
        answer: Likewise. All three axes are read and taught between the bins.
        image: Whether the visual is one still image.

    Raises:
        InputError: A coordinate token of the question has no value.
    """
    asked = tokenizer.encode_prompt(question, image=image)
    ids, places, rows = _encode_answer(tokenizer, config, answer)
    first = len(asked.input_ids)
    said = torch.tensor(ids)
    targets = said.double()
    targets[places] = rows
    prompt = EncodedPrompt(
        torch.cat([asked.input_ids, said]),
        asked.visual,
        torch.cat([asked.coordinate_positions, places + first]),
        torch.cat([asked.coordinate_rows, rows]),
    )
    ignored = torch.full((first,), IGNORED, dtype=torch.float64)
    return Example(prompt, torch.cat([ignored, targets]))


def _encode_answer(
    tokenizer: PromptTokenizer, config: LlavaSTConfig, answer: str
) -> tuple[list[int], Tensor, Tensor]:
    """Ids of an answer and its end, places of its coordinates, and their rows."""
    ids: list[int] = []
    places: list[int] = []
    rows: list[float] = []
    at = 0
    for match in _COORDINATE.finditer(answer):
        ids += tokenizer.encode(answer[at : match.start()])
        axis, number = match.groups()
        value = min(round(float(number), 3), 1.0)  # as upstream rounds
        row = config.base_vocab_size + _TABLES[axis] * NUM_BINS
        places.append(len(ids))
        rows.append(row + value * (NUM_BINS - 1))
        ids.append(round(rows[-1]))
        at = match.end()
    ids += tokenizer.encode(answer[at:])
    ids += [*tokenizer.encode("<|im_end|>"), *tokenizer.encode("\n")]
    return (
        ids,
        torch.tensor(places, dtype=torch.long),
        torch.tensor(rows, dtype=torch.float64),
    )
