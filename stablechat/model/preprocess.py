"""Frames as the vision tower wants them."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from stablechat.types import FrameArray


def preprocess(frames: FrameArray, image_size: int) -> Tensor:
    """Resize to a square WITHOUT keeping the aspect ratio, and normalise.

    Args:
        frames: uint8 ``(N, H, W, 3)``, RGB.
        image_size: Side of the square, in pixels.

    Returns:
        float32 ``(N, 3, S, S)`` in -1..1 (mean 0.5, deviation 0.5).
    """
    squares = np.stack([_resize(frame, image_size) for frame in frames])
    pixels = torch.from_numpy(squares).permute(0, 3, 1, 2)
    return pixels.float().div_(255).sub_(0.5).div_(0.5)


def _resize(frame: FrameArray, image_size: int) -> FrameArray:
    picture = Image.fromarray(frame)
    size = (image_size, image_size)
    return np.asarray(picture.resize(size, Image.Resampling.BICUBIC))
