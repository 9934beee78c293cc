"""Decoding several answers at once: one pass reads a tree of guesses of each.

The weights are read once for all of them, which is what a pass over few tokens costs.
Each answer has a seat: a row of the cache, whose prompt may begin as another's does
(questions about one video); that part is copied instead of being computed again.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from stablechat.generation.decoder import Reading, pick_with_scores, reading
from stablechat.generation.layers import attend_to_cache, attend_to_prompt
from stablechat.generation.sampler import Sampler
from stablechat.generation.static_decoder import CAPACITY_STEP, Attend, StaticDecoder
from stablechat.generation.tree import DraftTree
from stablechat.generation.writer import Pass
from stablechat.model.modeling import LlavaST

#: A shorter beginning is computed again sooner than it is copied.
_LEAST_SHARED = 32
#: Fused attention wants rows of a mask to begin at multiples of this.
_ALIGNMENT = 16


@dataclass(frozen=True, eq=False)
class Forest:
    """The trees of one pass, one after the other, and where each of their tokens is.

    Attributes:
        tokens: int64 ``(N,)``.
        positions: int64 ``(N,)``, in each answer's own text with its prompt.
        rows: int64 ``(N,)``, the token's seat.
        columns: int64 ``(N,)``, its place in its tree.
        slots: int64 ``(N,)``, its place in the cache.
        mask: bool ``(seats, 1, M, S)``: what the ``M`` queries of a seat may see, those
            of one token side by side.
    """

    tokens: Tensor
    positions: Tensor
    rows: Tensor
    columns: Tensor
    slots: Tensor
    mask: Tensor


class Seat:
    """One answer's share of a :class:`BatchDecoder`; a decoder by itself.

    Args:
        owner: The decoder.
        number: Which seat.
    """

    branches = True

    def __init__(self, owner: BatchDecoder, number: int) -> None:
        self._owner = owner
        self.number = number

    @property
    def costs(self) -> Mapping[int, float]:
        """As ``Decoder`` says, while the other seats have trees as large."""
        return self._owner.shared_costs

    def read_prompt(
        self, inputs_embeds: Tensor, sampler: Sampler, max_new_tokens: int
    ) -> Reading:
        """As ``Decoder`` says."""
        return self._owner.read_prompt_at(
            self.number, inputs_embeds, sampler, max_new_tokens
        )

    def read(self, tree: DraftTree, place: int, *, ahead: bool = False) -> Reading:
        """As ``Decoder`` says; alone, which is slow."""
        return self._owner.read_all({self.number: Pass(tree, place, ahead)})[0]

    def keep(self, path: Sequence[int]) -> None:
        """As ``Decoder`` says."""
        self._owner.keep_at(self.number, path)


class BatchDecoder(StaticDecoder):
    """Qwen2's forward over the tokens of several answers.

    Attributes:
        costs: Size of a tree -> time of a pass over it alone, relative to one token's.
        times: Tokens of a pass, of all answers together -> its time, likewise.

    Args:
        model: The whole model, on one device.
        num_seats: Answers that are written at once.
    """

    times = StaticDecoder.costs

    def __init__(self, model: LlavaST, num_seats: int) -> None:
        self.num_seats = num_seats
        self._lengths = [0] * num_seats
        self._prompts: list[Tensor | None] = [None] * num_seats
        self._samplers: list[Sampler | None] = [None] * num_seats
        super().__init__(model)
        self.set_busy(num_seats)

    def suits(self, num_seats: int) -> bool:
        """Whether it is as good as one with so many seats."""
        return self.num_seats == num_seats

    def seat(self, number: int) -> Seat:
        """A decoder for one answer."""
        return Seat(self, number)

    def set_busy(self, count: int) -> None:
        """Say how many answers are being written, which decides what a guess costs."""
        self.shared_costs = spread_costs(self.times, count, self.costs)

    def read_prompt_at(
        self, seat: int, inputs_embeds: Tensor, sampler: Sampler, max_new_tokens: int
    ) -> Reading:
        """Forget what a seat held and read a prompt there."""
        prompt = inputs_embeds[0]
        count = len(prompt)
        self._reserve(count + max_new_tokens + max(self.costs))
        known = self._copy_beginning(seat, prompt)
        self._prompts[seat] = None  # until it is read
        self._samplers[seat], self._lengths[seat] = sampler, 0
        positions = torch.arange(known, count, device=self._device)
        hidden = self._run_layers(
            prompt[known:], positions, self._prompt_attention(seat, known)
        )
        self._prompts[seat], self._lengths[seat] = prompt, count
        logits = self._logits(hidden[-1:])
        place = torch.zeros(1, dtype=torch.long, device=self._device)
        picked = pick_with_scores(logits, place, sampler, self._first_coordinate)
        return reading(picked.cpu(), logits)

    def read_all(self, passes: Mapping[int, Pass]) -> list[Reading]:
        """Read a tree of each of several answers.

        Args:
            passes: By seat.

        Returns:
            In the same order.
        """
        forest = self._plant(passes)
        x = F.embedding(forest.tokens, self._embedding)
        hidden = self._run_layers(x, forest.positions, self._forest_attention(forest))
        logits = self._logits(hidden)
        return readings(self._pick(logits, passes), logits, passes)

    def keep_at(self, seat: int, path: Sequence[int]) -> None:
        """Keep some tokens of a seat's last tree, and forget its others."""
        count, length = len(path), self._lengths[seat]
        if list(path) != list(range(count)):
            kept = torch.tensor(path, device=self._device) + length
            for cache in (self._keys, self._values):
                moved = cache[:, seat].index_select(2, kept)
                cache[:, seat, :, length : length + count] = moved
        self._lengths[seat] += count

    def _allocate(self, capacity: int) -> None:
        super()._allocate(capacity)
        layers, shared, _, width = self._keys.shape
        shape = (layers, self.num_seats, shared, capacity, width)
        self._keys = self._keys.new_zeros(shape)
        self._values = torch.zeros_like(self._keys)

    def _reserve(self, needed: int) -> None:
        if needed <= self._keys.shape[3]:
            return
        keys, values = self._keys, self._values
        used = max(self._lengths)
        self._allocate(-(-needed // CAPACITY_STEP) * CAPACITY_STEP)
        self._keys[:, :, :, :used] = keys[:, :, :, :used]
        self._values[:, :, :, :used] = values[:, :, :, :used]

    def _copy_beginning(self, seat: int, prompt: Tensor) -> int:
        """Take over what a seat, maybe the same, has read of the same prompt.

        Returns:
            How many tokens that is; the last one is always left to be read.
        """
        lengths = [_common(prompt, other) for other in self._prompts]
        known = max(lengths)
        if known < _LEAST_SHARED:
            return 0
        source = lengths.index(known)
        for cache in (self._keys, self._values):
            cache[:, seat, :, :known] = cache[:, source, :, :known]
        return known

    def _prompt_attention(self, seat: int, known: int) -> Attend:
        def attend(number: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            end = known + len(k)
            self._keys[number, seat, :, known:end] = k.transpose(0, 1)
            self._values[number, seat, :, known:end] = v.transpose(0, 1)
            if not known:
                return attend_to_prompt(q, k, v)
            keys = self._keys[number, seat, :, :end]
            values = self._values[number, seat, :, :end]
            seen = torch.ones(len(k), end, dtype=torch.bool, device=q.device)
            mask = seen.tril(known).repeat_interleave(self._groups, dim=0)
            return attend_to_cache(q, keys, values, mask)

        return attend

    @cached_property
    def _groups(self) -> int:
        return self._num_heads // self._num_shared

    def _plant(self, passes: Mapping[int, Pass]) -> Forest:
        trees = [wanted.tree for wanted in passes.values()]
        depths = np.concatenate([tree.depths() for tree in trees])
        starts = np.array([self._lengths[seat] for seat in passes])
        sizes = np.array([len(tree) for tree in trees])
        within = np.concatenate([np.arange(size) for size in sizes])
        first = np.repeat(starts, sizes)
        numbers = np.array(
            [
                np.concatenate([tree.tokens for tree in trees]),
                first + depths,
                np.repeat(np.array(list(passes)), sizes),
                within,
                first + within,
            ]
        )
        on_device = torch.from_numpy(numbers).to(self._device)
        tokens, positions, rows, columns, slots = on_device
        mask = self._mask(list(passes), trees, int(sizes.max()))
        return Forest(tokens, positions, rows, columns, slots, mask)

    def _mask(
        self, seats: Sequence[int], trees: Sequence[DraftTree], largest: int
    ) -> Tensor:
        end = max(self._lengths[seat] for seat in seats) + largest
        end = min(-(-end // _ALIGNMENT) * _ALIGNMENT, self._keys.shape[3])
        mask = np.zeros((self.num_seats, largest, end), np.bool_)
        mask[:, :, 0] = True  # no query may see nothing at all
        for seat, tree in zip(seats, trees, strict=True):
            start, count = self._lengths[seat], len(tree)
            mask[seat, :count, :start] = True
            mask[seat, :count, start : start + count] = tree.ancestors()
        seen = torch.from_numpy(mask).to(self._device)
        return seen.repeat_interleave(self._groups, dim=1).unsqueeze(1)

    def _forest_attention(self, forest: Forest) -> Attend:
        rows, columns, slots = forest.rows, forest.columns, forest.slots
        height, end = forest.mask.shape[2:]
        shape = (self.num_seats, height // self._groups, self._num_heads, self._width)

        def attend(number: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            keys, values = self._keys[number], self._values[number]
            keys[rows, :, slots] = k
            values[rows, :, slots] = v
            queries = q.new_zeros(shape)
            queries[rows, columns] = q
            grouped = torch.unflatten(queries, 2, (self._num_shared, self._groups))
            grouped = grouped.transpose(1, 2).flatten(2, 3)
            mixed = F.scaled_dot_product_attention(
                grouped, keys[:, :, :end], values[:, :, :end], attn_mask=forest.mask
            )
            mixed = torch.unflatten(mixed, 2, (-1, self._groups))
            found: Tensor = mixed.transpose(1, 2).flatten(2)[rows, columns]
            return found

        return attend

    def _pick(self, logits: Tensor, passes: Mapping[int, Pass]) -> Tensor:
        """What comes after each token, all at once where nothing is sampled."""
        samplers = self._samplers_of(passes)
        depths = [np.array(wanted.tree.depths()) for wanted in passes.values()]
        before = [wanted.place for wanted in passes.values()]
        numbers = np.concatenate([d + b for d, b in zip(depths, before, strict=True)])
        places = torch.from_numpy(numbers).to(self._device)
        first = self._first_coordinate
        if all(sampler.is_greedy for sampler in samplers):
            return pick_with_scores(logits, places, self._greedy, first)
        sizes = [len(each) for each in depths]
        parts = zip(
            torch.split(logits, sizes),
            torch.split(places, sizes),
            samplers,
            strict=True,
        )
        return torch.cat([pick_with_scores(*part, first) for part in parts])

    def _samplers_of(self, seats: Iterable[int]) -> list[Sampler]:
        return [self._samplers[seat] or self._greedy for seat in seats]


def readings(
    picked: Tensor, logits: Tensor, passes: Mapping[int, Pass]
) -> list[Reading]:
    """What was read, by answer.

    Args:
        picked: float32 ``(N, 9)``, as ``pick_with_scores`` gives it.
        logits: ``(N, vocabulary)``.
        passes: Whose trees they are.
    """
    sizes = [len(wanted.tree) for wanted in passes.values()]
    parts = zip(
        torch.split(picked.cpu(), sizes), torch.split(logits, sizes), strict=True
    )
    return [reading(few, part) for few, part in parts]


def spread_costs(
    times: Mapping[int, float], count: int, sizes: Iterable[int]
) -> dict[int, float]:
    """Size of a tree -> time of a pass over so many trees of that size.

    Args:
        times: Tokens of a pass -> its time, relative to one token's; beyond the last
            it goes on as it came.
        count: How many trees.
        sizes: Of trees.
    """
    tokens, seconds = np.array(list(times)), np.array(list(times.values()))
    slope = (seconds[-1] - seconds[-2]) / (tokens[-1] - tokens[-2])

    def time_of(total: int) -> float:
        beyond = max(0, total - int(tokens[-1]))
        return float(np.interp(total, tokens, seconds) + slope * beyond)

    one = time_of(count)
    return {size: time_of(size * count) / one for size in sizes}


def _common(prompt: Tensor, other: Tensor | None) -> int:
    """How many tokens of a prompt, its last one aside, stand in another, too."""
    if other is None:
        return 0
    count = min(len(prompt) - 1, len(other))
    differs = (prompt[:count] != other[:count]).any(dim=1)
    return int(differs.int().argmax()) if bool(differs.any()) else count
