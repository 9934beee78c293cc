"""Many scenes at once, drawn on the device at the size the model sees."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from training.synthetic.shapes import DISTANCES, coverage
from training.synthetic.world import COLOR_RGB, Scenes, states_at

#: Moments of an exposure that are drawn; what moves is blurred between them.
SAMPLES = 3


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


def shift_backdrop(backdrop: Tensor, shift: Tensor) -> Tensor:
    """Backgrounds as a shaking camera sees them.

    Args:
        backdrop: ``(B, 3, H, W)``.
        shift: ``(B, T, 2)``, unit x and y by which the camera moves everything.

    Returns:
        ``(B, T, 3, H, W)``.
    """
    count, frames = shift.shape[:2]
    height, width = backdrop.shape[-2:]
    y = torch.linspace(-1, 1, height, device=backdrop.device)
    x = torch.linspace(-1, 1, width, device=backdrop.device)
    x = x - 2 * shift[..., 0].reshape(-1, 1)
    y = y - 2 * shift[..., 1].reshape(-1, 1)
    x, y = x.unsqueeze(1), y.unsqueeze(2)
    grid = torch.stack(torch.broadcast_tensors(x, y), -1)
    moved = F.grid_sample(
        backdrop.repeat_interleave(frames, 0),
        grid,
        padding_mode="border",
        align_corners=True,
    )
    return moved.unflatten(0, (count, frames))


def exposed_times(scenes: Scenes, times: Tensor) -> Tensor:
    """Moments ``(B, T * SAMPLES)`` at which the pictures of ``times`` see the scene."""
    share = torch.linspace(-0.5, 0.5, SAMPLES, device=times.device)
    moments = times.unsqueeze(-1) + scenes.exposure.view(-1, 1, 1) * share
    return moments.flatten(1)


def draw_frames(
    scenes: Scenes, times: Tensor, size: int, generator: torch.Generator
) -> Tensor:
    """Square pictures of B scenes at T moments.

    Args:
        scenes: The scenes.
        times: ``(B, T)``, unit times.
        size: Side of the square, in pixels.
        generator: Source of the pixels' noise.

    Returns:
        ``(B, T, 3, size, size)`` in 0..1, float32.
    """
    states = states_at(scenes, exposed_times(scenes, times))

    def sampled(values: Tensor) -> Tensor:
        return values.unflatten(1, (-1, SAMPLES))

    frames = _paint(
        shift_backdrop(
            draw_backdrop(scenes, size, size), sampled(states.shift).mean(2)
        ),
        sampled(states.center),
        sampled(states.half),
        sampled(states.shown),
        scenes.shape,
        _object_colors(scenes),
    )
    noise = torch.randn(
        frames.shape, generator=generator, device=frames.device, dtype=frames.dtype
    )
    frames = (frames + noise * scenes.noise.view(-1, 1, 1, 1, 1)).clamp(0, 1)
    return frames * inside_window(scenes, size, size).unsqueeze(1)


def inside_window(scenes: Scenes, height: int, width: int) -> Tensor:
    """1 in the picture and 0 in the bars around it: ``(B, 1, H, W)``."""
    x1, y1, w, h = scenes.window.view(-1, 4, 1, 1).unbind(1)
    y = ((torch.arange(height, device=x1.device) + 0.5) / height).view(1, -1, 1)
    x = ((torch.arange(width, device=x1.device) + 0.5) / width).view(1, 1, -1)
    inside = (x > x1) & (x < x1 + w) & (y > y1) & (y < y1 + h)
    return inside.unsqueeze(1).float()


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
    frames = backdrop
    for k in range(center.shape[3]):
        alpha = torch.zeros_like(frames[:, :, 0])
        for s in range(SAMPLES):
            middle, reach = center[:, :, s, k], half[:, :, s, k]
            distance = _distance(axis, middle, reach, shape[:, k])
            # The square picture is stretched; the mean of both radii is close enough
            # for the one-pixel edge.
            radius = (reach.mean(-1) * size)[..., None, None]
            alpha += coverage(distance, radius) * shown[:, :, s, k, None, None]
        ink = color[:, k].view(-1, 1, 3, 1, 1)
        frames = frames + (ink - frames) * alpha.unsqueeze(2) / SAMPLES
    return frames


def _distance(axis: Tensor, middle: Tensor, reach: Tensor, shape: Tensor) -> Tensor:
    """Distance of each pixel ``(B, T, H, W)`` to an object's outline, in reaches."""
    x = (axis - middle[..., 0, None]) / reach[..., 0, None]
    y = (axis - middle[..., 1, None]) / reach[..., 1, None]
    x, y = torch.broadcast_tensors(x.unsqueeze(-2), y.unsqueeze(-1))
    distance = torch.zeros_like(x)
    for index, outline in enumerate(DISTANCES):
        this = (shape == index).view(-1, 1, 1, 1)
        distance = torch.where(this, outline(x, y), distance)
    return distance


#: The same, for callers that draw often on a device where compiling pays.
def compile_painter() -> None:
    """Fuse the painter into a few kernels; call once, before the first drawing."""
    global _paint
    _paint = torch.compile(_paint)
