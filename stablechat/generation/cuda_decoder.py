"""Decoding on a CUDA device: a whole pass is one graph, read back once."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import cycle

import torch
from torch import Tensor

from stablechat.generation.decoder import Reading, pick_with_scores, reading
from stablechat.generation.graphed_decoder import Graph, GraphedDecoder
from stablechat.generation.packing import Packed, pack
from stablechat.generation.sampler import Sampler
from stablechat.generation.tree import DraftTree
from stablechat.model.modeling import LlavaST

_NUM_PICKED = 9  # columns of what pick_with_scores gives


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


class CudaDecoder(GraphedDecoder):
    """One answer. Passes are of few sizes, each captured once as a CUDA graph.

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
        graph = self._sized(next(s for s in sorted(self.costs) if s >= len(tree)))
        pack({0: tree}, [self._length], graph.sent)
        graph.trees.numbers.copy_(graph.sent.numbers, non_blocking=True)
        return self._replay(graph, len(tree), self._length, place)

    def _begin_next(self, before: _Pass, place: int) -> _Pass:
        return self._replay(self._sized(1), 1, before.length + 1, place)

    def _sized(self, size: int) -> Graph:
        return self._graph(size, size, [self._length])

    def _replay(self, graph: Graph, count: int, length: int, place: int) -> _Pass:
        tokens = graph.trees.tokens
        places = tokens[:count, 1].long() - (length - place)
        graph.graph.replay()
        logits, picked = graph.logits[:count], graph.picked[:count]
        if len(tokens) == 1:
            logits = logits.clone()  # the next pass may begin before they are looked at
        if self._sampler is not None and not self._sampler.is_greedy:
            first = self._first_coordinate
            picked = pick_with_scores(logits, places, self._sampler, first)
            if len(tokens) == 1:
                tokens[0, 0] = picked[0, 0]
        received, done = next(self._received)[:count], next(self._events)
        received.copy_(picked, non_blocking=True)
        done.record()
        return _Pass(length, logits, received, done)

    def _pass(self, trees: Packed) -> tuple[Tensor, Tensor]:
        logits, picked = super()._pass(trees)
        if len(trees.tokens) == 1:  # leaves there what the next pass needs
            trees.tokens[:, 0] = picked[:, 0].int()
            trees.tokens[:, 1] += 1
            trees.seats[:, 2] += 1
        return logits, picked
