"""The shared corpus as one list of cases, each with its truth in the same terms."""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

Expect = Literal["ok", "partial", "reject", "either"]

#: Tags of real files that have no right answer but a refusal.
UNREADABLE = frozenset({"no_video_stream", "no_decodable_frame"})


@dataclass(frozen=True)
class Truth:
    """What is known about a file beforehand; None and empty where nothing is.

    Attributes:
        sizes: Displayed sizes in square pixels, any of which is right.
        rotation: Clockwise turn in degrees.
        mirrored: Whether the stored picture is flipped.
        frames: Pictures that are shown.
        frames_max: At most so many, for damaged files.
        has_audio: Whether there is sound.
        vfr: Whether the frame rate varies.
        fps: Pictures a second.
        start_seconds: Time of the first picture, from the container's start.
        last_seconds: Time of the last picture, likewise.
        end_seconds: End of the last picture, likewise.
        barcode: Whether pictures carry their number.
        first_number: Number in the first picture's barcode.
        number_step: The barcode says ``number - number % number_step``.
        flash_times: When a white flash begins.
        beep_times: When a beep begins.
        gray: Whether there is no colour.
        jumps: Whether the clock jumps, so that stored times are no truth.
        changes_size: Whether the picture's size changes on the way.
    """

    sizes: tuple[tuple[int, int], ...] = ()
    rotation: int | None = None
    mirrored: bool | None = None
    frames: int | None = None
    frames_max: int | None = None
    has_audio: bool | None = None
    vfr: bool | None = None
    fps: float | None = None
    start_seconds: float | None = None
    last_seconds: float | None = None
    end_seconds: float | None = None
    barcode: bool = False
    first_number: int | None = None
    number_step: int = 1
    flash_times: tuple[float, ...] = ()
    beep_times: tuple[float, ...] = ()
    gray: bool = False
    jumps: bool = False
    changes_size: bool = False


@dataclass(frozen=True)
class Case:
    """One file of the corpus.

    Attributes:
        name: Unique, for example ``"timing/fps_240.mp4"``.
        group: ``"real"`` or the generator's group.
        path: The file.
        expect: What a robust program does with it.
        truth: What is known about it.
        tags: What is hard about it.
    """

    name: str
    group: str
    path: str
    expect: Expect
    truth: Truth = field(default_factory=Truth)
    tags: tuple[str, ...] = ()

    def to_json(self) -> dict[str, Any]:
        """For sending to a worker."""
        return asdict(self)

    @staticmethod
    def from_json(data: dict[str, Any]) -> Case:
        """The reverse of :meth:`to_json`."""
        truth = {k: _frozen(v) for k, v in data["truth"].items()}
        rest = {k: _frozen(v) for k, v in data.items() if k != "truth"}
        return Case(truth=Truth(**truth), **rest)


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else value


def real_cases(folder: Path) -> list[Case]:
    """The real clips.

    Args:
        folder: ``shared/videos``.

    Returns:
        One case for each entry of its ``manifest.json``.
    """
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    return [_real_case(folder, entry) for entry in manifest["files"]]


def _real_case(folder: Path, entry: dict[str, Any]) -> Case:
    tags, known = tuple(entry["tags"]), entry["truth"]
    refused = bool(UNREADABLE & set(tags))
    return Case(
        name=entry["path"],
        group="real",
        path=str(folder / entry["path"]),
        expect="reject" if refused else "ok",
        truth=Truth() if refused else _real_truth(known),
        tags=tags,
    )


def _real_truth(known: dict[str, Any]) -> Truth:
    size = known.get("square_pixel_size") or known["displayed_size"]
    return Truth(
        sizes=((size[0], size[1]),),
        rotation=known["rotation_cw"],
        frames=known["shown_frames"],
        has_audio=known["has_audio"],
        vfr=known["vfr"],
        fps=known.get("true_fps"),
        start_seconds=known["first_pts"],
        last_seconds=known["last_pts"],
        end_seconds=known["first_pts"] + known["shown_span"],
        gray="gray" in known["pix_fmt"],
    )


def generated_cases(folder: Path, truth: dict[str, dict[str, Any]]) -> list[Case]:
    """The generated clips.

    Args:
        folder: Where they are.
        truth: Facts by name, by group, as the generator notes them.

    Returns:
        One case for each.
    """
    return [
        Case(
            name=f"{group}/{name}",
            group=group,
            path=str(folder / name),
            expect=facts["expect"],
            truth=_generated_truth(name, facts),
            tags=(facts["why"],),
        )
        for group, files in truth.items()
        for name, facts in files.items()
    ]


def _generated_truth(name: str, facts: dict[str, Any]) -> Truth:
    if "display" not in facts:
        return Truth(has_audio=facts.get("has_audio"))
    start = float(facts.get("video_start", 0.0))
    frames, end = facts.get("frames"), facts.get("video_end")
    meant = frames or facts.get("frames_max")
    fps = meant / end if meant and end and not facts.get("vfr") else None
    return Truth(
        sizes=_sizes(facts),
        rotation=facts.get("rotation_cw", 0),
        mirrored=facts.get("mirror", False),
        frames=frames,
        frames_max=facts.get("frames_max"),
        has_audio=facts["has_audio"],
        vfr=facts.get("vfr", False) if end is not None else None,
        fps=fps,
        start_seconds=start if end is not None else None,
        end_seconds=None if end is None else start + end,
        barcode=facts["barcode"],
        first_number=_first_number(facts),
        number_step=facts.get("barcode_step", 1),
        flash_times=tuple(facts.get("flash_times", ())),
        beep_times=tuple(facts.get("beep_times", ())),
        gray=name.startswith("gray") or "barcode_step" in facts,
        jumps=name.startswith(("ts_discontinuity", "ts_33bit")),
        changes_size=bool(facts.get("size_changes")),
    )


def _first_number(facts: dict[str, Any]) -> int | None:
    """Known by design, except where a cut at a key picture decides it."""
    if "cut" in facts and "first_index" not in facts:
        return None
    return int(facts.get("first_index", 0))


def _sizes(facts: dict[str, Any]) -> tuple[tuple[int, int], ...]:
    if "display_square" in facts:
        return (tuple(facts["display_square"]),)
    width, height = facts["display"]
    if "sar_coded" in facts:
        aspect = Fraction(facts["sar_coded"].replace(":", "/"))
        if facts.get("rotation_cw", 0) in (90, 270):
            height = math.floor(height * aspect + Fraction(1, 2))
        else:
            width = math.floor(width * aspect + Fraction(1, 2))
    other = facts.get("alt_display")
    return ((width, height), *([(other[0], other[1])] if other else []))
