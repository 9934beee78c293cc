"""Auxiliary heads: they make features carry the facts, and are thrown away after.

Cross entropy on whole answers does not teach a small model where things are; asking
its features directly does.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from training.synthetic.world import ACTIONS, COLORS, SHAPES, Scenes, States

# A patch belongs to an object whose box, grown by this share of a patch, holds it.
_PATCH_REACH = 0.3


class DenseHead(nn.Module):
    """On each patch of the tower: colour, shape and box of the object under it."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width)
        self.color = nn.Linear(width, len(COLORS) + 1)
        self.shape = nn.Linear(width, len(SHAPES) + 1)
        self.box = nn.Linear(width, 4)

    def loss(
        self, features: Tensor, scenes: Scenes, states: States, boxes: Tensor
    ) -> dict[str, Tensor]:
        """Losses on still images.

        Args:
            features: ``(B, g * g, width)``.
            scenes, states, boxes: Of the B images; T is 1.
        """
        grid = round(features.shape[1] ** 0.5)
        owner, centers = _patch_owner(states, boxes, grid)
        features = self.norm(features)
        none_c, none_s = len(COLORS), len(SHAPES)
        color = torch.where(owner < 0, none_c, scenes.color.gather(1, owner.clamp(0)))
        shape = torch.where(owner < 0, none_s, scenes.shape.gather(1, owner.clamp(0)))
        index = owner.clamp(0).unsqueeze(-1).expand(-1, -1, 4)
        offset = boxes[:, 0].gather(1, index) - centers.repeat(1, 2)
        error = (self.box(features).float() - offset).abs().mean(-1)
        owned = (owner >= 0).float()
        return {
            "dense_color": _classify(self.color(features), color),
            "dense_shape": _classify(self.shape(features), shape),
            "dense_box": 10 * (error * owned).sum() / owned.sum().clamp(min=1),
        }


class Readout(nn.Module):
    """On packed tokens: ask for an object by look, read its boxes and what it does.

    One attention step over the tokens of a slow frame, like the one the language
    model has to learn.
    """

    def __init__(self, width: int, frames: int) -> None:
        super().__init__()
        self.frames = frames
        self.norm = nn.LayerNorm(width)
        self.color = nn.Embedding(len(COLORS), width)
        self.shape = nn.Embedding(len(SHAPES), width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.read = nn.Sequential(
            nn.Linear(width, 2 * width),
            nn.GELU(),
            nn.Linear(2 * width, frames * (4 + len(ACTIONS) + 1)),
        )

    def loss(
        self, tokens: Tensor, scenes: Scenes, states: States, boxes: Tensor, side: int
    ) -> dict[str, Tensor]:
        """Losses on videos.

        Args:
            tokens: ``(B, slow frames * side * side, width)``.
            scenes, states, boxes: Of the B videos at their N frames.
            side: Side of a slow frame's grid.
        """
        count = len(scenes)
        tokens = self.norm(tokens).reshape(count, -1, side * side, tokens.shape[-1])
        asked = self.color(scenes.color) + self.shape(scenes.shape)
        scores = torch.einsum("bkd,bgpd->bgkp", asked, self.key(tokens))
        scores = scores.float() * tokens.shape[-1] ** -0.5
        mixed = torch.einsum(
            "bgkp,bgpd->bgkd", scores.softmax(-1).to(tokens.dtype), self.value(tokens)
        )
        answer = self.read(mixed).float().unflatten(-1, (self.frames, -1))
        box, doing = answer[..., :4], answer[..., 4:]
        sure = (scenes.exists & ~_has_twin(scenes)).float().unsqueeze(1)
        return {
            "read_where": _mean(_place_loss(scores, states, side, self.frames), sure),
            "read_box": 10 * _mean(self._box_error(box, boxes), sure),
            "read_action": _mean(self._action_error(doing, scenes, states), sure),
        }

    def _grouped(self, values: Tensor) -> Tensor:
        """``(B, N, K, ...)`` to ``(B, N / frames, K, frames, ...)``."""
        return values.unflatten(1, (-1, self.frames)).transpose(2, 3)

    def _box_error(self, box: Tensor, boxes: Tensor) -> Tensor:
        return (box.sigmoid() - self._grouped(boxes)).abs().mean((-1, -2))

    def _action_error(self, doing: Tensor, scenes: Scenes, states: States) -> Tensor:
        action = torch.where(states.acting, scenes.action.unsqueeze(1) + 1, 0)
        target = self._grouped(action)
        error = F.cross_entropy(doing.flatten(0, 3), target.flatten(), reduction="none")
        return error.view(target.shape).mean(-1)


def _patch_owner(states: States, boxes: Tensor, grid: int) -> tuple[Tensor, Tensor]:
    """Topmost object of each patch ``(B, g * g)``, -1 for none; patch centres."""
    axis = (torch.arange(grid, device=boxes.device) + 0.5) / grid
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    centers = torch.stack([x.flatten(), y.flatten()], -1)
    low, high = boxes[:, 0, :, :2], boxes[:, 0, :, 2:]
    reach = _PATCH_REACH / grid
    inside = (centers > low.unsqueeze(2) - reach) & (
        centers < high.unsqueeze(2) + reach
    )
    inside = inside.all(-1) & states.shown[:, 0].unsqueeze(-1)
    order = torch.arange(1, boxes.shape[2] + 1, device=boxes.device).view(1, -1, 1)
    return (inside * order).amax(1) - 1, centers


def _has_twin(scenes: Scenes) -> Tensor:
    look = scenes.color * len(SHAPES) + scenes.shape
    same = (look.unsqueeze(1) == look.unsqueeze(2)) & scenes.exists.unsqueeze(1)
    return same.sum(-1) > 1


def _place_loss(scores: Tensor, states: States, side: int, frames: int) -> Tensor:
    """Attention should fall on the cell that holds the object's centre."""
    middle = states.center[:, frames // 2 :: frames]
    cell = (middle * side).long().clamp(0, side - 1)
    target = cell[..., 1] * side + cell[..., 0]
    error = F.cross_entropy(scores.flatten(0, 2), target.flatten(), reduction="none")
    return error.view(target.shape)


def _classify(logits: Tensor, target: Tensor) -> Tensor:
    return F.cross_entropy(logits.float().flatten(0, 1), target.flatten())


def _mean(values: Tensor, weight: Tensor) -> Tensor:
    weight = weight.expand_as(values)
    return (values * weight).sum() / weight.sum().clamp(min=1)
