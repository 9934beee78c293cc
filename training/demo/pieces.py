"""Token sequences built in bulk on the device.

A sequence is three parallel arrays of one shape. Tokens are rows of the embedding
matrix, as floats: a plain token is a whole number, a continuous coordinate lies
between two rows of its table. The same convention gives labels: the two rows around a
fractional label share the probability (the two-hot labels of the reference).
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

#: What a supervised position decides; the loss averages each kind by itself.
SILENT, TEXT, STRUCTURE, CLOSE, TIME, FIRST_BOX, LATER_BOX = range(7)
NUM_KINDS = 7


@dataclass(frozen=True)
class Piece:
    """Part of N sequences.

    Attributes:
        read: float32 ``(N, L)``, rows the model reads.
        write: float32 ``(N, L)``, rows it should write at these places.
        kind: int64 ``(N, L)``, what is decided there; SILENT is not supervised.
        length: int64 ``(N,)``, how much of L each sequence uses.
    """

    read: Tensor
    write: Tensor
    kind: Tensor
    length: Tensor


def fixed(ids: Tensor, count: int, kind: int) -> Piece:
    """The same tokens ``(L,)`` for all N sequences."""
    rows = ids.float().expand(count, -1)
    length = torch.full((count,), rows.shape[1], device=ids.device)
    return Piece(rows, rows, torch.full_like(rows, kind, dtype=torch.long), length)


def from_table(ids: Tensor, lengths: Tensor, index: Tensor, kind: int) -> Piece:
    """Rows ``index`` of a table of token ids ``(M, L)`` with its lengths."""
    rows = ids[index].float()
    return Piece(
        rows, rows, torch.full_like(rows, kind, dtype=torch.long), lengths[index]
    )


def single(read: Tensor, write: Tensor, kind: int) -> Piece:
    """One token a sequence: ``(N,)`` rows to read and to write."""
    return Piece(
        read.unsqueeze(1),
        write.unsqueeze(1),
        torch.full_like(read, kind, dtype=torch.long).unsqueeze(1),
        torch.ones_like(read, dtype=torch.long),
    )


def concatenate(pieces: list[Piece], length: int) -> Piece:
    """Put pieces one after the other, cut or padded to ``length``."""
    count = pieces[0].read.shape[0]
    device = pieces[0].read.device
    # One spare column takes what is cut or padded.
    read = torch.zeros(count, length + 1, device=device)
    write = torch.zeros_like(read)
    kind = torch.zeros(count, length + 1, dtype=torch.long, device=device)
    offset = torch.zeros(count, 1, dtype=torch.long, device=device)
    for piece in pieces:
        column = torch.arange(piece.read.shape[1], device=device)
        place = (offset + column).clamp(max=length)
        place = torch.where(column < piece.length.unsqueeze(1), place, length)
        read.scatter_(1, place, piece.read)
        write.scatter_(1, place, piece.write)
        kind.scatter_(1, place, piece.kind)
        offset = offset + piece.length.unsqueeze(1)
    kind[:, length] = SILENT
    return Piece(
        read[:, :length],
        write[:, :length],
        kind[:, :length],
        offset.squeeze(1).clamp(max=length),
    )
