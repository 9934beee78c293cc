"""Scenes: what is in them, and where each object is at any moment.

Everything is batched over videos (B) and objects (K), on any device. Time is the unit
time of the video (0 is its first frame, 1 its last); positions are unit coordinates of
the displayed frame; a radius is a share of the frame's shorter side.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, fields

import torch
from torch import Tensor

COLORS = ("red", "orange", "yellow", "green", "cyan", "blue", "purple", "white")
SHAPES = ("circle", "square", "triangle", "star", "cross", "ring")
ACTIONS = (
    "move_left",
    "move_right",
    "move_up",
    "move_down",
    "grow",
    "shrink",
    "blink",
    "shake",
)
MAX_OBJECTS = 4

COLOR_RGB = (
    (0.86, 0.13, 0.13),
    (0.98, 0.55, 0.08),
    (0.97, 0.88, 0.15),
    (0.15, 0.68, 0.25),
    (0.15, 0.82, 0.88),
    (0.14, 0.32, 0.90),
    (0.58, 0.20, 0.75),
    (0.97, 0.97, 0.97),
)

_MOVE_LEFT, _MOVE_RIGHT, _MOVE_UP, _MOVE_DOWN, _GROW, _SHRINK, _BLINK, _SHAKE = range(8)
_DIRECTIONS = ((-1, 0), (1, 0), (0, -1), (0, 1), (0, 0), (0, 0), (0, 0), (0, 0))

_RADIUS = (0.085, 0.15)
_DURATION = (0.12, 0.60)
_TRAVEL = (0.22, 0.60)
_GROWTH = (1.6, 2.2)
_SHRINKAGE = (0.50, 0.70)
_PERIOD = (0.06, 0.11)
_SHAKE_AMPLITUDE = (0.035, 0.06)
_MARGIN = 0.01
# Layouts tried for each scene; the one with the widest gaps is kept.
_LAYOUTS = 12


@dataclass(frozen=True)
class Scenes:
    """A batch of scenes.

    Attributes:
        color, shape, action: int64 ``(B, K)``, indices of the tables above.
        exists: bool ``(B, K)``; at least two objects exist in each scene.
        start, end: ``(B, K)``, unit time in which the object acts.
        center: ``(B, K, 2)``, unit x and y before acting.
        travel: ``(B, K, 2)``, unit displacement by the end of the action.
        radius: ``(B, K)``, share of the shorter side, before acting.
        growth: ``(B, K)``, factor of the radius by the end of the action.
        period: ``(B, K)``, unit time of one blink or shake.
        amplitude: ``(B, K)``, of a shake, share of the shorter side.
        tint: ``(B, K, 3)``, small change of the colour.
        aspect: ``(B,)``, width over height.
        backdrop: ``(B, 2, 3)``, colours between which the background runs.
        tilt: ``(B, 2)``, direction of that run.
        texture: ``(B, 1, 8, 8)``, coarse pattern laid over it.
        noise: ``(B,)``, deviation of the noise of each pixel.
    """

    color: Tensor
    shape: Tensor
    action: Tensor
    exists: Tensor
    start: Tensor
    end: Tensor
    center: Tensor
    travel: Tensor
    radius: Tensor
    growth: Tensor
    period: Tensor
    amplitude: Tensor
    tint: Tensor
    aspect: Tensor
    backdrop: Tensor
    tilt: Tensor
    texture: Tensor
    noise: Tensor

    def __len__(self) -> int:
        return self.color.shape[0]

    def to(self, device: torch.device | str) -> Scenes:
        """The same scenes on another device."""
        return Scenes(
            **{f.name: getattr(self, f.name).to(device) for f in fields(self)}
        )

    def __getitem__(self, index: slice) -> Scenes:
        return Scenes(**{f.name: getattr(self, f.name)[index] for f in fields(self)})


@dataclass(frozen=True)
class States:
    """Objects at some moments.

    Attributes:
        center: ``(B, T, K, 2)``, unit x and y.
        half: ``(B, T, K, 2)``, half width and half height of the shape's square, unit.
        shown: bool ``(B, T, K)``; False in the dark half of a blink.
        acting: bool ``(B, T, K)``.
    """

    center: Tensor
    half: Tensor
    shown: Tensor
    acting: Tensor


def sample_scenes(
    count: int, generator: torch.Generator, device: torch.device | str = "cpu"
) -> Scenes:
    """Draw scenes at random.

    Args:
        count: How many.
        generator: Source of all randomness, on ``device``.
        device: Where the tensors live.
    """
    draw = _Drawer(count, generator, torch.device(device))
    shape = (count, MAX_OBJECTS)
    # Some scenes use few colours or few shapes, so that neither alone tells the
    # objects apart.
    color = draw.from_palette(len(COLORS))
    form = draw.from_palette(len(SHAPES))
    action = draw.from_palette(len(ACTIONS))
    color = _tell_apart(draw, color, form, action)
    number = draw.integers(MAX_OBJECTS - 1, (count, 1)) + 2
    exists = torch.arange(MAX_OBJECTS, device=device) < number
    duration = draw.uniform(shape, _DURATION)
    start = draw.uniform(shape, (0.0, 1.0)) * (0.98 - duration) + 0.01
    aspect = draw.choice((16 / 9, 16 / 9, 4 / 3, 1.0, 3 / 4, 9 / 16), count)
    radius = draw.uniform(shape, _RADIUS)
    growth = _growth(draw, action)
    center, travel = _layout(draw, action, radius * growth.clamp(min=1), exists, aspect)
    luminance = draw.uniform((count, 2, 1), (0.12, 0.62))
    return Scenes(
        color=color,
        shape=form,
        action=action,
        exists=exists,
        start=start,
        end=start + duration,
        center=center,
        travel=travel,
        radius=radius,
        growth=growth,
        period=draw.uniform(shape, _PERIOD),
        amplitude=draw.uniform(shape, _SHAKE_AMPLITUDE),
        tint=draw.uniform((*shape, 3), (-0.05, 0.05)),
        aspect=aspect,
        backdrop=(luminance + draw.uniform((count, 2, 3), (-0.1, 0.1))).clamp(0, 1),
        tilt=draw.uniform((count, 2), (-1.0, 1.0)),
        texture=draw.uniform((count, 1, 8, 8), (-1.0, 1.0))
        * draw.uniform((count, 1, 1, 1), (0.0, 0.12)),
        noise=draw.uniform((count,), (0.0, 0.05)),
    )


def states_at(scenes: Scenes, times: Tensor) -> States:
    """Where everything is.

    Args:
        scenes: B scenes.
        times: ``(B, T)``, unit times.
    """
    time = times.unsqueeze(-1)
    start, end = scenes.start.unsqueeze(1), scenes.end.unsqueeze(1)
    progress = ((time - start) / (end - start)).clamp(0, 1)
    acting = (time >= start) & (time <= end)
    phase = ((time - start) / scenes.period.unsqueeze(1)).remainder(1.0)
    blinking = acting & (scenes.action == _BLINK).unsqueeze(1)
    shaking = acting & (scenes.action == _SHAKE).unsqueeze(1)
    swing = torch.sin(phase * math.tau) * scenes.amplitude.unsqueeze(1) * shaking
    side = _shorter_side(scenes.aspect)[:, None, None]
    center = scenes.center.unsqueeze(1) + scenes.travel.unsqueeze(
        1
    ) * progress.unsqueeze(-1)
    offset = torch.stack([swing, torch.zeros_like(swing)], dim=-1) * side
    radius = scenes.radius.unsqueeze(1) * (
        1 + (scenes.growth.unsqueeze(1) - 1) * progress
    )
    return States(
        center=center + offset,
        half=radius.unsqueeze(-1) * side,
        shown=scenes.exists.unsqueeze(1) & ~(blinking & (phase > 0.5)),
        acting=acting & scenes.exists.unsqueeze(1),
    )


def boxes_of(scenes: Scenes, states: States) -> Tensor:
    """Tight boxes ``(B, T, K, 4)``: x1, y1, x2, y2, unit, clipped to the frame.

    A blinking object keeps its box while it is dark: it is still there.
    """
    from training.synthetic.shapes import EXTENTS

    extents = torch.tensor(EXTENTS, device=scenes.shape.device)[scenes.shape]
    left_top, right_bottom = extents.unsqueeze(1).split(2, dim=-1)
    low = states.center + left_top * states.half
    high = states.center + right_bottom * states.half
    return torch.cat([low, high], dim=-1).clamp(0, 1)


def _shorter_side(aspect: Tensor) -> Tensor:
    """The shorter side in units of the width and of the height: ``(B, 2)``."""
    return torch.stack([(1 / aspect).clamp(max=1), aspect.clamp(max=1)], dim=-1)


def _tell_apart(draw: _Drawer, color: Tensor, form: Tensor, action: Tensor) -> Tensor:
    """Recolour objects that look the same as an earlier one.

    Twins that do different things are rare; twins in everything, rarer still (a
    question about one of those is never asked, see :func:`unique_kinds`).
    """
    for _ in range(4):
        alike = (color.unsqueeze(2) == color.unsqueeze(1)) & (
            form.unsqueeze(2) == form.unsqueeze(1)
        )
        same_action = action.unsqueeze(2) == action.unsqueeze(1)
        strict = draw.uniform((color.shape[0], 1, 1), (0.0, 1.0)) < 0.7
        clash = (alike & (same_action | strict)).tril(-1).any(-1)
        other = draw.integers(len(COLORS), tuple(color.shape))
        color = torch.where(clash, other, color)
    return color


def _growth(draw: _Drawer, action: Tensor) -> Tensor:
    grown = draw.uniform(tuple(action.shape), _GROWTH)
    shrunk = draw.uniform(tuple(action.shape), _SHRINKAGE)
    still = torch.ones_like(grown)
    return torch.where(
        action == _GROW, grown, torch.where(action == _SHRINK, shrunk, still)
    )


def _layout(
    draw: _Drawer, action: Tensor, reach: Tensor, exists: Tensor, aspect: Tensor
) -> tuple[Tensor, Tensor]:
    """Places and ways of the objects, inside the frame and apart from each other."""
    count, objects = action.shape
    shape = (_LAYOUTS, count, objects)
    direction = torch.tensor(_DIRECTIONS, device=action.device, dtype=reach.dtype)
    travel = direction[action] * draw.uniform(shape, _TRAVEL).unsqueeze(-1)
    reach_unit = reach.unsqueeze(-1) * _shorter_side(aspect)[:, None]
    slack = (action == _SHAKE).unsqueeze(-1) * _SHAKE_AMPLITUDE[1]
    reach_unit = reach_unit + slack + _MARGIN
    travel = travel.sign() * torch.minimum(travel.abs(), 1 - 2 * reach_unit)
    low = reach_unit + (-travel).clamp(min=0)
    high = 1 - reach_unit - travel.clamp(min=0)
    center = low + (high - low).clamp(min=0) * draw.uniform((*shape, 2), (0.0, 1.0))
    best = _gap(center, travel, reach_unit, exists).argmax(0)
    index = best.view(1, count, 1, 1).expand(1, count, objects, 2)
    return center.gather(0, index)[0], travel.gather(0, index)[0]


def _gap(center: Tensor, travel: Tensor, reach: Tensor, exists: Tensor) -> Tensor:
    """Smallest distance between two objects' ways, in reaches: ``(layouts, B)``."""
    steps = torch.tensor([0.0, 0.5, 1.0], device=center.device)
    way = center.unsqueeze(-2) + travel.unsqueeze(-2) * steps.view(3, 1)
    points = way.flatten(2, 3)
    pair_reach = reach.repeat_interleave(3, dim=1)
    pair_reach = pair_reach.unsqueeze(1) + pair_reach.unsqueeze(2)
    apart = (points.unsqueeze(3) - points.unsqueeze(2)).abs() / pair_reach
    distance = apart.amax(-1)
    owner = torch.arange(center.shape[2], device=center.device).repeat_interleave(3)
    present = exists.repeat_interleave(3, dim=1)
    counts = (owner.unsqueeze(0) != owner.unsqueeze(1)) & (
        present.unsqueeze(1) & present.unsqueeze(2)
    )
    return distance.masked_fill(~counts, torch.inf).flatten(2).amin(-1)


class _Drawer:
    """Random numbers of one batch, from one generator."""

    def __init__(
        self, count: int, generator: torch.Generator, device: torch.device
    ) -> None:
        self._count = count
        self._generator = generator
        self._device = device

    def uniform(self, shape: tuple[int, ...], bounds: tuple[float, float]) -> Tensor:
        values = torch.rand(shape, generator=self._generator, device=self._device)
        return values * (bounds[1] - bounds[0]) + bounds[0]

    def integers(self, limit: int, shape: tuple[int, ...]) -> Tensor:
        return torch.randint(
            limit, shape, generator=self._generator, device=self._device
        )

    def choice(self, values: tuple[float, ...], count: int) -> Tensor:
        table = torch.tensor(values, device=self._device)
        return table[self.integers(len(values), (count,))]

    def from_palette(self, size: int) -> Tensor:
        """Kinds ``(B, K)``: of only 2 kinds in some of the scenes."""
        palette = self.integers(size, (self._count, 2))
        few = palette.gather(1, self.integers(2, (self._count, MAX_OBJECTS)))
        free = self.integers(size, (self._count, MAX_OBJECTS))
        return torch.where(self.uniform((self._count, 1), (0, 1)) < 0.3, few, free)
