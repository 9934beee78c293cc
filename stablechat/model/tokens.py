"""Text to token ids and back: the vocabulary, the chat format, visual placeholders."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import torch
from tokenizers import Tokenizer
from torch import Tensor

from stablechat.errors import CheckpointError, InputError
from stablechat.model.config import LlavaSTConfig
from stablechat.types import NUM_BINS

SYSTEM_PROMPT = "You are a helpful assistant."
END_TOKENS = ("<|im_end|>", "<|endoftext|>")

# <t0.087>, <w0.352>, <h0.442> in a question.
_UNIT_VALUE = re.compile(r"<([twh])([01](?:\.\d+)?|\.\d+)>")
_INPUT_TOKENS = {"t": "<TEMP-INPUT>", "h": "<HEIGHT-INPUT>", "w": "<WIDTH-INPUT>"}
_TABLES = {"t": 0, "h": 1, "w": 2}
# Upstream never replaces <WIDTH-INPUT> in a question (an assignment is missing there)
# and the published weights were trained that way.
_REPLACED_AXES = ("t", "h")


@dataclass(frozen=True)
class EncodedPrompt:
    """A question ready for the model.

    Attributes:
        input_ids: int64 ``(L,)``, the visual block as placeholder tokens.
        visual: Where the visual features go in.
        coordinate_positions: int64 ``(K,)``, places of continuous coordinates.
        coordinate_rows: float64 ``(K,)``, their fractional rows in the embedding; at
            row 152,064 float32 would know them to 1/64 only.
    """

    input_ids: Tensor
    visual: slice
    coordinate_positions: Tensor
    coordinate_rows: Tensor


class PromptTokenizer:
    """A checkpoint's tokenizer in the model's chat format.

    Args:
        tokenizer: The checkpoint's own.
        config: The model's geometry.

    Raises:
        CheckpointError: Tokens the model needs are missing or out of place.
    """

    def __init__(self, tokenizer: Tokenizer, config: LlavaSTConfig) -> None:
        self._tokenizer = tokenizer
        self._config = config
        first = config.base_vocab_size
        for name, expected in (
            ("<TEMP-000>", first),
            ("<HEIGHT-000>", first + NUM_BINS),
            ("<WIDTH-000>", first + 2 * NUM_BINS),
            (f"<WIDTH-{NUM_BINS - 1:03d}>", first + 3 * NUM_BINS - 1),
        ):
            found = self.token_id(name)
            if found != expected:
                raise CheckpointError(
                    "The tokenizer has {name} at {found}, but config.json's vocab_size "
                    "puts it at {expected}: the files do not belong together.",
                    name=name,
                    found=found,
                    expected=expected,
                )
        self.end_token_ids = tuple(self.token_id(name) for name in END_TOKENS)
        added = tokenizer.get_added_tokens_decoder()
        #: Tokens of the chat format and of pictures, which no prose has.
        self.control_token_ids = tuple(token for token in added if token < first)
        self._axis_of_input_token = {
            self.token_id(name): axis for axis, name in _INPUT_TOKENS.items()
        }

    @classmethod
    def from_folder(cls, folder: Path, config: LlavaSTConfig) -> PromptTokenizer:
        """Read ``tokenizer.json`` from a checkpoint folder."""
        path = folder / "tokenizer.json"
        try:
            tokenizer = Tokenizer.from_file(str(path))
        except Exception as error:  # tokenizers raises bare Exception
            raise CheckpointError(
                "{path} can't be read: {reason}.", path=path, reason=error
            ) from error
        return cls(tokenizer, config)

    def token_id(self, token: str) -> int:
        """Id of one token of the vocabulary."""
        found = self._tokenizer.token_to_id(token)
        if found is None:
            raise CheckpointError("The tokenizer lacks the token {token}.", token=token)
        return int(found)

    def encode(self, text: str) -> list[int]:
        """Ids of a piece of text, special tokens read as such."""
        ids: list[int] = self._tokenizer.encode(text, add_special_tokens=False).ids
        return ids

    def decode(self, token_ids: list[int]) -> str:
        """Text of token ids, coordinate tokens included."""
        text: str = self._tokenizer.decode(token_ids, skip_special_tokens=False)
        return text

    def encode_prompt(self, prompt: str, *, image: bool = False) -> EncodedPrompt:
        """Put a question about a video (or image) into the chat format.

        Args:
            prompt: The question, coordinates as ``<t0.087>`` and the like.
            image: Whether the visual is one still image.

        Returns:
            Ids and where features and coordinates go in.

        Raises:
            InputError: A coordinate token has no value.
        """
        question, values = _take_values(prompt)
        head = self._turn("system", SYSTEM_PROMPT) + self._opening("user")
        block = self._image_block() if image else self._video_block()
        ids = head + block + self._tail(question)
        # Only the slow half of a video's block is filled; see packer.py.
        filled = (
            self._config.num_image_tokens if image else self._config.num_slow_tokens
        )
        end = len(head) + len(block)
        visual = slice(end - filled, end)
        positions, rows = self._coordinates(ids, values)
        return EncodedPrompt(
            input_ids=torch.tensor(ids),
            visual=visual,
            coordinate_positions=torch.tensor(positions, dtype=torch.long),
            coordinate_rows=torch.tensor(rows, dtype=torch.float64),
        )

    def encode_tail(self, prompt: str) -> list[int]:
        """What :meth:`encode_prompt` puts after the visual, without the rest.

        Training writes tables of thousands of questions, which all share that rest.
        """
        return self._tail(_take_values(prompt)[0])

    def _tail(self, question: str) -> list[int]:
        return [
            *self.encode("\n" + question),
            *self._close(),
            *self._opening("assistant"),
        ]

    def _coordinates(
        self, ids: list[int], values: list[tuple[str, float]]
    ) -> tuple[list[int], list[float]]:
        places = [
            i for i, token in enumerate(ids) if token in self._axis_of_input_token
        ]
        # Typed <TEMP-INPUT> tokens have no value; prompts.clean_query keeps them out.
        if len(places) != len(values):
            raise InputError("The question holds a coordinate token without a value.")
        first, last = self._config.base_vocab_size, NUM_BINS - 1
        pairs = [
            (place, first + _TABLES[axis] * NUM_BINS + value * last)
            for place, (axis, value) in zip(places, values, strict=True)
            if axis in _REPLACED_AXES
        ]
        return [place for place, _ in pairs], [float(row) for _, row in pairs]

    def _opening(self, role: str) -> list[int]:
        # Piece by piece, as the model was trained: no merge crosses a boundary.
        return [
            self.token_id("<|im_start|>"),
            *self.encode(role),
            *self.encode("\n"),
        ]

    def _close(self) -> list[int]:
        return [self.token_id("<|im_end|>"), *self.encode("\n")]

    def _turn(self, role: str, content: str) -> list[int]:
        return [*self._opening(role), *self.encode(content), *self._close()]

    def _video_block(self) -> list[int]:
        patch = self.token_id("<vid_patch>")
        fast = [patch] * (self._config.num_fast_tokens - 2)
        slow = [patch] * (self._config.num_slow_tokens - 2)
        return [
            self.token_id("<vid_start>"),
            *fast,
            self.token_id("<vid_end>"),
            self.token_id("<slow_vid_start>"),
            *slow,
            self.token_id("<slow_vid_end>"),
        ]

    def _image_block(self) -> list[int]:
        patch = [self.token_id("<im_patch>")] * (self._config.num_image_tokens - 2)
        return [self.token_id("<im_start>"), *patch, self.token_id("<im_end>")]


def _take_values(prompt: str) -> tuple[str, list[tuple[str, float]]]:
    """Replace unit values by their input tokens, and list them in order."""
    values: list[tuple[str, float]] = []

    def take(match: re.Match[str]) -> str:
        axis, number = match.groups()
        values.append((axis, min(round(float(number), 3), 1.0)))
        return _INPUT_TOKENS[axis]

    return _UNIT_VALUE.sub(take, prompt), values
