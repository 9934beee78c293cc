"""Many scenes at once, drawn on the device at the size the model sees."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from training.synthetic.shapes import DISTANCES, coverage
from training.synthetic.world import COLOR_RGB, MAX_OBJECTS, Scenes, States


def draw_backdrop(scenes: Scenes, height: int, width: int) -> Tensor:
    """Backgrounds ``(B, 3, H, W)`` in 0..1."""
    device = scenes.tilt.device
    y = torch.linspace(-0.5, 0.5, height, device=device).view(1, height, 1)
    x = torch.linspace(-0.5, 0.5, width, device=device).view(1, 1, width)
    run = 0.5 + scenes.tilt[:, 0, None, None] * x + scenes.tilt[:, 1, None, None] * y
    run = run.clamp(0, 1).unsqueeze(1)
    first, last = scenes.backdrop[..., None, None].unbind(1)
    texture = F.interpolate(
        scenes.texture, size=(height, width), mode="bicubic", align_corners=False
    )
    return (first + (last - first) * run + texture).clamp(0, 1)


def draw_frames(
    scenes: Scenes, states: States, size: int, generator: torch.Generator
) -> Tensor:
    """Square pictures of B scenes at T moments.

    Args:
        scenes: The scenes.
        states: Their objects at the T moments.
        size: Side of the square, in pixels.
        generator: Source of the pixels' noise.

    Returns:
        ``(B, T, 3, size, size)`` in 0..1, float32.
    """
    frames = _paint(
        draw_backdrop(scenes, size, size),
        states.center,
        states.half,
        states.shown,
        scenes.shape,
        _object_colors(scenes),
    )
    noise = torch.randn(
        frames.shape, generator=generator, device=frames.device, dtype=frames.dtype
    )
    return (frames + noise * scenes.noise.view(-1, 1, 1, 1, 1)).clamp(0, 1)


def _object_colors(scenes: Scenes) -> Tensor:
    table = torch.tensor(COLOR_RGB, device=scenes.color.device)
    return (table[scenes.color] + scenes.tint).clamp(0, 1)


def _paint(
    backdrop: Tensor,
    center: Tensor,
    half: Tensor,
    shown: Tensor,
    shape: Tensor,
    color: Tensor,
) -> Tensor:
    """Lay the objects over the background, first to last. Made to be compiled."""
    size = backdrop.shape[-1]
    axis = (torch.arange(size, device=backdrop.device) + 0.5) / size
    frames = backdrop.unsqueeze(1)
    for k in range(MAX_OBJECTS):
        middle, reach = center[:, :, k], half[:, :, k]
        x = (axis - middle[..., 0, None]) / reach[..., 0, None]
        y = (axis - middle[..., 1, None]) / reach[..., 1, None]
        x, y = x.unsqueeze(-2), y.unsqueeze(-1)
        x, y = torch.broadcast_tensors(x, y)
        distance = torch.zeros_like(x)
        for index, outline in enumerate(DISTANCES):
            this = (shape[:, k] == index).view(-1, 1, 1, 1)
            distance = torch.where(this, outline(x, y), distance)
        # The square picture is stretched; the mean of both radii is close enough for
        # the one-pixel edge.
        radius = (reach.mean(-1) * size)[..., None, None]
        alpha = coverage(distance, radius) * shown[:, :, k, None, None]
        ink = color[:, k].view(-1, 1, 3, 1, 1)
        frames = frames + (ink - frames) * alpha.unsqueeze(2)
    return frames


#: The same, for callers that draw often on a device where compiling pays.
def compile_painter() -> None:
    """Fuse the painter into a few kernels; call once, before the first drawing."""
    global _paint
    _paint = torch.compile(_paint)
