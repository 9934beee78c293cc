"""Answers made of tokens with known scores, tidy and untidy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from hypothesis import strategies as st

from stablechat.types import NEIGHBOUR_REACH, NUM_BINS, Generation

FIRST_COORDINATE = 1000
_AXES = {"TEMP": 0, "HEIGHT": NUM_BINS, "WIDTH": 2 * NUM_BINS}

#: A coordinate (name, bin), or words.
Piece = tuple[str, int] | str


def token(name: str, value: int) -> str:
    return f"<{name}-{value:03d}>"


def written(
    pieces: Sequence[Piece], offsets: Sequence[float] | float = 0.0, sure: float = 1.0
) -> Generation:
    """What a model writes; the nth coordinate lies ``offsets[n]`` beside its bin.

    Args:
        pieces: Coordinates and words.
        offsets: -1..1 each, or one for all; the two bins around hold ``sure``.
        sure: Probability of those two bins together.
    """
    count = sum(not isinstance(piece, str) for piece in pieces)
    places = iter(np.broadcast_to(np.asarray(offsets, float), (count,)).tolist())
    text, ids, scores = "", [], []
    for piece in pieces:
        row = np.zeros(2 * NEIGHBOUR_REACH + 1)
        if isinstance(piece, str):
            text, token_id = text + piece, 1 + len(piece) % 900
        else:
            name, value = piece
            text, token_id = text + token(name, value), 0
            token_id = FIRST_COORDINATE + _AXES[name] + value
            offset = next(places)
            row[NEIGHBOUR_REACH] = sure * (1 - abs(offset))
            row[NEIGHBOUR_REACH + (1 if offset > 0 else -1)] = sure * abs(offset)
        ids.append(token_id)
        scores.append(row)
    return Generation(
        text, tuple(ids), "stop",
        neighbour_probabilities=np.array(scores).reshape(len(ids), -1)
        if ids else np.zeros((0, 7)),
    )  # fmt: skip


def t(value: int) -> Piece:
    return "TEMP", value


def box(*corners: int) -> list[Piece]:
    names = ("WIDTH", "HEIGHT", "WIDTH", "HEIGHT")
    return ["[", *zip(names, corners, strict=True), "]"]


def answer(span: tuple[int, int], boxes: dict[int, tuple[int, ...]]) -> list[Piece]:
    """A whole answer in the trained form."""
    pieces: list[Piece] = ["During the span of {", t(span[0]), t(span[1]), "}."]
    pieces.append(" Object bounding box: ")
    for frame, corners in boxes.items():
        pieces += [t(frame), ":", *box(*corners), ", "]
    return pieces


_bins = st.integers(0, NUM_BINS - 1)
_coordinates = st.tuples(st.sampled_from(["TEMP", "HEIGHT", "WIDTH"]), _bins)
_rows = st.tuples(_bins, _bins, _bins, _bins, _bins).map(
    lambda row: [t(row[0]), ":", *box(*row[1:]), ", "]
)
_spans = st.tuples(_bins, _bins).map(lambda s: ["{", t(s[0]), t(s[1]), "}"])
# Words that look like coordinates and are none, or that take a row apart.
_words = st.sampled_from(
    [
        *("<WIDTH-110>", "<TEMP-4>", "<temp-004>", "< TEMP-004 >", "<HEIGHT--02>"),
        *("<t0.040>", "{0.1,0.2}", "0.04040,:", "[0.1,0.2,0.3,0.4]", "Ends in "),
        *(" a dog runs. ", "[", "]", "{", "}", ":", "", "<TEMP-", "<|im_end|>"),
    ]
)
_chunks: st.SearchStrategy[Any] = st.one_of(
    _rows, _rows, _spans, _coordinates.map(lambda c: [c]), _words.map(lambda w: [w])
)
untidy_answers: st.SearchStrategy[list[Piece]] = st.lists(_chunks, max_size=12).map(
    lambda chunks: [piece for chunk in chunks for piece in chunk]
)
