"""Writing a set of videos with its annotations."""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import torch

from training.synthetic.annotations import Event, describe_video, events_of, make_rows
from training.synthetic.painter import paint_video
from training.synthetic.video import Format, write_video
from training.synthetic.vidor import vidor_annotation, vidstg_rows
from training.synthetic.world import Scenes, sample_scenes
from training.synthetic.worlds import PLAIN, World

#: Rows that a video adds to each file, by its name.
Rows = dict[str, list[Any]]
_FILES = ("stvg", "svg", "elc", "descriptions", "vidstg")
_SHORTER_SIDES = (240, 288, 360, 480)
_SECONDS = (2.0, 20.0)
_LOWEST_HERTZ = 330.0


def choose_format(scene: Scenes, rng: random.Random, world: World = PLAIN) -> Format:
    """A format that suits the scene's aspect."""
    aspect, side = float(scene.frame_aspect[0]), rng.choice(_SHORTER_SIDES)
    width = side * max(aspect, 1.0)
    height = side * max(1 / aspect, 1.0)
    fps = rng.choice(world.rates)
    return Format(
        width=2 * round(width / 2),
        height=2 * round(height / 2),
        fps=fps,
        num_frames=max(round(rng.uniform(*_SECONDS) * fps), 24),
        has_audio=rng.random() < 0.5,
    )


def write_one(
    path: Path, scene: Scenes, layout: Format, seed: int, crf: int = PLAIN.crf[0]
) -> list[Event]:
    """Write one video; each event sounds a tone of its own."""
    events = events_of(scene, layout)
    tones = [
        (
            float(event.first_frame / layout.fps),
            float(event.last_frame / layout.fps),
            _LOWEST_HERTZ * 1.25**k,
        )
        for k, event in enumerate(events)
    ]
    frames = paint_video(scene, layout.num_frames, layout.width, layout.height, seed)
    with half_done(path) as unfinished:
        write_video(unfinished, layout, frames, tones, crf=crf)
    return events


@contextmanager
def half_done(path: Path) -> Iterator[Path]:
    """A name to write to that becomes ``path`` when all went well, and goes if not."""
    unfinished = path.with_name(f".{path.name}.part{path.suffix}")
    try:
        yield unfinished
        os.replace(unfinished, path)
    finally:
        unfinished.unlink(missing_ok=True)


def generate(
    seed: int, count: int, out: Path, world: World = PLAIN, workers: int = 1
) -> None:
    """Write ``count`` videos and their annotations.

    Args:
        seed: Of everything.
        count: How many videos.
        out: Where to.
        world: What the scenes are like.
        workers: Processes that draw.
    """
    (out / "videos").mkdir(parents=True, exist_ok=True)
    (out / "vidor").mkdir(exist_ok=True)
    rows: dict[str, list[Any]] = {name: [] for name in _FILES}
    draw = partial(_draw, seed, out, world)
    for index, found in enumerate(_mapped(draw, count, workers)):
        for name, values in found.items():
            rows[name] += values
        print(f"\r{index + 1}/{count}", end="", file=sys.stderr)
    print(file=sys.stderr)
    for name, values in rows.items():
        lines = ",\n".join(json.dumps(value) for value in values)
        _write_json(out / f"{name}.json", f"[\n{lines}\n]\n")


def _mapped(draw: Callable[[int], Rows], count: int, workers: int) -> Iterator[Rows]:
    """What is drawn, in order."""
    if workers == 1:
        yield from map(draw, range(count))
        return
    # A process that was forked may wait forever for a thread that it has not.
    with ProcessPoolExecutor(workers, get_context("spawn")) as pool:
        yield from pool.map(draw, range(count))


def _draw(seed: int, out: Path, world: World, index: int) -> Rows:
    """Write a video; the rows that it adds to each file."""
    # A generator a video: the first ten of two hundred are the same as of ten.
    rng = random.Random(f"{seed}:{index}")
    generator = torch.Generator().manual_seed(rng.getrandbits(60))
    scene, layout = _askable_scene(generator, rng, world)
    path = out / "videos" / f"{index:05d}.mp4"
    crf = _choose_crf(world, rng)
    events = write_one(path, scene, layout, rng.getrandbits(60), crf)
    asked = make_rows(path.name, events, layout, rng)
    description = {"video_path": path.name, "text": describe_video(events)}
    sentences = vidstg_rows(path.stem, events, layout, rng)
    boxes = vidor_annotation(path, scene, events, layout)
    _write_json(out / "vidor" / f"{path.stem}.json", json.dumps(boxes))
    return {
        **{task: [row] for task, row in asked.items()},
        "descriptions": [description],
        "vidstg": sentences,
    }


def _choose_crf(world: World, rng: random.Random) -> int:
    """Without a choice nothing is drawn: the plain world's seeds go on as before."""
    lowest, highest = world.crf
    return lowest if lowest == highest else rng.randint(lowest, highest)


def _write_json(path: Path, text: str) -> None:
    with half_done(path) as unfinished:
        unfinished.write_text(text)


def _askable_scene(
    generator: torch.Generator, rng: random.Random, world: World
) -> tuple[Scenes, Format]:
    """A scene in which some object can be told from all others."""
    while True:
        scene = sample_scenes(1, generator, world=world)
        layout = choose_format(scene, rng, world)
        if make_rows("", events_of(scene, layout), layout, random.Random(0)):
            return scene, layout
