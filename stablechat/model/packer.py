"""The spatial-temporal packer: many patch features to few visual tokens.

Three attention modules of one shape. In each, a query attends only to the small
region it stands for: 3x3 patches of a frame, or 5 frames at one place.

A quirk to keep: upstream computes the fast tokens and then drops them (it starts
again from the bare embeddings when it puts the slow tokens in), and the published
weights were trained that way. So the fast block of a prompt keeps its placeholder
embeddings, ``token_packer_fast`` is loaded and saved but never run, and only the slow
tokens carry the video. The golden data pin this.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from stablechat.model.config import FRAMES_PER_SLOW_FRAME, LlavaSTConfig


class RegionAttention(nn.Module):
    """Summarise each region of features into its query, by attention.

    Args:
        hidden_size: Width of the features.
        width: Inner width.
        heads: Attention heads.
    """

    def __init__(self, hidden_size: int, width: int, heads: int) -> None:
        super().__init__()
        self.to_q = _two_layers(hidden_size, width)
        self.to_k = _two_layers(hidden_size, width)
        self.to_v = _two_layers(hidden_size, width)
        self.ln_q = nn.LayerNorm(width)
        self.ln_k = nn.LayerNorm(width)
        self.ln_v = nn.LayerNorm(width)
        self.attn = nn.MultiheadAttention(width, heads, batch_first=True)
        self.to_out = nn.Linear(width, hidden_size, bias=False)

    def forward(self, query: Tensor, regions: Tensor) -> Tensor:
        """Attend.

        Args:
            query: ``(R, hidden)``, one a region.
            regions: ``(R, K, hidden)``, the K features of each region.

        Returns:
            ``(R, hidden)``.
        """
        q = self.ln_q(self.to_q(query)).unsqueeze(1)
        k = self.ln_k(self.to_k(regions))
        v = self.ln_v(self.to_v(regions))
        packed = self._attend(q, k, v).squeeze(1)
        attended: Tensor = query + self.to_out(packed)
        return attended

    def _attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """``nn.MultiheadAttention`` in matrix form.

        With one query and a handful of keys a region, a fused attention kernel would
        be all launch overhead (and CUDA's refuse batches over 65,535).
        """
        heads = self.attn.num_heads
        w_q, w_k, w_v = self.attn.in_proj_weight.chunk(3)
        b_q, b_k, b_v = self.attn.in_proj_bias.chunk(3)
        q = torch.unflatten(F.linear(q, w_q, b_q), -1, (heads, -1))
        k = torch.unflatten(F.linear(k, w_k, b_k), -1, (heads, -1))
        v = torch.unflatten(F.linear(v, w_v, b_v), -1, (heads, -1))
        scores = (q * k).sum(-1, keepdim=True) * q.shape[-1] ** -0.5
        weights = scores.float().softmax(dim=1).to(v.dtype)
        mixed = (weights * v).sum(dim=1, keepdim=True).flatten(-2)
        attended: Tensor = self.attn.out_proj(mixed)
        return attended


def _two_layers(hidden_size: int, width: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Linear(hidden_size, width), nn.GELU(), nn.Linear(width, width)
    )


class SpatialTemporalPacker(nn.Module):
    """100 frames of 27x27 features to 20 slow frames of 9x9."""

    def __init__(self, config: LlavaSTConfig) -> None:
        super().__init__()
        self.slow_grid = config.slow_grid
        hidden = int(config.language.hidden_size)
        width, heads = config.packer_width, config.packer_heads
        self.token_packer = RegionAttention(hidden, width, heads)
        self.token_packer_slow = RegionAttention(hidden, width, heads)
        self.token_packer_fast = RegionAttention(hidden, width, heads)

    def pack_frames(self, features: Tensor) -> Tensor:
        """The first, spatial step: ``(N, g, g, hidden)`` to ``(N, s, s, hidden)``."""
        return _pack_spatially(self.token_packer, features, self.slow_grid)

    def forward(self, features: Tensor, batch_size: int = 1) -> Tensor:
        """Pack whole videos.

        Args:
            features: ``(batch_size * N, g, g, hidden)``.
            batch_size: Videos in the batch.

        Returns:
            ``(batch_size, N / 5 * s * s, hidden)``: frame by frame, row by row.
        """
        return self.pack_time(self.pack_frames(features), batch_size)

    def pack_time(self, frames: Tensor, batch_size: int = 1) -> Tensor:
        """The second, temporal step.

        Args:
            frames: ``(batch_size * N, s, s, hidden)`` from :meth:`pack_frames`.
            batch_size: Videos in the batch.

        Returns:
            As :meth:`forward`.
        """
        videos = torch.unflatten(frames, 0, (batch_size, -1))
        return _pack_temporally(self.token_packer_slow, videos).flatten(1, 3)


def _pack_spatially(attention: RegionAttention, features: Tensor, side: int) -> Tensor:
    count, grid, _, hidden = features.shape
    step = grid // side
    query = _middles(_middles(features, 1, step), 2, step).reshape(-1, hidden)
    regions = features.reshape(count, side, step, side, step, hidden)
    regions = regions.permute(0, 1, 3, 2, 4, 5).reshape(-1, step * step, hidden)
    packed: Tensor = attention(query, regions)
    return packed.reshape(count, side, side, hidden)


def _pack_temporally(attention: RegionAttention, frames: Tensor) -> Tensor:
    batch, count, side, _, hidden = frames.shape
    slow = count // FRAMES_PER_SLOW_FRAME
    query = _middles(frames, 1, FRAMES_PER_SLOW_FRAME)
    regions = torch.unflatten(frames, 1, (slow, FRAMES_PER_SLOW_FRAME))
    regions = regions.permute(0, 1, 3, 4, 2, 5)
    packed: Tensor = attention(
        query.reshape(-1, hidden),
        regions.reshape(-1, FRAMES_PER_SLOW_FRAME, hidden),
    )
    return packed.reshape(batch, slow, side, side, hidden)


def _middles(features: Tensor, dim: int, step: int) -> Tensor:
    """Linear interpolation to one value for each ``step`` (``align_corners=False``).

    Sample ``i`` lies at ``(i + 0.5) * step - 0.5``: on the middle one of an odd step,
    so nothing has to be computed, and halfway between the middle two of an even one.
    Upstream makes a float32 copy of all features for it: 1 GB at full size.
    """
    groups = torch.unflatten(features, dim, (-1, step))
    if step % 2:
        return groups.select(dim + 1, step // 2)
    below = groups.select(dim + 1, step // 2 - 1)
    above = groups.select(dim + 1, step // 2)
    return ((below.float() + above.float()) / 2).to(features.dtype)
