"""Frames as the tower wants them."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image

from stablechat.model.preprocess import preprocess


def test_black_grey_white() -> None:
    frames = np.stack([np.full((4, 6, 3), v, np.uint8) for v in (0, 255)])
    pixels = preprocess(frames, 8)
    assert pixels.shape == (2, 3, 8, 8)
    assert pixels.dtype == torch.float32
    assert torch.equal(pixels[0], torch.full((3, 8, 8), -1.0))
    assert torch.equal(pixels[1], torch.full((3, 8, 8), 1.0))


def test_the_aspect_is_not_kept_and_the_filter_is_bicubic() -> None:
    frame = np.random.default_rng(0).integers(0, 256, (30, 90, 3), np.uint8)
    resized = Image.fromarray(frame).resize((12, 12), Image.Resampling.BICUBIC)
    expected = (torch.from_numpy(np.array(resized)).float() / 255 - 0.5) / 0.5
    found = preprocess(frame[None], 12)[0].permute(1, 2, 0)
    torch.testing.assert_close(found, expected)
