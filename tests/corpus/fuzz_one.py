"""Damages one file and takes it through probe, sample and clip, in a worker."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from render.clipper import ClipOptions, cut_clip
from stablechat.errors import StableChatError
from stablechat.types import Generation, Grounding, TimeSpan, Tube
from stablechat.video import probe, sample_frames
from tests.corpus.check import check_message
from tests.corpus.check_video import Problems
from tests.corpus.mutations import Mutation, apply

NUM_FRAMES = 4
SAMPLE_SIZE = (64, 48)
SPAN_SECONDS = 0.4
OPTIONS = ClipOptions(preset="ultrafast", max_side=640)


def run_one(base: str, mutations: list[Mutation], out: str) -> dict[str, Any]:
    """Try a damaged file.

    Args:
        base: The file to damage; it is only read.
        mutations: For :func:`tests.corpus.mutations.apply`.
        out: An existing folder of its own; it is left empty.

    Returns:
        ``outcome``, the stage that refused it or "right"; ``problems``, one line each.
        Exceptions that are none of ours go on to the caller.
    """
    folder, problems = Path(out), Problems()
    damaged, clip = folder / f"input{Path(base).suffix}", folder / "clip.mp4"
    damaged.write_bytes(apply(Path(base).read_bytes(), mutations))
    outcome = "probe"
    try:
        info = probe(damaged)
        outcome = "sample"
        sample_frames(info, NUM_FRAMES, size=SAMPLE_SIZE)
        outcome = "clip"
        start = max(0.0, (info.duration_seconds - SPAN_SECONDS) / 2)
        span = TimeSpan(start, start + SPAN_SECONDS)
        box = [[0.2 * info.width, 0.2 * info.height, info.width, info.height]]
        tube = Tube([start], box)  # type: ignore[arg-type]
        generation = Generation("", (), "stop")
        answer = Grounding(info, "it", "stvg", span, tube, "", None, generation)
        cut_clip(answer, clip, options=OPTIONS)
        outcome = "right"
        clip.unlink()
    except StableChatError as error:
        check_message(error, problems)
    finally:
        damaged.unlink()
    left = [path.name for path in folder.rglob("*")]
    problems.expect(not left, f"files left behind: {left}")
    return {"outcome": outcome, "problems": list(problems)}
