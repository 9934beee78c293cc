"""Random numbers of a batch of scenes, all from one generator."""

from __future__ import annotations

import torch
from torch import Tensor

from training.synthetic.worlds import World

# The camera's path is a sum of so many waves, so fast in swings a video.
_CAMERA_WAVES = 3
_CAMERA_SWINGS = (1.0, 6.0)
# Share of the frame that black bars leave.
_LETTERBOX = (0.55, 0.85)


class Drawer:
    """Random numbers of one batch, from one generator."""

    def __init__(
        self,
        count: int,
        generator: torch.Generator,
        device: torch.device,
        world: World,
    ) -> None:
        self.world = world
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
        objects = self.world.objects[1]
        palette = self.integers(size, (self._count, 2))
        few = palette.gather(1, self.integers(2, (self._count, objects)))
        free = self.integers(size, (self._count, objects))
        is_few = self.uniform((self._count, 1), (0, 1)) < self.world.few_kinds
        return torch.where(is_few, few, free)

    def if_any(self, shape: tuple[int, ...], bounds: tuple[float, float]) -> Tensor:
        """Uniform numbers; zeros where they could be nothing else.

        Worlds without a thing draw no numbers for it, so that a seed's plain scenes
        stay what they are when other worlds learn something new.
        """
        if bounds == (0.0, 0.0):
            return torch.zeros(shape, device=self._device)
        return self.uniform(shape, bounds)

    def camera(self) -> Tensor:
        """Waves of the camera's shaking, ``(B, waves, 2, 3)``."""
        shape = (self._count, _CAMERA_WAVES, 2)
        if self.world.camera == (0.0, 0.0):
            return torch.zeros((*shape, 3), device=self._device)
        weight = self.uniform(shape, (0.2, 1.0))
        amplitude = self.uniform((self._count, 1, 1), self.world.camera)
        waves = (
            amplitude * weight / weight.sum(1, keepdim=True),
            self.uniform(shape, _CAMERA_SWINGS),
            self.uniform(shape, (0.0, 1.0)),
        )
        return torch.stack(waves, -1)

    def window(self, aspect: Tensor) -> Tensor:
        """Where in the frame the picture is, ``(B, 4)``: x, y, width, height."""
        whole = torch.tensor([0.0, 0.0, 1.0, 1.0], device=self._device)
        if self.world.letterbox == 0:
            return whole.expand(self._count, 4)
        size = self.uniform((self._count,), _LETTERBOX)
        edge, zero, one = (1 - size) / 2, torch.zeros_like(size), torch.ones_like(size)
        # Wide pictures have bars above and below, tall ones at the sides.
        flat = torch.stack([zero, edge, one, size], -1)
        tall = torch.stack([edge, zero, size, one], -1)
        barred = torch.where((aspect >= 1).unsqueeze(1), flat, tall)
        has_bars = self.uniform((self._count, 1), (0, 1)) < self.world.letterbox
        return torch.where(has_bars, barred, whole)
