"""The packer against an obvious slow version."""

from __future__ import annotations

import golden_files
import pytest
import torch
import torch.nn.functional as F

from stablechat.model.packer import RegionAttention, _middles

MODEL = golden_files.loaded().model
HIDDEN = 64


def features(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(3))


def slow_attention(
    module: RegionAttention, query: torch.Tensor, region: torch.Tensor
) -> torch.Tensor:
    """One query and its region, by PyTorch's own attention."""
    q = module.ln_q(module.to_q(query))[None, None]
    k = module.ln_k(module.to_k(region))[None]
    v = module.ln_v(module.to_v(region))[None]
    mixed, _ = module.attn(q, k, v, need_weights=False)
    attended: torch.Tensor = query + module.to_out(mixed[0, 0])
    return attended


@torch.inference_mode()
def test_attention_equals_pytorchs() -> None:
    module = MODEL.packer.token_packer
    query, regions = features(7, HIDDEN), features(7, 9, HIDDEN)
    expected = torch.stack(
        [slow_attention(module, q, r) for q, r in zip(query, regions, strict=True)]
    )
    torch.testing.assert_close(module(query, regions), expected, atol=1e-5, rtol=1e-4)


@torch.inference_mode()
@pytest.mark.parametrize(("frame", "row", "column"), [(0, 0, 0), (1, 8, 2), (1, 3, 7)])
def test_a_spatial_query_sees_its_own_patches(
    frame: int, row: int, column: int
) -> None:
    patches = features(2, 27, 27, HIDDEN)
    packed = MODEL.packer.pack_frames(patches)
    means = F.interpolate(patches.permute(0, 3, 1, 2), size=(9, 9), mode="bilinear")
    region = patches[frame, 3 * row : 3 * row + 3, 3 * column : 3 * column + 3]
    expected = slow_attention(
        MODEL.packer.token_packer,
        means[frame, :, row, column],
        region.reshape(9, HIDDEN),
    )
    torch.testing.assert_close(
        packed[frame, row, column], expected, atol=1e-5, rtol=1e-4
    )


@torch.inference_mode()
def test_slow_tokens_are_five_frames_each_in_order() -> None:
    patches = features(100, 27, 27, HIDDEN)
    tokens = MODEL.packer(patches)
    assert tokens.shape == (1, 20 * 81, HIDDEN)
    frames = MODEL.packer.pack_frames(patches)
    slow, row, column = 4, 2, 5
    track = frames[:, row, column]
    query = F.interpolate(track.T[None], size=20, mode="linear")[0, :, slow]
    expected = slow_attention(
        MODEL.packer.token_packer_slow, query, track[slow * 5 : slow * 5 + 5]
    )
    token = tokens[0, slow * 81 + row * 9 + column]
    torch.testing.assert_close(token, expected, atol=1e-5, rtol=1e-4)


@torch.inference_mode()
def test_a_batch_is_its_videos() -> None:
    first, second = features(100, 27, 27, HIDDEN), features(100, 27, 27, HIDDEN).flip(0)
    both = MODEL.packer(torch.cat([first, second]), batch_size=2)
    torch.testing.assert_close(both[0], MODEL.packer(first)[0])
    torch.testing.assert_close(both[1], MODEL.packer(second)[0])


@pytest.mark.parametrize("step", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_queries_are_upstreams_interpolation(step: int, dtype: torch.dtype) -> None:
    values = features(2, 4 * step, HIDDEN).to(dtype)
    expected = F.interpolate(values.mT.float(), size=4, mode="linear").mT.to(dtype)
    torch.testing.assert_close(_middles(values, 1, step), expected, atol=0, rtol=1e-6)


@torch.inference_mode()
def test_frames_may_be_packed_a_few_at_a_time() -> None:
    tower = torch.randn(100, 729, 48, generator=torch.Generator().manual_seed(5))
    parts = [MODEL.pack_frames(tower[i : i + 20], i) for i in range(0, 100, 20)]
    found = MODEL.pack_time(torch.cat(parts))
    torch.testing.assert_close(found, MODEL.pack_video(tower)[0], atol=1e-6, rtol=1e-5)
