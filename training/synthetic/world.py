"""Scenes: what is in them, and where each object is at any moment.

Everything is batched over videos (B) and objects (K), on any device. Time is the unit
time of the video (0 is its first frame, 1 its last); positions are unit coordinates of
the displayed frame; a radius is a share of the frame's shorter side.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, fields

import torch
from torch import Tensor

from training.synthetic.draws import Drawer
from training.synthetic.worlds import PLAIN, World

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

_TRAVEL = (0.22, 0.60)
_GROWTH = (1.6, 2.2)
_SHRINKAGE = (0.50, 0.70)
_PERIOD = (0.06, 0.11)
_SHAKE_AMPLITUDE = (0.035, 0.06)
_MARGIN = 0.01
#: Fields of a scene that belong to the picture and not to an object.
OF_THE_PICTURE = (
    "aspect",
    "backdrop",
    "tilt",
    "texture",
    "noise",
    "camera",
    "exposure",
    "window",
)


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
        aspect: ``(B,)``, width over height of the picture without bars.
        backdrop: ``(B, 2, 3)``, colours between which the background runs.
        tilt: ``(B, 2)``, direction of that run.
        texture: ``(B, 1, 8, 8)``, coarse pattern laid over it.
        noise: ``(B,)``, deviation of the noise of each pixel.
        camera: ``(B, waves, 2, 3)``: amplitude (share of the shorter side), swings in
            the video and phase of each wave of the camera's shaking in x and y.
        exposure: ``(B,)``, unit time for which a picture is exposed.
        window: ``(B, 4)``: x, y, width and height of the picture in the frame, unit;
            around it are black bars.
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
    camera: Tensor
    exposure: Tensor
    window: Tensor

    @property
    def frame_aspect(self) -> Tensor:
        """``(B,)``, width over height of the frame with its bars."""
        return self.aspect * self.window[:, 3] / self.window[:, 2]

    def __len__(self) -> int:
        return self.color.shape[0]

    def to(self, device: torch.device | str) -> Scenes:
        """The same scenes on another device."""
        return Scenes(
            **{f.name: getattr(self, f.name).to(device) for f in fields(self)}
        )

    def with_room_for(self, objects: int) -> Scenes:
        """The same scenes with objects that do not exist at the end."""
        more = objects - self.color.shape[1]

        def padded(name: str, value: Tensor) -> Tensor:
            if name in OF_THE_PICTURE or more == 0:
                return value
            return torch.cat(
                [value, value[:, :1].expand(-1, more, *value.shape[2:])], 1
            )

        wider = Scenes(**{k: padded(k, v) for k, v in vars(self).items()})
        wider.exists[:, objects - more :] = False
        return wider

    @staticmethod
    def together(batches: Sequence[Scenes]) -> Scenes:
        """Batches of scenes as one, with room for the most objects of any."""
        most = max(batch.color.shape[1] for batch in batches)
        wide = [vars(batch.with_room_for(most)) for batch in batches]
        return Scenes(**{k: torch.cat([each[k] for each in wide]) for k in wide[0]})

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
        shift: ``(B, T, 2)``, how far the camera has moved everything, unit.
    """

    center: Tensor
    half: Tensor
    shown: Tensor
    acting: Tensor
    shift: Tensor


def sample_scenes(
    count: int,
    generator: torch.Generator,
    device: torch.device | str = "cpu",
    world: World = PLAIN,
) -> Scenes:
    """Draw scenes at random.

    Args:
        count: How many.
        generator: Source of all randomness, on ``device``.
        device: Where the tensors live.
        world: What they are like.
    """
    draw = Drawer(count, generator, torch.device(device), world)
    fewest, most = world.objects
    shape = (count, most)
    # Some scenes use few colours or few shapes, so that neither alone tells the
    # objects apart.
    color = draw.from_palette(len(COLORS))
    form = draw.from_palette(len(SHAPES))
    action = draw.from_palette(len(ACTIONS))
    color = _tell_apart(draw, color, form, action)
    number = draw.integers(most - fewest + 1, (count, 1)) + fewest
    exists = torch.arange(most, device=device) < number
    duration = draw.uniform(shape, world.duration)
    start = draw.uniform(shape, (0.0, 1.0)) * (0.98 - duration) + 0.01
    aspect = draw.choice(world.aspects, count)
    radius = draw.uniform(shape, world.radius)
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
        camera=draw.camera(),
        exposure=draw.if_any((count,), world.exposure),
        window=draw.window(aspect),
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
    offset = torch.stack([swing, torch.zeros_like(swing)], dim=-1) * side
    travel = scenes.travel.unsqueeze(1) * progress.unsqueeze(-1)
    center = scenes.center.unsqueeze(1) + travel + offset
    radius = scenes.radius.unsqueeze(1) * (
        1 + (scenes.growth.unsqueeze(1) - 1) * progress
    )
    corner, scale = scenes.window[:, None, None].split(2, dim=-1)
    shift = _camera_path(scenes, times) * side[:, :, 0] * scale[:, :, 0]
    return States(
        center=corner + center * scale + shift.unsqueeze(2),
        half=radius.unsqueeze(-1) * side * scale,
        shown=scenes.exists.unsqueeze(1) & ~(blinking & (phase > 0.5)),
        acting=acting & scenes.exists.unsqueeze(1),
        shift=shift,
    )


def _camera_path(scenes: Scenes, times: Tensor) -> Tensor:
    """How far the camera has moved everything: ``(B, T, 2)``, of the shorter side."""
    amplitude, swings, phase = scenes.camera.unsqueeze(1).unbind(-1)
    angle = (times[:, :, None, None] * swings + phase) * math.tau
    return (amplitude * angle.sin()).sum(2)


def boxes_of(scenes: Scenes, states: States) -> Tensor:
    """Tight boxes ``(B, T, K, 4)``: x1, y1, x2, y2, unit, clipped to the picture.

    A blinking object keeps its box while it is dark: it is still there.
    """
    from training.synthetic.shapes import EXTENTS

    extents = torch.tensor(EXTENTS, device=scenes.shape.device)[scenes.shape]
    left_top, right_bottom = extents.unsqueeze(1).split(2, dim=-1)
    low = states.center + left_top * states.half
    high = states.center + right_bottom * states.half
    first, size = scenes.window[:, None, None].split(2, dim=-1)
    # Bars hide what the camera moves out of the picture.
    low = torch.minimum(torch.maximum(low, first), first + size)
    high = torch.minimum(torch.maximum(high, first), first + size)
    return torch.cat([low, high], dim=-1)


def _shorter_side(aspect: Tensor) -> Tensor:
    """The shorter side in units of the width and of the height: ``(B, 2)``."""
    return torch.stack([(1 / aspect).clamp(max=1), aspect.clamp(max=1)], dim=-1)


def _tell_apart(draw: Drawer, color: Tensor, form: Tensor, action: Tensor) -> Tensor:
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


def _growth(draw: Drawer, action: Tensor) -> Tensor:
    grown = draw.uniform(tuple(action.shape), _GROWTH)
    shrunk = draw.uniform(tuple(action.shape), _SHRINKAGE)
    still = torch.ones_like(grown)
    return torch.where(
        action == _GROW, grown, torch.where(action == _SHRINK, shrunk, still)
    )


def _layout(
    draw: Drawer, action: Tensor, reach: Tensor, exists: Tensor, aspect: Tensor
) -> tuple[Tensor, Tensor]:
    """Places and ways of the objects, inside the frame and apart from each other."""
    count, objects = action.shape
    shape = (draw.world.layouts, count, objects)
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
