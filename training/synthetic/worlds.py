"""The worlds that scenes are drawn from: what makes one harder than another."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

Range = tuple[float, float]

_COMMON_ASPECTS = (16 / 9, 16 / 9, 4 / 3, 1.0, 3 / 4, 9 / 16)
_COMMON_RATES = (
    Fraction(12),
    Fraction(15),
    Fraction(24),
    Fraction(25),
    Fraction(30000, 1001),
    Fraction(30),
)


@dataclass(frozen=True)
class World:
    """How scenes and their videos are drawn.

    Attributes:
        objects: Fewest and most objects of a scene.
        radius: Of an object, share of the shorter side.
        duration: Of an event, share of the video.
        aspects: Of the picture without bars, width over height.
        layouts: Layouts tried for each scene; the one with the widest gaps is kept.
            With one, objects cross and hide each other.
        few_kinds: Share of scenes with only two colours, or only two shapes.
        camera: How far the camera shakes, share of the shorter side.
        exposure: How long a picture is exposed, in unit time; what moves is blurred.
        letterbox: Share of scenes with black bars.
        rates: Frames a second.
        crf: x264's constant rate factor; 51 is the worst picture.
    """

    objects: tuple[int, int] = (2, 4)
    radius: Range = (0.085, 0.15)
    duration: Range = (0.12, 0.60)
    aspects: tuple[float, ...] = _COMMON_ASPECTS
    layouts: int = 12
    few_kinds: float = 0.3
    camera: Range = (0.0, 0.0)
    exposure: Range = (0.0, 0.0)
    letterbox: float = 0.0
    rates: tuple[Fraction, ...] = _COMMON_RATES
    crf: tuple[int, int] = (26, 26)


PLAIN = World()
_STRANGE_ASPECTS = (2.39, 3.2, 0.42)
#: Boxes under 1% of the picture, in every aspect.
_SMALL_RADIUS = (0.036, 0.049)

#: By name. All but the last are for measuring; ``varied`` is what a model sees of all
#: of them in training, besides the plain and the crowded one.
WORLDS: dict[str, World] = {
    "plain": PLAIN,
    "small": World(radius=_SMALL_RADIUS),
    "short": World(duration=(0.10, 0.30)),
    "low_bitrate": World(crf=(40, 51)),
    "low_rate": World(rates=(Fraction(3), Fraction(5), Fraction(8))),
    "strange_aspect": World(aspects=_STRANGE_ASPECTS),
    "letterbox": World(letterbox=1.0),
    "crowded": World(
        objects=(4, 6),
        radius=(0.06, 0.13),
        layouts=1,
        few_kinds=0.7,
        camera=(0.005, 0.03),
        exposure=(0.0, 0.02),
    ),
    "varied": World(
        objects=(2, 6),
        radius=(0.034, 0.15),
        duration=(0.07, 0.60),
        aspects=(*_COMMON_ASPECTS, *_STRANGE_ASPECTS),
        layouts=4,
        few_kinds=0.5,
        camera=(0.0, 0.02),
        exposure=(0.0, 0.01),
        letterbox=0.3,
    ),
}
