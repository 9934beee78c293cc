"""Many questions on one encoded video, in one pass of the language model.

The visual prefix is read once; each question follows it in a segment of its own that
sees the prefix and itself only, at the positions it would have alone.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.nn.attention.flex_attention import create_block_mask, flex_attention
from transformers import AttentionInterface

from stablechat.model.modeling import LlavaST
from stablechat.types import NUM_BINS
from training.demo.pieces import Piece

_ATTENTION = "packed_segments"
# Flex attention works in blocks of this many positions.
_BLOCK = 128


@dataclass(frozen=True)
class Layout:
    """Where segments lie behind a prefix.

    Attributes:
        prefix: Length of the shared prefix.
        total: Length of everything, padding included.
        mask: What the attention takes: a block mask, or a dense bool mask on CPU.
        position_ids: int64 ``(1, total)``.
    """

    prefix: int
    total: int
    mask: Any
    position_ids: Tensor


def make_layout(prefix: int, lengths: Sequence[int], device: torch.device) -> Layout:
    """Lay out segments of fixed lengths behind a prefix."""
    used = prefix + sum(lengths)
    total = -(-used // _BLOCK) * _BLOCK
    padded = [*lengths, total - used]
    segment = torch.cat(
        [torch.zeros(prefix, dtype=torch.long)]
        + [torch.full((n,), i + 1) for i, n in enumerate(padded)]
    ).to(device)
    positions = torch.cat(
        [torch.arange(prefix)] + [prefix + torch.arange(n) for n in padded]
    )
    return Layout(
        prefix, total, _make_mask(segment, device), positions.unsqueeze(0).to(device)
    )


def _make_mask(segment: Tensor, device: torch.device) -> Any:
    total = len(segment)

    def allowed(_b: Tensor, _h: Tensor, query: Tensor, key: Tensor) -> Tensor:
        shared = (segment[key] == 0) | (segment[key] == segment[query])
        return shared & (key <= query)

    if device.type == "cuda":
        return create_block_mask(allowed, None, None, total, total, device=device)
    index = torch.arange(total)
    dense = allowed(index, index, index.unsqueeze(1), index.unsqueeze(0))
    return dense.view(1, 1, total, total)


def _packed_attention(
    module: Any,
    query: Tensor,
    key: Tensor,
    value: Tensor,
    attention_mask: Any,
    scaling: float,
    **_: Any,
) -> tuple[Tensor, None]:
    out = flex_attention(
        query, key, value, block_mask=attention_mask, scale=scaling, enable_gqa=True
    )
    return out.transpose(1, 2).contiguous(), None


def use_packed_attention(model: LlavaST, device: torch.device) -> None:
    """Make the language model take a layout's mask."""
    AttentionInterface.register(_ATTENTION, _packed_attention)
    name = _ATTENTION if device.type == "cuda" else "sdpa"
    model.language_model.config._attn_implementation = name


def propagate_to_neighbours(model: LlavaST) -> None:
    """Neighbouring coordinate tokens share gradients: ``g + M g``, M = 2^-|i-j|.

    The reference uses each table W as ``W + M W - stop_gradient(M W)``; its value is
    W and its gradient is this.
    """
    language = model.language_model
    index = torch.arange(NUM_BINS, device=model.device)
    mixing = 2.0 ** -(index.unsqueeze(0) - index.unsqueeze(1)).abs()
    first = model.config.base_vocab_size

    def spread(gradient: Tensor) -> Tensor:
        tables = gradient[first:].unflatten(0, (-1, NUM_BINS))
        return torch.cat([gradient[:first], (tables + mixing @ tables).flatten(0, 1)])

    for weight in (
        language.get_input_embeddings().weight,
        language.get_output_embeddings().weight,
    ):
        weight.register_hook(spread)


def embed_rows(table: Tensor, rows: Tensor) -> Tensor:
    """Embeddings of fractional rows ``(...)``: ``(..., hidden)``."""
    low = rows.floor()
    share = (rows - low).unsqueeze(-1)
    below = F.embedding(low.long(), table)
    return below + (F.embedding(rows.ceil().long(), table) - below) * share


def run_language_model(
    model: LlavaST, embedded: Tensor, layout: Layout, tap_layer: int
) -> tuple[Tensor, Tensor]:
    """All layers over a packed batch.

    Returns:
        The final hidden states ``(B, total, hidden)`` and those after ``tap_layer``.
    """
    language = model.language_model.model
    hidden = embedded
    rotary = language.rotary_emb(hidden, layout.position_ids)
    tapped = hidden
    for index, layer in enumerate(language.layers):
        hidden = layer(
            hidden,
            attention_mask=layout.mask,
            position_embeddings=rotary,
            position_ids=layout.position_ids,
            use_cache=False,
        )
        if index == tap_layer:
            tapped = hidden
    return language.norm(hidden), tapped


def embed_batch(
    model: LlavaST, head_ids: Tensor, visual: Tensor, read: Tensor, layout: Layout
) -> Tensor:
    """Prefix with its visual tokens, then the segments: ``(B, total, hidden)``."""
    table = model.language_model.get_input_embeddings().weight
    head = F.embedding(head_ids[: layout.prefix - visual.shape[1]], table)
    head = head.expand(len(visual), -1, -1)
    padding = layout.total - layout.prefix - read.shape[1]
    rows = F.pad(read, (0, padding))
    return torch.cat([head.to(visual), visual, embed_rows(table, rows).to(visual)], 1)


def join(pieces: Sequence[Piece]) -> Piece:
    """Segments of the same videos side by side."""
    return Piece(
        torch.cat([p.read for p in pieces], 1),
        torch.cat([p.write for p in pieces], 1),
        torch.cat([p.kind for p in pieces], 1),
        pieces[0].length,
    )


def split_segments(piece: Piece, per_video: int) -> Piece:
    """``(B * Q, L)`` questions to ``(B, Q * L)`` segments."""

    def flat(values: Tensor) -> Tensor:
        return values.unflatten(0, (-1, per_video)).flatten(1)

    return Piece(flat(piece.read), flat(piece.write), flat(piece.kind), piece.length)
