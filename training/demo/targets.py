"""Which objects questions are about, and how much of them is said."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from training.synthetic.language import UNSAID_ACTION, UNSAID_COLOR, UNSAID_SHAPE
from training.synthetic.world import Scenes


@dataclass(frozen=True)
class Targets:
    """The objects that questions are about, N of them.

    Attributes:
        kinds: int64 ``(N, 3)``, colour, shape, action.
        said: int64 ``(N, 3)``, the same with unsaid parts replaced.
        start, end: ``(N,)``, unit times of the event.
        boxes: ``(N, 100, 4)``, unit x1, y1, x2, y2 at each frame.
        asked: bool ``(N,)``; False where no question could pick out one object.
    """

    kinds: Tensor
    said: Tensor
    start: Tensor
    end: Tensor
    boxes: Tensor
    asked: Tensor


def choose_targets(
    scenes: Scenes, boxes: Tensor, per_scene: int, *, with_action: bool = True
) -> Targets:
    """Pick objects to ask about, and how much of them to say.

    Args:
        scenes: B scenes.
        boxes: ``(B, T, K, 4)``.
        per_scene: Questions a scene; N is B times this, scene by scene.
        with_action: False for still images.
    """
    count, device = len(scenes), boxes.device
    score = torch.rand(count, per_scene, boxes.shape[2], device=device)
    score = score.masked_fill(~scenes.exists.unsqueeze(1), -1)
    target = score.argmax(-1)
    all_kinds = torch.stack([scenes.color, scenes.shape, scenes.action], -1)
    kinds = all_kinds[torch.arange(count, device=device).unsqueeze(1), target]
    full = torch.tensor([True, True, with_action], device=device)
    mentions = _mentions(count, per_scene, device) & full
    others = all_kinds.unsqueeze(1) == kinds.unsqueeze(2)
    said_full = mentions | full
    alike = _count_alike(others, mentions, scenes.exists)
    mentions = torch.where((alike == 1).unsqueeze(-1), mentions, said_full)
    asked = _count_alike(others, mentions, scenes.exists) == 1
    unsaid = torch.tensor([UNSAID_COLOR, UNSAID_SHAPE, UNSAID_ACTION], device=device)
    said = torch.where(mentions, kinds, unsaid)

    def pick(values: Tensor) -> Tensor:
        return values.gather(1, target).flatten()

    index = target.view(count, 1, per_scene, 1).expand(-1, boxes.shape[1], -1, 4)
    picked = boxes.gather(2, index).transpose(1, 2).flatten(0, 1)
    return Targets(
        kinds.flatten(0, 1),
        said.flatten(0, 1),
        pick(scenes.start),
        pick(scenes.end),
        picked,
        asked.flatten(),
    )


def _mentions(count: int, per_scene: int, device: torch.device) -> Tensor:
    """Which of colour, shape and action a question names: bool ``(B, Q, 3)``."""
    forms = torch.tensor(
        [[1, 1, 1]] * 11
        + [[0, 1, 1]] * 2
        + [[1, 0, 1]] * 2
        + [[1, 1, 0]] * 4
        + [[0, 0, 1]],
        dtype=torch.bool,
        device=device,
    )
    return forms[torch.randint(len(forms), (count, per_scene), device=device)]


def _count_alike(same: Tensor, mentions: Tensor, exists: Tensor) -> Tensor:
    """Objects that fit what is said: ``(B, Q)``."""
    fits = (same | ~mentions.unsqueeze(2)).all(-1) & exists.unsqueeze(1)
    return fits.sum(-1)
