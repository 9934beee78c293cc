"""Videos on which the demo model errs, so that there is something to calibrate on.

In the plain world nearly every answer is right; the others spoil the picture or crowd
it. About some videos a question is asked that nothing in them answers.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch

from training.synthetic import language
from training.synthetic.annotations import (
    Event,
    ask_about,
    askable_events,
    count_fitting,
    events_of,
)
from training.synthetic.painter import paint_video
from training.synthetic.video import Format, write_video
from training.synthetic.world import ACTIONS, COLORS, SHAPES, Scenes, sample_scenes
from training.synthetic.worlds import WORLDS, World

# How often each world is drawn.
_SHARES = {
    "plain": 3,
    "low_bitrate": 1,
    "strange_aspect": 1,
    "low_rate": 1,
    "small": 1,
    "short": 1,
    "crowded": 3,
}
_SHORTER_SIDES = (192, 240, 288)
_FRAMES = (60, 240)
_MOST_QUESTIONS = 3
# How often a video is asked for something that is not there as well.
_SHARE_IN_VAIN = 0.5


@dataclass(frozen=True)
class Asked:
    """A question about a written video.

    Attributes:
        query: What is asked.
        event: The answer; None where nothing in the video fits.
    """

    query: str
    event: Event | None


@dataclass(frozen=True)
class Drawn:
    """A written video.

    Attributes:
        path: The file.
        world: The name of its world.
        layout: Its format.
        asked: What to ask about it.
    """

    path: Path
    world: str
    layout: Format
    asked: tuple[Asked, ...]


def draw_videos(
    seed: int, numbers: Iterable[int], folder: Path, world: str | None = None
) -> Iterator[Drawn]:
    """Write videos, each when it is asked for.

    Args:
        seed: Of everything; a video does not depend on those before it.
        numbers: Which of the seed's videos.
        folder: Where to.
        world: Of all of them; None mixes the worlds.

    Yields:
        What was written, with questions.
    """
    for index in numbers:
        rng = random.Random(f"calibrate {seed}:{index}")
        mixed = rng.choices(list(_SHARES), list(_SHARES.values()))[0]
        yield _draw(folder / f"{index:05d}.mp4", world or mixed, rng)


def _draw(path: Path, name: str, rng: random.Random) -> Drawn:
    generator, world = torch.Generator().manual_seed(rng.getrandbits(60)), WORLDS[name]
    while True:
        scene = sample_scenes(1, generator, world=world)
        layout = _layout(scene, world, rng)
        events = events_of(scene, layout)
        askable = askable_events(events)
        if askable:
            break
    frames = paint_video(
        scene, layout.num_frames, layout.width, layout.height, rng.getrandbits(60)
    )
    write_video(path, layout, frames, crf=rng.randint(*world.crf))
    chosen = rng.sample(askable, min(len(askable), _MOST_QUESTIONS))
    asked = [Asked(ask_about(event, events, rng), event) for event in chosen]
    if rng.random() < _SHARE_IN_VAIN:
        asked.append(Asked(_ask_in_vain(events, rng), None))
    return Drawn(path, name, layout, tuple(asked))


def _layout(scene: Scenes, world: World, rng: random.Random) -> Format:
    aspect, side = float(scene.frame_aspect[0]), rng.choice(_SHORTER_SIDES)
    return Format(
        width=2 * round(side * max(aspect, 1.0) / 2),
        height=2 * round(side * max(1 / aspect, 1.0) / 2),
        fps=rng.choice(world.rates),
        num_frames=rng.randint(*_FRAMES),
        has_audio=False,
    )


def _ask_in_vain(events: list[Event], rng: random.Random) -> str:
    """A question that is wrong in one thing about one of the events."""
    while True:
        kinds = list(rng.choice(events).kinds)
        part = rng.randrange(len(kinds))
        kinds[part] = rng.randrange(len((COLORS, SHAPES, ACTIONS)[part]))
        if count_fitting(tuple(kinds), events) == 0:
            color, shape, action = kinds
            return language.query(color, shape, action, rng)
