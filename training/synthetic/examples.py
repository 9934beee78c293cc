"""Write the example videos that the app offers to click.

    python -m training.synthetic.examples --out assets/examples

Scenes are drawn at random until one fits the wish; same files' content every time.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import torch

from training.synthetic.generating import write_one
from training.synthetic.video import Format
from training.synthetic.world import (
    ACTIONS,
    COLORS,
    SHAPES,
    Scenes,
    sample_scenes,
)

_DRAWS = 60_000
_ASPECT_TOLERANCE = 0.01


@dataclass(frozen=True)
class Wish:
    """An example to find and write.

    Attributes:
        name: File name without its ending.
        kind: Colour, shape and action that one object must have.
        layout: The video's format.
        objects: How many objects the scene has.
        entries: What the app offers: mode and query.
    """

    name: str
    kind: tuple[str, str, str]
    layout: Format
    objects: int
    entries: tuple[tuple[str, str], ...]


WISHES = (
    Wish(
        "red_circle",
        ("red", "circle", "move_left"),
        Format(1280, 720, Fraction(30), 300, True),
        3,
        (("ground", "the red circle moving left"), ("describe", "")),
    ),
    Wish(
        "blue_square",
        ("blue", "square", "grow"),
        Format(640, 480, Fraction(25), 200, True),
        4,
        (("ground", "the blue square that gets bigger"),),
    ),
    Wish(
        "yellow_star",
        ("yellow", "star", "blink"),
        Format(406, 720, Fraction(30000, 1001), 240, True),
        3,
        (("ground", "the star blinking"),),
    ),
)


def find_scene(wish: Wish, generator: torch.Generator) -> Scenes:
    """The first scene that has the wished object, alone in its shape and action."""
    scenes = sample_scenes(_DRAWS, generator)
    color, shape, action = (
        table.index(word)
        for table, word in zip((COLORS, SHAPES, ACTIONS), wish.kind, strict=True)
    )
    same_shape = (scenes.shape == shape) & scenes.exists
    same_action = (scenes.action == action) & scenes.exists
    wished = same_shape & same_action & (scenes.color == color)
    aspect = wish.layout.width / wish.layout.height
    fits = (
        wished.any(1)
        & (same_shape.sum(1) == 1)
        & (same_action.sum(1) == 1)
        & (scenes.exists.sum(1) == wish.objects)
        & ((scenes.aspect - aspect).abs() < _ASPECT_TOLERANCE)
    )
    index = int(fits.nonzero()[0])
    return scenes[index : index + 1]


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--out", type=Path, default=Path("assets/examples"))
    out: Path = parser.parse_args().out
    out.mkdir(parents=True, exist_ok=True)
    entries = []
    for seed, wish in enumerate(WISHES):
        scene = find_scene(wish, torch.Generator().manual_seed(seed))
        write_one(out / f"{wish.name}.mp4", scene, wish.layout, seed)
        entries += [
            {"video": f"{wish.name}.mp4", "query": query, "mode": mode}
            for mode, query in wish.entries
        ]
    (out / "examples.json").write_text(json.dumps(entries, indent=2) + "\n")


if __name__ == "__main__":
    main()
