"""Processor seconds of reading a video and of cutting its clip.

The clock on the wall says little on a machine that others use; what the processors
worked does not depend on them much.
"""

from __future__ import annotations

import resource
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks._sources import SourceSpec, make_source
from benchmarks._timing import THREADS, machine, median, seconds_of
from benchmarks.video_clip import CLIP_SECONDS, cut_from_middle
from render.clipper import cut_clip
from stablechat.reading import as_seen, read_video
from stablechat.video import probe

#: As benchmarks.video_sampling and benchmarks.video_clip have them.
SPECS = (
    SourceSpec(1920, 1080, 60, 300, 6000, sound=True),
    SourceSpec(1280, 720, 60, 300, 3500, sound=True),
)
_NUM_FRAMES, _SIDE = 100, 384


def processor_seconds() -> float:
    """What this process and those that it has waited for have worked so far."""
    whose = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    used = [resource.getrusage(each) for each in whose]
    return sum(each.ru_utime + each.ru_stime for each in used)


def measured(work: Callable[[], object], runs: int) -> dict[str, float]:
    """Medians of a call after one that does not count.

    Args:
        work: What to measure.
        runs: Runs that count.
    """
    wall, processor = [], []
    for _ in range(1 + runs):
        before = processor_seconds()
        wall.append(seconds_of(work))
        processor.append(processor_seconds() - before)
    return {
        "wall_seconds": median(wall[1:]),
        "processor_seconds": median(processor[1:]),
    }


def measure(runs: int) -> dict[str, Any]:
    """Read videos as a batch does, and cut ten seconds of each."""
    with tempfile.TemporaryDirectory() as folder:
        videos = [_of(spec, Path(folder), runs) for spec in SPECS]
    return {
        "what": "python -m benchmarks.capacity cpu",
        **machine(),
        "runs": runs,
        "threads": THREADS,
        "videos": videos,
    }


def _of(spec: SourceSpec, folder: Path, runs: int) -> dict[str, Any]:
    path = make_source(spec, folder / "source.mp4")
    cut = cut_from_middle(probe(path))
    grounding, out = cut.grounding(), folder / "clip.mp4"
    found = {
        "video": spec.title,
        "duration_seconds": spec.seconds,
        "video_bytes": path.stat().st_size,
        "read": measured(lambda: as_seen(read_video(path, _NUM_FRAMES), _SIDE), runs),
        "finish": measured(lambda: cut_clip(grounding, out), runs),
        "clip_seconds": CLIP_SECONDS,
        "clip_bytes": out.stat().st_size,
    }
    path.unlink()
    return found
