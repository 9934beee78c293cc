"""Videos on which the demo model errs, so that there is something to calibrate on.

The clean world is the one that the model was trained on, where nearly every answer is
right. The others are drawn from it: pictures spoilt by the encoder, aspects that no
training video had, twice as many objects; and about some videos a question is asked
that nothing in them answers.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields, replace
from fractions import Fraction
from pathlib import Path
from typing import Literal, get_args

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
from training.synthetic.world import (
    ACTIONS,
    COLORS,
    OF_THE_PICTURE,
    SHAPES,
    Scenes,
    sample_scenes,
)
from training.synthetic.worlds import WORLDS as DRAWN_WORLDS

World = Literal["clean", "low_bitrate", "strange_aspect", "crowded"]
WORLDS: tuple[World, ...] = get_args(World)

# More clean videos than others.
_WEIGHTS: dict[World, int] = {
    "clean": 4,
    "low_bitrate": 1,
    "strange_aspect": 1,
    "crowded": 1,
}
_CLEAN_CRF = 26
_SPOILT, _STRANGE = (DRAWN_WORLDS[name] for name in ("low_bitrate", "strange_aspect"))
_RATES = (Fraction(12), Fraction(15), Fraction(24), Fraction(30000, 1001))
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
        world: How it was made.
        layout: Its format.
        asked: What to ask about it.
    """

    path: Path
    world: World
    layout: Format
    asked: tuple[Asked, ...]


def draw_videos(
    seed: int, numbers: Iterable[int], folder: Path, world: World | None = None
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
        mixed = rng.choices(WORLDS, [_WEIGHTS[name] for name in WORLDS])[0]
        yield _draw(folder / f"{index:05d}.mp4", world or mixed, rng)


def _draw(path: Path, world: World, rng: random.Random) -> Drawn:
    generator = torch.Generator().manual_seed(rng.getrandbits(60))
    while True:
        scene = _scene(world, generator, rng)
        layout = _layout(scene, rng)
        events = events_of(scene, layout)
        askable = askable_events(events)
        if askable:
            break
    crf = rng.randint(*_SPOILT.crf) if world == "low_bitrate" else _CLEAN_CRF
    frames = paint_video(
        scene, layout.num_frames, layout.width, layout.height, rng.getrandbits(60)
    )
    write_video(path, layout, frames, crf=crf)
    chosen = rng.sample(askable, min(len(askable), _MOST_QUESTIONS))
    asked = [Asked(ask_about(event, events, rng), event) for event in chosen]
    if rng.random() < _SHARE_IN_VAIN:
        asked.append(Asked(_ask_in_vain(events, rng), None))
    return Drawn(path, world, layout, tuple(asked))


def _scene(world: World, generator: torch.Generator, rng: random.Random) -> Scenes:
    scene = sample_scenes(1, generator)
    if world == "strange_aspect":
        return replace(scene, aspect=torch.tensor([rng.choice(_STRANGE.aspects)]))
    if world == "crowded":
        return _together(scene, sample_scenes(1, generator))
    return scene


def _together(scene: Scenes, other: Scenes) -> Scenes:
    """A scene with the objects of another one in it as well, wherever they go."""
    objects = {
        field.name: torch.cat(
            [getattr(scene, field.name), getattr(other, field.name)], dim=1
        )
        for field in fields(scene)
        if field.name not in OF_THE_PICTURE
    }
    return replace(scene, **objects)


def _layout(scene: Scenes, rng: random.Random) -> Format:
    aspect, side = float(scene.aspect[0]), rng.choice(_SHORTER_SIDES)
    return Format(
        width=2 * round(side * max(aspect, 1.0) / 2),
        height=2 * round(side * max(1 / aspect, 1.0) / 2),
        fps=rng.choice(_RATES),
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
