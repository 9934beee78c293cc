"""The loss over answers, and how good the answers are."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from stablechat.types import NUM_BINS
from training.demo.pieces import (
    CLOSE,
    FIRST_BOX,
    LATER_BOX,
    NUM_KINDS,
    SILENT,
    STRUCTURE,
    TEXT,
    TIME,
)

# The few tokens that decide (when, the first box, whether another row follows) weigh as
# much as the many that follow from them.
WEIGHTS = {
    TEXT: 0.5,
    STRUCTURE: 0.2,
    CLOSE: 3.0,
    TIME: 1.5,
    FIRST_BOX: 1.0,
    LATER_BOX: 0.7,
}
NAMES = {
    TEXT: "text",
    STRUCTURE: "structure",
    CLOSE: "close",
    TIME: "time",
    FIRST_BOX: "first_box",
    LATER_BOX: "later_box",
}
# Of the distance between the expected and the true coordinate, in unit coordinates.
_DISTANCE_WEIGHT = 6.0


def answer_loss(
    logits: Tensor, write: Tensor, kind: Tensor, base_vocab_size: int
) -> tuple[Tensor, Tensor, Tensor]:
    """Cross entropy with two-hot labels, averaged by kind.

    Args:
        logits: ``(P, rows)`` at P positions.
        write: ``(P,)``, the fractional row each should write.
        kind: ``(P,)``.
        base_vocab_size: First coordinate row.

    Returns:
        The weighted loss, and by kind ``(NUM_KINDS,)`` the mean cross entropy and the
        mean distance in bins between the likeliest and the true coordinate.
    """
    logits = logits.float()
    log_p = logits.log_softmax(-1)
    low = write.floor()
    share = write - low
    pair = torch.stack([low, write.ceil()], -1).long()
    picked = log_p.gather(-1, pair)
    entropy = -(picked[:, 0] * (1 - share) + picked[:, 1] * share)
    expected, likeliest = _coordinates(logits, write, base_vocab_size)
    is_coordinate = kind >= TIME
    distance = (expected - write).abs() / (NUM_BINS - 1) * is_coordinate
    off = (likeliest - write).abs() * is_coordinate
    one_hot = F.one_hot(kind, NUM_KINDS).float()
    number = one_hot.sum(0).clamp(min=1)
    mean_entropy = entropy @ one_hot / number
    mean_distance = distance @ one_hot / number
    weight = torch.zeros(NUM_KINDS, device=logits.device)
    for index, value in WEIGHTS.items():
        weight[index] = value
    weight[SILENT] = 0
    loss = (weight * (mean_entropy + _DISTANCE_WEIGHT * mean_distance)).sum()
    return loss, mean_entropy, off @ one_hot / number


def _coordinates(
    logits: Tensor, write: Tensor, base_vocab_size: int
) -> tuple[Tensor, Tensor]:
    """Expected and likeliest row within the table that the true row lies in."""
    tables = logits[:, base_vocab_size:].unflatten(-1, (-1, NUM_BINS))
    axis = ((write - base_vocab_size) / NUM_BINS).long().clamp(0, tables.shape[1] - 1)
    table = tables.gather(1, axis.view(-1, 1, 1).expand(-1, 1, NUM_BINS)).squeeze(1)
    bins = torch.arange(NUM_BINS, device=logits.device, dtype=logits.dtype)
    first = base_vocab_size + axis * NUM_BINS
    return table.softmax(-1) @ bins + first, table.argmax(-1) + first
