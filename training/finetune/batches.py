"""Conversations side by side, as the model takes them. Needs no video library."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from training.finetune.examples import Example


@dataclass(frozen=True, eq=False)
class Item:
    """One conversation, ready for the model, or why it is not.

    Attributes:
        id: Of the conversation.
        example: None if it can't be used.
        seen: ``(N, 3, S, S)`` pixels, or what the cache has of the video.
        problem: What is wrong with it.
    """

    id: str
    example: Example | None = None
    seen: Tensor | None = None
    problem: str = ""


@dataclass(frozen=True, eq=False)
class Batch:
    """Items side by side.

    Attributes:
        ids: Of those that can be used.
        examples: Likewise.
        seen: Likewise, ``(B, ...)``.
        problems: ``(id, what is wrong)`` of the others.
    """

    ids: tuple[str, ...]
    examples: tuple[Example, ...]
    seen: Tensor | None
    problems: tuple[tuple[str, str], ...]


def collate(items: Sequence[Item]) -> dict[str, Batch]:
    """A batch, under the name that the model takes it by."""
    good = [i for i in items if i.example is not None and i.seen is not None]
    seen = torch.stack([i.seen for i in good if i.seen is not None]) if good else None
    return {
        "batch": Batch(
            tuple(i.id for i in good),
            tuple(i.example for i in good if i.example is not None),
            seen,
            tuple((i.id, i.problem) for i in items if i.example is None),
        )
    }
