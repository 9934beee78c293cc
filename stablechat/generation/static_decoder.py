"""Decoding with a cache that stays in its place: trees of tokens, one pass each."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stablechat.generation.decoder import Reading, pick_with_scores, reading
from stablechat.generation.layers import (
    attend_to_cache,
    attend_to_prompt,
    rotate,
    take_layer,
)
from stablechat.generation.sampler import Sampler
from stablechat.generation.tree import DraftTree
from stablechat.model.modeling import LlavaST
from stablechat.types import GenerationConfig

#: The cache grows by whole steps, so that the next question finds it large enough.
CAPACITY_STEP = 512
_CPU_COSTS = {1: 1.0, 4: 1.2, 8: 1.4, 12: 1.6, 16: 1.8, 24: 2.2, 32: 2.6}

#: (layer, queries, keys, values) to what attention mixes, (N, heads * d).
Attend = Callable[[int, Tensor, Tensor, Tensor], Tensor]


class StaticDecoder:
    """Qwen2's forward in few, large steps.

    It takes over the model's weights: those of one input are joined into one matrix,
    of which the model's own become views.

    Args:
        model: The whole model, on one device.
    """

    branches = True
    costs: Mapping[int, float] = _CPU_COSTS

    def __init__(self, model: LlavaST) -> None:
        language, config = model.language_model, model.config.language
        self._first_coordinate = model.config.base_vocab_size
        self._num_heads = int(config.num_attention_heads)
        self._num_shared = int(config.num_key_value_heads or self._num_heads)
        self._width = int(config.hidden_size) // self._num_heads
        self._eps = float(config.rms_norm_eps)
        embedding = cast(nn.Embedding, language.get_input_embeddings())
        self._embedding: Tensor = embedding.weight
        self._layers = [take_layer(layer) for layer in language.model.layers]
        self._norm = cast(Tensor, language.model.norm.weight)
        self._head = language.lm_head
        self._rotary = cast(nn.Module, language.model.rotary_emb)
        self._device = self._embedding.device
        self._greedy = Sampler(GenerationConfig(), self._device)
        self._sampler: Sampler | None = None
        self._length = 0  # tokens that are kept
        self._allocate(CAPACITY_STEP)

    def read_prompt(
        self, inputs_embeds: Tensor, sampler: Sampler, max_new_tokens: int
    ) -> Reading:
        """As :class:`Decoder` says."""
        x = inputs_embeds[0]
        self._sampler = sampler
        # The last token of an answer is never read, but a tree may reach beyond it.
        needed = len(x) + max_new_tokens + max(self.costs)
        if needed > self._keys.shape[2]:
            self._allocate(-(-needed // CAPACITY_STEP) * CAPACITY_STEP)
        self._length = 0
        positions = torch.arange(len(x), device=self._device)
        hidden = self._run_layers(x, positions, self._attend_to_prompt)
        self._length = len(x)
        # The last position's scores only: all of them would take 1.5 GB at full size.
        return self._reading(self._logits(hidden[-1:]), [0])

    def read(self, tree: DraftTree, place: int, *, ahead: bool = False) -> Reading:
        """As :class:`Decoder` says."""
        depths = tree.depths()
        tokens = torch.tensor(tree.tokens, device=self._device)
        positions = self._length + torch.tensor(depths, device=self._device)
        x = F.embedding(tokens, self._embedding)
        hidden = self._run_layers(x, positions, self._tree_attention(tree))
        return self._reading(self._logits(hidden), [place + d for d in depths])

    def keep(self, path: Sequence[int]) -> None:
        """As :class:`Decoder` says."""
        count = len(path)
        if list(path) != list(range(count)):
            kept = torch.tensor(path, device=self._device) + self._length
            new = slice(self._length, self._length + count)
            self._keys[:, :, new] = self._keys.index_select(2, kept)
            self._values[:, :, new] = self._values.index_select(2, kept)
        self._length += count

    def _allocate(self, capacity: int) -> None:
        shape = (len(self._layers), self._num_shared, capacity, self._width)
        self._keys = self._embedding.new_zeros(shape)
        self._values = torch.zeros_like(self._keys)
        positions = torch.arange(capacity, device=self._device).unsqueeze(0)
        cos, sin = self._rotary(self._embedding[:1], positions)
        half = self._width // 2
        self._cos = cos[0]
        self._sin = torch.cat([-sin[0, :, :half], sin[0, :, half:]], dim=-1)

    def _run_layers(self, x: Tensor, positions: Tensor, attend: Attend) -> Tensor:
        cos, sin = (t[positions].unsqueeze(1) for t in (self._cos, self._sin))
        heads = [self._num_heads, self._num_shared, self._num_shared]
        for number, layer in enumerate(self._layers):
            joined = layer.qkv(self._normed(x, layer.input_norm))
            joined = joined.view(len(x), -1, self._width)
            q, k, v = torch.split(joined, heads, dim=1)
            q, k = rotate(q, cos, sin), rotate(k, cos, sin)
            x = x + layer.output(attend(number, q, k, v))
            gate, up = layer.gate_up(self._normed(x, layer.mlp_norm)).chunk(2, dim=-1)
            x = x + layer.down(F.silu(gate) * up)
        return x

    def _normed(self, x: Tensor, weight: Tensor) -> Tensor:
        return F.rms_norm(x, weight.shape, weight, self._eps)

    def _logits(self, hidden: Tensor) -> Tensor:
        logits: Tensor = self._head(self._normed(hidden, self._norm))
        return logits

    def _attend_to_prompt(self, number: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        self._remember(number, k, v)
        return attend_to_prompt(q, k, v)

    def _tree_attention(self, tree: DraftTree) -> Attend:
        end = self._length + len(tree)
        mask = self._tree_mask(tree)

        def attend(number: int, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
            self._remember(number, k, v)
            keys, values = self._keys[number, :, :end], self._values[number, :, :end]
            return attend_to_cache(q, keys, values, mask)

        return attend

    def _tree_mask(self, tree: DraftTree) -> Tensor | None:
        if len(tree) == 1:
            return None
        ancestors = torch.from_numpy(tree.ancestors()).to(self._device)
        seen = F.pad(ancestors, (self._length, 0), value=True)
        return seen.repeat_interleave(self._num_heads // self._num_shared, dim=0)

    def _remember(self, number: int, k: Tensor, v: Tensor) -> None:
        new = slice(self._length, self._length + len(k))
        self._keys[number, :, new] = k.transpose(0, 1)
        self._values[number, :, new] = v.transpose(0, 1)

    def _reading(self, logits: Tensor, places: Sequence[int]) -> Reading:
        assert self._sampler is not None, "read_prompt comes first"
        at = torch.tensor(places, device=logits.device)
        picked = pick_with_scores(logits, at, self._sampler, self._first_coordinate)
        return reading(picked.cpu(), logits)
