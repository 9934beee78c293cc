"""Outlines of the shapes as distances, in the square from -1 to 1 (y downwards)."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

_STAR_INNER = 0.42
_STAR_X = math.cos(math.radians(18))
_STAR_Y = math.cos(math.radians(36))

#: Tight box of each shape in its square: x1, y1, x2, y2; order of world.SHAPES.
EXTENTS = (
    (-1.0, -1.0, 1.0, 1.0),
    (-1.0, -1.0, 1.0, 1.0),
    (-1.0, -1.0, 1.0, 1.0),
    (-_STAR_X, -1.0, _STAR_X, _STAR_Y),
    (-1.0, -1.0, 1.0, 1.0),
    (-1.0, -1.0, 1.0, 1.0),
)


def _circle(x: Tensor, y: Tensor) -> Tensor:
    return torch.hypot(x, y) - 1


def _square(x: Tensor, y: Tensor) -> Tensor:
    return torch.maximum(x.abs(), y.abs()) - 1


def _triangle(x: Tensor, y: Tensor) -> Tensor:
    return torch.maximum(y - 1, (2 * x.abs() - y - 1) / math.sqrt(5))


def _star(x: Tensor, y: Tensor) -> Tensor:
    # Fold the plane onto one half of one point, then measure to that edge.
    angle = torch.atan2(x, -y)
    folded = (angle + math.pi / 5).remainder(math.tau / 5) - math.pi / 5
    radius = torch.hypot(x, y)
    along, across = radius * folded.cos(), radius * folded.sin().abs()
    inner_x = _STAR_INNER * math.cos(math.pi / 5)
    inner_y = _STAR_INNER * math.sin(math.pi / 5)
    edge_x, edge_y = inner_x - 1, inner_y
    length = math.hypot(edge_x, edge_y)
    return ((along - 1) * edge_y - across * edge_x) / length


def _cross(x: Tensor, y: Tensor) -> Tensor:
    ax, ay = x.abs(), y.abs()
    return torch.minimum(
        torch.maximum(ax - 1, ay - 0.36), torch.maximum(ax - 0.36, ay - 1)
    )


def _ring(x: Tensor, y: Tensor) -> Tensor:
    return (torch.hypot(x, y) - 0.76).abs() - 0.24


#: Signed distance of each shape, negative inside; order of world.SHAPES.
DISTANCES: tuple[Callable[[Tensor, Tensor], Tensor], ...] = (
    _circle,
    _square,
    _triangle,
    _star,
    _cross,
    _ring,
)


def coverage(distance: Tensor, radius_pixels: Tensor | float) -> Tensor:
    """Share of a pixel that a shape covers, from its distance to the outline."""
    return (0.5 - distance * radius_pixels).clamp(0, 1)
