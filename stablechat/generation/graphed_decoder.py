"""Passes that are captured as CUDA graphs: the host asks for one in a single call."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from stablechat.generation import kernels
from stablechat.generation.decoder import pick_with_scores
from stablechat.generation.layers import Linear, Projection
from stablechat.generation.packing import Packed, pack, room_for
from stablechat.generation.static_decoder import StaticDecoder
from stablechat.generation.tree import single

if TYPE_CHECKING:
    from torch.cuda import _POOL_HANDLE

logger = logging.getLogger(__name__)


@dataclass(frozen=True, eq=False)
class Graph:
    """One captured pass, and the places where it reads and writes.

    Attributes:
        graph: Runs it.
        trees: Its input, on the device.
        sent: Its twin on the host, pinned.
        logits: ``(N, vocabulary)``.
        picked: float32 ``(N, 9)``, the likeliest tokens with their scores.
    """

    graph: torch.cuda.CUDAGraph
    trees: Packed
    sent: Packed
    logits: Tensor
    picked: Tensor

    def run(self) -> None:
        """Begin a pass over what ``sent`` holds."""
        self.trees.numbers.copy_(self.sent.numbers, non_blocking=True)
        self.graph.replay()


class GraphedDecoder(StaticDecoder):
    """Runs passes of few sizes, each captured when it is first needed."""

    _graphs: dict[tuple[int, int], Graph]

    def _allocate(self, capacity: int) -> None:
        super()._allocate(capacity)
        self._graphs = {}  # they hold the old cache's address

    def _graph(
        self,
        num_tokens: int,
        tallest: int,
        lengths: Sequence[int],
        pool: _POOL_HANDLE | None = None,
    ) -> Graph:
        """A pass over trees of so many tokens in all, and at most so many each.

        Args:
            num_tokens: N.
            tallest: M.
            lengths: What each cache holds; it is not touched.
            pool: Memory that graphs share, whose results are not needed once another
                one runs; None for memory of its own.
        """
        size = (num_tokens, tallest)
        if size not in self._graphs:
            with torch.cuda.device(self._device):
                self._graphs[size] = self._capture(size, lengths, pool)
            logger.info("Captured a pass over %d tokens, %d a tree", *size)
        return self._graphs[size]

    def _capture(
        self, size: tuple[int, int], lengths: Sequence[int], pool: _POOL_HANDLE | None
    ) -> Graph:
        sent = room_for(len(lengths), *size, pinned=True)
        # What this pass writes stands behind what is kept.
        pack({0: single(0)}, lengths, sent)
        trees = sent.to(self._device)
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):  # compiles and chooses kernels
            self._pass(trees)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph, pool=pool):
            logits, picked = self._pass(trees)
        return Graph(graph, trees, sent, logits, picked)

    def _pass(self, trees: Packed) -> tuple[Tensor, Tensor]:
        x, delta = F.embedding(trees.tokens[:, 0], self._embedding), None
        one_layer = (len(trees.seats), *self._keys.shape[-3:])
        for number, layer in enumerate(self._layers):
            x, normed = kernels.add_norm(x, delta, layer.input_norm, self._eps)
            keys = self._keys[number].view(one_layer)
            values = self._values[number].view(one_layer)
            q = kernels.rotate_and_store(
                _project(normed, layer.qkv),
                self._cos,
                self._sin,
                trees,
                keys,
                values,
                self._num_heads,
            )
            delta = _project(kernels.attend(q, keys, values, trees), layer.output)
            x, normed = kernels.add_norm(x, delta, layer.mlp_norm, self._eps)
            delta = _project(kernels.gate(_project(normed, layer.gate_up)), layer.down)
        _, normed = kernels.add_norm(x, delta, self._norm, self._eps)
        logits = _project(normed, Linear(self._head.weight))
        places = torch.zeros(len(logits), dtype=torch.long, device=logits.device)
        first = self._first_coordinate
        return logits, pick_with_scores(logits, places, self._greedy, first)


def _project(x: Tensor, projection: Projection) -> Tensor:
    assert isinstance(projection, Linear), "decoders.fits_kernels sees to it"
    return kernels.project(x, projection.weight, projection.bias)
