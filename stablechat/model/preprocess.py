"""Frames as the vision tower wants them."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

from stablechat.errors import InputError
from stablechat.types import FrameArray

#: ``"exact"``: PIL's filter on the CPU, as upstream trained. ``"device"``: PyTorch's
#: where the model is, which agrees with it within 0.02 of 255 levels (mean).
Preprocessing = Literal["exact", "device"]
PREPROCESSINGS: tuple[Preprocessing, ...] = ("exact", "device")

# Pixels in float32 that are resized at once.
_BYTES_PER_RESIZE = 2**28


def choose_preprocessing(
    preprocessing: Preprocessing | None, device: torch.device
) -> Preprocessing:
    """What was asked for, or the fastest that is known to agree with PIL.

    That is PyTorch's, on the CPU too (1.5 ms for a frame of 1080p instead of 15); on
    MPS nobody has compared the pixels.

    Raises:
        InputError: It has no such name.
    """
    if preprocessing is None:
        return "device" if device.type in ("cpu", "cuda") else "exact"
    if preprocessing not in PREPROCESSINGS:
        raise InputError(
            f"There is no preprocessing {preprocessing!r}; use exact or device."
        )
    return preprocessing


def preprocess(frames: FrameArray, image_size: int) -> Tensor:
    """Resize to a square WITHOUT keeping the aspect ratio, and normalise.

    Args:
        frames: uint8 ``(N, H, W, 3)``, RGB.
        image_size: Side of the square, in pixels.

    Returns:
        float32 ``(N, 3, S, S)`` in -1..1 (mean 0.5, deviation 0.5).
    """
    squares = np.stack([_resize(frame, image_size) for frame in frames])
    return _normalise(torch.from_numpy(squares).permute(0, 3, 1, 2).float())


def preprocess_on_device(frames: Tensor, image_size: int) -> Tensor:
    """The same, by PyTorch and where the frames are.

    Args:
        frames: uint8 ``(N, H, W, 3)``, RGB.
        image_size: Side of the square, in pixels.

    Returns:
        As :func:`preprocess`.
    """
    if frames.device.type == "cpu":
        return _normalise(_resize_bytes(frames, image_size).float())
    return _normalise(_resize_floats(frames, image_size))


def to_squares(frames: FrameArray, image_size: int) -> FrameArray:
    """Only the resizing, as :func:`preprocess_on_device` does it on the CPU.

    Args:
        frames: uint8 ``(N, H, W, 3)``, RGB.
        image_size: Side of the square, in pixels.

    Returns:
        uint8 ``(N, S, S, 3)``; resized once more, they stay what they are.
    """
    # One by one: a video's frames may be a gigabyte already.
    squares = np.empty((len(frames), image_size, image_size, 3), np.uint8)
    for square, frame in zip(squares, frames, strict=True):
        resized = _resize_bytes(torch.from_numpy(frame[None]), image_size)
        square[...] = resized[0].permute(1, 2, 0).numpy()
    return squares


def _resize_bytes(frames: Tensor, image_size: int) -> Tensor:
    """PIL's own method, integers all through; PyTorch has it on the CPU only."""
    return _bicubic(frames.permute(0, 3, 1, 2), image_size, image_size)


def _resize_floats(frames: Tensor, image_size: int) -> Tensor:
    """PIL's steps in float32, some frames at a time: whole levels ``(N, 3, S, S)``."""
    size = (len(frames), 3, image_size, image_size)
    resized = torch.empty(size, dtype=torch.float32, device=frames.device)
    count = max(1, _BYTES_PER_RESIZE // (4 * frames[0].numel()))
    for start in range(0, len(frames), count):
        few = frames[start : start + count].permute(0, 3, 1, 2).float()
        # First along the rows, then down the columns; bytes each time.
        wide = _to_levels(_bicubic(few, few.shape[2], image_size))
        square = _to_levels(_bicubic(wide, image_size, image_size))
        resized[start : start + count] = square
    return resized


def _bicubic(pictures: Tensor, height: int, width: int) -> Tensor:
    # With antialiasing the cubic is PIL's (a = -0.5), without another (-0.75).
    return F.interpolate(pictures, (height, width), mode="bicubic", antialias=True)


def _to_levels(pictures: Tensor) -> Tensor:
    """Whole levels 0..255, halves up as in PIL; in place."""
    return pictures.add_(0.5).floor_().clamp_(0, 255)


def _normalise(levels: Tensor) -> Tensor:
    return levels.div_(255).sub_(0.5).div_(0.5)


def _resize(frame: FrameArray, image_size: int) -> FrameArray:
    picture = Image.fromarray(frame)
    size = (image_size, image_size)
    return np.asarray(picture.resize(size, Image.Resampling.BICUBIC))
