"""Decoding on a CUDA device: a whole pass is one graph, read back once."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import cycle

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stablechat.generation import kernels
from stablechat.generation.decoder import Reading, pick_with_scores, reading
from stablechat.generation.layers import Linear, Projection
from stablechat.generation.sampler import Sampler
from stablechat.generation.static_decoder import StaticDecoder
from stablechat.generation.tree import DraftTree, single
from stablechat.model.modeling import LlavaST
from stablechat.types import GenerationConfig, IntArray

logger = logging.getLogger(__name__)

_NUM_PICKED = 9  # columns of what pick_with_scores gives


@dataclass(frozen=True, eq=False)
class _Graph:
    """One captured pass, and the places where it reads and writes.

    Attributes:
        graph: Runs it.
        tree: int32 ``(N, 2 + N)`` on the device, its input. A pass over one token
            leaves there what the next pass needs.
        logits: ``(N, vocabulary)``.
        picked: float32 ``(N, 9)``, the likeliest tokens with their scores.
        sent: ``tree``'s twin on the host, pinned.
    """

    graph: torch.cuda.CUDAGraph
    tree: Tensor
    logits: Tensor
    picked: Tensor
    sent: Tensor


@dataclass(frozen=True, eq=False)
class _Pass:
    """A pass that was begun.

    Attributes:
        length: Tokens in the cache before it.
        logits: ``(N, vocabulary)`` on the device.
        received: float32 ``(N, 9)``, pinned; filled when ``done`` is.
        done: Says so.
    """

    length: int
    logits: Tensor
    received: Tensor
    done: torch.cuda.Event


class CudaDecoder(StaticDecoder):
    """Passes of few sizes, each captured once as a CUDA graph.

    While a text is written token by token, the next pass is begun before the last one
    is read back: its token goes from one to the other on the device.

    Args:
        model: The whole model, on one CUDA device.
    """

    #: As measured at full size on an H100: the time is that of reading the weights.
    costs: Mapping[int, float] = {1: 1.0, 8: 1.2, 16: 1.22, 32: 1.27, 64: 1.4}

    def __init__(self, model: LlavaST) -> None:
        super().__init__(model)
        # Weights were joined; the pieces are a third of a card that others may need.
        torch.cuda.empty_cache()
        self._greedy = Sampler(GenerationConfig(), self._device)
        self._graphs: dict[int, _Graph] = {}
        self._ahead: _Pass | None = None
        self._latest_token = -1
        largest = max(self.costs)
        # Two of each: one is filled while the other is read.
        twins = [torch.empty((largest, _NUM_PICKED), pin_memory=True) for _ in "12"]
        self._received = cycle(twins)
        self._events = cycle([torch.cuda.Event() for _ in "12"])

    def read_prompt(
        self, inputs_embeds: Tensor, sampler: Sampler, max_new_tokens: int
    ) -> Reading:
        """As :class:`Decoder` says."""
        self._ahead = None
        return super().read_prompt(inputs_embeds, sampler, max_new_tokens)

    def read(self, tree: DraftTree, place: int, *, ahead: bool = False) -> Reading:
        """As :class:`Decoder` says."""
        under_way = self._ahead
        if under_way is None or not self._expects(under_way, tree):
            under_way = self._begin(tree, place)
        # The device goes on while this one is looked at.
        self._ahead = self._begin_next(under_way, place + 1) if ahead else None
        under_way.done.synchronize()
        found = reading(under_way.received, under_way.logits)
        self._latest_token = found.tokens[0]
        return found

    def _expects(self, under_way: _Pass, tree: DraftTree) -> bool:
        is_next = under_way.length == self._length
        return is_next and list(tree.tokens) == [self._latest_token]

    def _begin(self, tree: DraftTree, place: int) -> _Pass:
        graph = self._graph(next(s for s in sorted(self.costs) if s >= len(tree)))
        _pack(tree, self._length, graph.sent.numpy())
        graph.tree.copy_(graph.sent, non_blocking=True)
        return self._replay(graph, len(tree), self._length, place)

    def _begin_next(self, before: _Pass, place: int) -> _Pass:
        return self._replay(self._graph(1), 1, before.length + 1, place)

    def _replay(self, graph: _Graph, count: int, length: int, place: int) -> _Pass:
        offset = length - place
        places = graph.tree[:count, 1].long() - offset
        graph.graph.replay()
        logits, picked = graph.logits[:count], graph.picked[:count]
        if len(graph.tree) == 1:
            logits = logits.clone()  # the next pass may begin before they are looked at
        if self._sampler is not None and not self._sampler.is_greedy:
            first = self._first_coordinate
            picked = pick_with_scores(logits, places, self._sampler, first)
            if len(graph.tree) == 1:
                graph.tree[0, 0] = picked[0, 0]
        received, done = next(self._received)[:count], next(self._events)
        received.copy_(picked, non_blocking=True)
        done.record()
        return _Pass(length, logits, received, done)

    def _allocate(self, capacity: int) -> None:
        super()._allocate(capacity)
        self._graphs = {}  # they hold the old cache's address

    def _graph(self, size: int) -> _Graph:
        if size not in self._graphs:
            with torch.cuda.device(self._device):
                self._graphs[size] = self._capture(size)
            logger.info("Captured a pass over %d tokens", size)
        return self._graphs[size]

    def _capture(self, size: int) -> _Graph:
        columns = kernels.HEAD_COLUMNS + size
        sent = torch.zeros((size, columns), dtype=torch.int32, pin_memory=True)
        # A pass writes behind what is kept, and no token may see nothing at all.
        _pack(single(0), self._length, sent.numpy())
        tree = sent.to(self._device)
        stream = torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):  # compiles and chooses kernels
            self._pass(tree)
        torch.cuda.current_stream().wait_stream(stream)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            logits, picked = self._pass(tree)
        return _Graph(graph, tree, logits, picked, sent)

    def _pass(self, tree: Tensor) -> tuple[Tensor, Tensor]:
        x, delta = F.embedding(tree[:, 0], self._embedding), None
        for number, layer in enumerate(self._layers):
            x, normed = kernels.add_norm(x, delta, layer.input_norm, self._eps)
            keys, values = self._keys[number], self._values[number]
            q = kernels.rotate_and_store(
                _project(normed, layer.qkv),
                self._cos,
                self._sin,
                tree,
                keys,
                values,
                self._num_heads,
            )
            delta = _project(kernels.attend(q, keys, values, tree), layer.output)
            x, normed = kernels.add_norm(x, delta, layer.mlp_norm, self._eps)
            delta = _project(kernels.gate(_project(normed, layer.gate_up)), layer.down)
        _, normed = kernels.add_norm(x, delta, self._norm, self._eps)
        logits = _project(normed, Linear(self._head.weight))
        places = torch.zeros(len(logits), dtype=torch.long, device=logits.device)
        first = self._first_coordinate
        picked = pick_with_scores(logits, places, self._greedy, first)
        if len(tree) == 1:
            tree[:, 0] = picked[:, 0].int()
            tree[:, 1] += 1
        return logits, picked


def _project(x: Tensor, projection: Projection) -> Tensor:
    assert isinstance(projection, Linear), "decoders.fits_kernels sees to it"
    return kernels.project(x, projection.weight, projection.bias)


def _pack(tree: DraftTree, length: int, packed: IntArray) -> None:
    """Write a tree as the kernels read it; places left over see only themselves."""
    count, first = len(tree), kernels.HEAD_COLUMNS
    packed[:, 0] = 0
    packed[:, 1] = length
    packed[:, first:] = np.eye(len(packed))
    packed[:count, 0] = tree.tokens
    packed[:count, 1] += np.array(tree.depths(), packed.dtype)
    packed[:count, first : first + count] = tree.ancestors()
