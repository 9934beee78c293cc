"""A long video of many drawn scenes, and where in it things happen."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass, replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from stablechat.types import TimeSpan
from training.synthetic import language
from training.synthetic.annotations import Event, count_fitting, events_of
from training.synthetic.painter import paint_video
from training.synthetic.video import Format, write_video
from training.synthetic.world import Scenes, sample_scenes
from training.synthetic.worlds import PLAIN

_SIZE = (320, 240)
_FPS = Fraction(12)
#: As long as the demo model's training videos were, but for the shortest.
_SCENE_SECONDS = (6.0, 20.0)
_HERTZ = 440.0


@dataclass(frozen=True)
class Hidden:
    """Something that happens once in a long video.

    Attributes:
        query: Fits nothing else in it.
        span: When.
        scene: The scene that it is in.
    """

    query: str
    span: TimeSpan
    scene: TimeSpan


@dataclass(frozen=True)
class _Part:
    """One scene and the number of its first frame."""

    scene: Scenes
    layout: Format
    first_frame: int
    seed: int

    @property
    def events(self) -> list[Event]:
        return events_of(self.scene, self.layout)

    def span(self, first: int, last: int) -> TimeSpan:
        """Frames of the scene on the long video's clock."""
        frames = (self.first_frame + first, self.first_frame + last)
        return TimeSpan(*(float(frame / _FPS) for frame in frames))


def make_long_video(
    path: Path, seconds: float, num_queries: int, seed: int
) -> list[Hidden]:
    """Write scene after scene into one file, each with a tone for its events.

    Args:
        path: The MP4 file.
        seconds: Length, at least.
        num_queries: How many things to ask for.
        seed: The same gives the same.

    Returns:
        What is hidden where: evenly spread over the video.
    """
    parts = _draw_parts(seconds, random.Random(seed))
    total = parts[-1].first_frame + parts[-1].layout.num_frames
    tones = [
        (span.start_seconds, span.end_seconds, _HERTZ)
        for part in parts
        for event in part.events
        for span in [part.span(event.first_frame, event.last_frame)]
    ]
    layout = replace(parts[0].layout, num_frames=total)
    write_video(path, layout, _paint(parts), tones)
    return _hide(parts, num_queries, random.Random(seed + 1))


def _draw_parts(seconds: float, rng: random.Random) -> list[_Part]:
    world = replace(PLAIN, aspects=(_SIZE[0] / _SIZE[1],))
    parts: list[_Part] = []
    first = 0
    while first < seconds * _FPS:
        generator = torch.Generator().manual_seed(rng.getrandbits(60))
        count = round(rng.uniform(*_SCENE_SECONDS) * _FPS)
        layout = Format(*_SIZE, _FPS, count, has_audio=True)
        scene = sample_scenes(1, generator, world=world)
        parts.append(_Part(scene, layout, first, rng.getrandbits(60)))
        first += count
    return parts


def _paint(parts: list[_Part]) -> Iterator[npt.NDArray[np.uint8]]:
    for part in parts:
        yield from paint_video(part.scene, part.layout.num_frames, *_SIZE, part.seed)


def _hide(parts: list[_Part], count: int, rng: random.Random) -> list[Hidden]:
    """Events whose full description fits nothing else in the whole video."""
    everything = [event for part in parts for event in part.events]
    single = [
        Hidden(
            language.query(*event.kinds, rng),
            part.span(event.first_frame, event.last_frame),
            part.span(0, part.layout.num_frames - 1),
        )
        for part in parts
        for event in part.events
        if count_fitting(event.kinds, everything) == 1
    ]
    picked = np.linspace(0, len(single) - 1, min(count, len(single))).round()
    return [single[int(place)] for place in picked]
