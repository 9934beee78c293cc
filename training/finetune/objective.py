"""The published loss: cross entropy whose coordinate labels lie between two bins."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.utils.hooks import RemovableHandle

from stablechat.generation.likelihood import two_hot_cross_entropy
from stablechat.model.modeling import LlavaST
from stablechat.types import NUM_BINS
from training.finetune.examples import IGNORED, Example


def example_losses(
    model: LlavaST, examples: Sequence[Example], visuals: Sequence[Tensor]
) -> Tensor:
    """The loss of each example: the mean over its taught tokens.

    Upstream adds up the samples of a batch.

    Args:
        model: The whole model.
        examples: Any number, of any lengths.
        visuals: ``(tokens, hidden)`` each, from ``encode_video`` or ``encode_images``.

    Returns:
        float32 ``(B,)``.
    """
    hidden = _hidden_states(model, examples, visuals)
    losses = []
    for row, example in zip(hidden, examples, strict=True):
        taught = example.target_rows != IGNORED
        # A token is written by the position before it.
        places = taught.nonzero().squeeze(1).to(row.device)
        logits = model.language_model.lm_head(row[places - 1])
        targets = example.target_rows[taught].to(logits.device)
        losses.append(two_hot_cross_entropy(logits, targets).mean())
    return torch.stack(losses)


def propagate_to_neighbours(model: LlavaST) -> list[RemovableHandle]:
    """Let a coordinate's gradient reach the bins around it.

    Upstream uses each table ``W`` as ``W + M W - stop_gradient(M W)`` with ``M[i, j] =
    2 ** -abs(i - j)``: its value is ``W``, its gradient ``(I + M)^T`` times that of
    ``W``. The tables are the last rows of two matrices here, so it is done to their
    gradients.

    Args:
        model: The whole model; tables that are not trained are left alone.

    Returns:
        Remove them to stop it.
    """
    first = model.config.base_vocab_size

    def spread(gradient: Tensor) -> Tensor:
        tables = gradient[first:].unflatten(0, (-1, NUM_BINS))
        found = gradient.clone()
        found[first:] = (_spreading(gradient) @ tables).flatten(0, 1)
        return found

    return [m.register_hook(spread) for m in _matrices(model) if m.requires_grad]


def keep_to_coordinates(model: LlavaST) -> list[RemovableHandle]:
    """Let only the coordinates' rows of their two matrices learn.

    Args:
        model: The whole model; matrices that are not trained are left alone.

    Returns:
        Remove them to stop it.
    """
    first = model.config.base_vocab_size

    def keep(gradient: Tensor) -> Tensor:
        kept = torch.zeros_like(gradient)
        kept[first:] = gradient[first:]
        return kept

    return [m.register_hook(keep) for m in _matrices(model) if m.requires_grad]


def _matrices(model: LlavaST) -> list[Tensor]:
    """The two whose last rows are the coordinates' tables."""
    language = model.language_model
    return [language.get_input_embeddings().weight, language.lm_head.weight]


def _spreading(like: Tensor) -> Tensor:
    """``I + M``, ``(NUM_BINS, NUM_BINS)``."""
    bins = torch.arange(NUM_BINS, device=like.device)
    matrix = 0.5 ** (bins[:, None] - bins).abs().to(like.dtype)
    return matrix + torch.eye(NUM_BINS, device=like.device, dtype=like.dtype)


def _hidden_states(
    model: LlavaST, examples: Sequence[Example], visuals: Sequence[Tensor]
) -> Tensor:
    """What the language model makes of each token, ``(B, longest, hidden)``."""
    embedded = [
        model.embed_prompt(example.prompt, visual)[0]
        for example, visual in zip(examples, visuals, strict=True)
    ]
    inputs = torch.nn.utils.rnn.pad_sequence(embedded, batch_first=True)
    lengths = torch.tensor([len(e) for e in embedded], device=inputs.device)
    # Padding is on the right, where causal attention does not look.
    mask = torch.arange(inputs.shape[1], device=inputs.device) < lengths[:, None]
    alone = len(embedded) == 1
    output = model.language_model.model(
        inputs_embeds=inputs,
        attention_mask=None if alone else mask.long(),
        use_cache=False,
    )
    hidden: Tensor = output.last_hidden_state
    return hidden
