"""Questions to the demo model about scenes drawn here, without a video file."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from stablechat import prompts
from stablechat.encoding import encode_frames
from stablechat.last_row import LastRow
from stablechat.loader import LoadedModel
from stablechat.types import FrameArray, Task
from training.synthetic import language
from training.synthetic.painter import paint_video
from training.synthetic.world import Scenes, sample_scenes

#: Sides of the pictures, drawn twice as large as the demo model sees them.
_SIDE = 216
_SPANS = ((0.0, 1.0), (0.2, 0.6), (0.5, 0.52), (0.9, 1.0))
_NEVER = "the striped elephant juggling"
#: What each kind of question is called in reports, and how often it is asked.
KINDS = ("stvg", "svg", "elc", "tvg", "describe", "rec", "stvg, not there")


@dataclass(frozen=True, eq=False)
class DemoQuestion:
    """A question, ready for the language model.

    Attributes:
        kind: One of :data:`KINDS`.
        task: What is asked.
        prompt: In the model's words.
        embeds: ``(1, L, hidden)``.
        last_row: Knows the answer's last row.
    """

    kind: str
    task: Task
    prompt: str
    embeds: Tensor
    last_row: LastRow | None


@torch.inference_mode()
def demo_questions(
    loaded: LoadedModel, count: int, seed: int, kinds: tuple[str, ...] = KINDS
) -> Iterator[DemoQuestion]:
    """Ask about ``count`` scenes, one question of each kind about each.

    Args:
        loaded: The demo model.
        count: Scenes.
        seed: Of the scenes and the wordings.
        kinds: Which questions.
    """
    for number in range(count):
        rng = random.Random(f"{seed}:{number}")
        generator = torch.Generator().manual_seed(rng.getrandbits(60))
        scene = sample_scenes(1, generator)
        frames = _draw(scene, loaded, rng.getrandbits(60))
        video, picture = _encode(loaded, frames), _encode(loaded, frames[50:51])
        for kind in kinds:
            task, prompt, last_row = _question(kind, scene, loaded, number, rng)
            visual = picture if task == "rec" else video
            encoded = loaded.tokenizer.encode_prompt(prompt, image=task == "rec")
            embeds = loaded.model.embed_prompt(encoded, visual)
            yield DemoQuestion(kind, task, prompt, embeds, last_row)


def _draw(scene: Scenes, loaded: LoadedModel, seed: int) -> FrameArray:
    count = loaded.model.config.num_frames
    return np.stack(list(paint_video(scene, count, _SIDE, _SIDE, seed)))


def _encode(loaded: LoadedModel, frames: FrameArray) -> Tensor:
    return encode_frames(
        loaded.model, frames, on_progress=lambda _: None, cancelled=lambda: False
    )


def _question(
    kind: str, scene: Scenes, loaded: LoadedModel, number: int, rng: random.Random
) -> tuple[Task, str, LastRow | None]:
    first = loaded.model.config.base_vocab_size
    thing = [int(t[0, 0]) for t in (scene.color, scene.shape, scene.action)]
    words = language.query(*thing, rng)
    span = _SPANS[number % len(_SPANS)]
    if kind == "svg":
        end = LastRow(first, 0, round(span[1] * 99))
        return "svg", prompts.svg_prompt(words, span), end
    if kind == "elc":
        box = (0.3, 0.2, 0.6, 0.7)
        return "elc", prompts.elc_prompt(span[0], box), LastRow(first, 1)
    if kind == "tvg":
        return "tvg", prompts.tvg_prompt(words), None
    if kind == "describe":
        return "describe", prompts.describe_prompt(), None
    if kind == "rec":
        return "rec", prompts.rec_prompt(language.query(*thing, rng)), None
    asked = words if kind == "stvg" else _NEVER
    return "stvg", prompts.stvg_prompt(asked), LastRow(first, 2)
