"""Decoding several answers at once on a CUDA device: a pass is one graph."""

from __future__ import annotations

from collections.abc import Mapping

import torch

from stablechat.generation.batch_decoder import BatchDecoder, readings, spread_costs
from stablechat.generation.decoder import Reading
from stablechat.generation.graphed_decoder import GraphedDecoder
from stablechat.generation.packing import pack
from stablechat.generation.writer import Pass

# Sizes of passes: steps of a half and a third, so that little is computed in vain.
_TOKENS = (1, 2, 4, 8, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512)
_TALLEST = (1, 8, 64)


class CudaBatchDecoder(GraphedDecoder, BatchDecoder):
    """As :class:`BatchDecoder`; very large passes have no graph."""

    #: As measured at full size on an H100 (``benchmarks.batch_decoding``): first the
    #: time of reading the weights, then that of computing.
    times: Mapping[int, float] = {
        **{1: 1.0, 8: 1.2, 16: 1.31, 32: 1.33, 64: 1.39},
        **{128: 1.63, 256: 2.24, 512: 3.78},
    }
    costs = spread_costs(times, 1, (1, 4, 8, 12, 16, 24, 32, 48, 64))

    def suits(self, num_seats: int) -> bool:
        """As :class:`BatchDecoder` says; a graph has no work for idle seats."""
        return self.num_seats >= num_seats

    def read_all(self, passes: Mapping[int, Pass]) -> list[Reading]:
        """As :class:`BatchDecoder` says."""
        trees = {seat: wanted.tree for seat, wanted in passes.items()}
        sizes = [len(tree) for tree in trees.values()]
        count, tallest = sum(sizes), max(sizes)
        if count > _TOKENS[-1] or tallest > _TALLEST[-1]:
            return super().read_all(passes)
        graph = self._graph(
            next(size for size in _TOKENS if size >= count),
            next(size for size in _TALLEST if size >= tallest),
            self._lengths,
            self._pool,
        )
        pack(trees, self._lengths, graph.sent)
        graph.run()
        logits, picked = graph.logits[:count], graph.picked[:count]
        if not all(sampler.is_greedy for sampler in self._samplers_of(passes)):
            picked = self._pick(logits, passes)
        return readings(picked, logits, passes)

    def _allocate(self, capacity: int) -> None:
        super()._allocate(capacity)
        self._pool = torch.cuda.graph_pool_handle()
