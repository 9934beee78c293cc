"""Frames as the tower wants them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image

from stablechat.errors import InputError
from stablechat.model import preprocess as module
from stablechat.model.preprocess import (
    choose_preprocessing,
    preprocess,
    preprocess_on_device,
)


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


# --- PyTorch's filter -----------------------------------------------------------

SIZES = [
    (270, 480, 96), (480, 270, 96), (40, 30, 96), (97, 33, 54), (96, 96, 96),
    (1, 1, 54), (3, 700, 54), (600, 2, 54), (240, 320, 384),
]  # fmt: skip


def noise_and_shapes(height: int, width: int) -> np.ndarray:
    """The hardest picture to resize and an ordinary one, ``(2, H, W, 3)``."""
    generator = np.random.default_rng(height * width)
    noise = generator.integers(0, 256, (height, width, 3), np.uint8)
    patches = generator.integers(0, 256, (6, 6, 3), np.uint8)
    picture = Image.fromarray(patches).resize((width, height), Image.Resampling.NEAREST)
    return np.stack([noise, np.asarray(picture)])


def levels(pixels: torch.Tensor) -> torch.Tensor:
    return (pixels + 1) * 127.5


@pytest.mark.parametrize(("height", "width", "side"), SIZES)
def test_the_bytes_agree_with_pil(height: int, width: int, side: int) -> None:
    frames = noise_and_shapes(height, width)
    found = levels(preprocess_on_device(torch.from_numpy(frames), side))
    difference = (found - levels(preprocess(frames, side))).abs()
    assert difference.mean() < 0.02
    assert difference.max() < 2.5


@pytest.mark.parametrize(("height", "width", "side"), SIZES)
def test_the_floats_agree_with_pil(
    height: int, width: int, side: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    # One frame at a time, as large pictures are.
    monkeypatch.setattr(module, "_BYTES_PER_RESIZE", 1)
    frames = noise_and_shapes(height, width)
    found = module._resize_floats(torch.from_numpy(frames), side)
    difference = (found - levels(preprocess(frames, side))).abs()
    assert torch.equal(found, found.round())
    assert difference.mean() < 0.02
    assert difference.max() < 2.5


def test_what_is_chosen() -> None:
    assert choose_preprocessing(None, torch.device("cuda")) == "device"
    assert choose_preprocessing(None, torch.device("cpu")) == "device"
    assert choose_preprocessing(None, torch.device("mps")) == "exact"
    assert choose_preprocessing("exact", torch.device("cuda")) == "exact"
    with pytest.raises(InputError, match="no preprocessing 'fast'"):
        choose_preprocessing("fast", torch.device("cpu"))  # type: ignore[arg-type]
