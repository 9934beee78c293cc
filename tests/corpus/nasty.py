"""Builds the generated part of the corpus once and keeps it in a folder."""

from __future__ import annotations

import hashlib
import importlib.util
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

import imageio_ffmpeg
from filelock import FileLock

from tests.corpus.workers import ROOT, Job, run_jobs

#: Laid beside the repository on the project's machines; not part of it.
SHARED_VIDEOS = ROOT.parent / "shared" / "videos"
GENERATOR = SHARED_VIDEOS / "make_nasty.py"

#: Where generated files are kept between runs.
CACHE = Path(os.environ.get("STABLECHAT_CORPUS_CACHE", ROOT / ".pytest_cache/corpus"))

#: Which generated files; other seeds give other sizes, rates, times and damage.
SEED = int(os.environ.get("STABLECHAT_CORPUS_SEED", "0"))

#: Takes more time than all others together; see ``make test-long``.
LONG_GROUP = "long_ones"

#: The slow ones first, so that both processes end at about the same time.
_SLOW_GROUPS = (LONG_GROUP, "timing")

#: What the generator notes on each file, by group.
Notes = dict[str, dict[str, Any]]

_TRUTH = "groups.json"

LIMIT_SECONDS = 600.0  # for one group


def load_generator() -> ModuleType:
    """``make_nasty.py`` as a module, for its readers and recipes."""
    if "make_nasty" in sys.modules:
        return sys.modules["make_nasty"]
    # Read when the module is loaded; imageio-ffmpeg brings one where there is none.
    if not shutil.which("ffmpeg"):
        os.environ.setdefault("FFMPEG", imageio_ffmpeg.get_ffmpeg_exe())
    spec = importlib.util.spec_from_file_location("make_nasty", GENERATOR)
    if spec is None or spec.loader is None:
        raise ImportError(f"{GENERATOR} is not a module.")
    module = importlib.util.module_from_spec(spec)
    sys.modules["make_nasty"] = module
    # No bytecode beside it: the folder is shared and belongs to somebody else.
    writes, sys.dont_write_bytecode = sys.dont_write_bytecode, True
    try:
        spec.loader.exec_module(module)
    finally:
        sys.dont_write_bytecode = writes
    return module


def group_names() -> list[str]:
    """Names of the generator's groups."""
    return [recipe.__name__ for recipe in load_generator().R]


def build(
    cache: Path = CACHE, seed: int = SEED, *, with_long: bool = True
) -> tuple[Path, Notes]:
    """Generate files, or find them from an earlier run.

    Args:
        cache: Folder for one folder per version of the generator and seed.
        seed: The generator's seed.
        with_long: Also those of :data:`LONG_GROUP`.

    Returns:
        The folder with the files, and what the generator notes on each, by group.
    """
    version = hashlib.sha256(GENERATOR.read_bytes()).hexdigest()[:12]
    folder = Path(os.path.abspath(cache)) / f"nasty-{version}-seed{seed}"
    noted = folder / _TRUTH
    wanted = [name for name in group_names() if with_long or name != LONG_GROUP]
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Test files that run side by side find what the first of them makes.
    with FileLock(folder.with_suffix(".lock")):
        if not noted.exists():
            # Playlists hold absolute paths, so it can't be built elsewhere and moved.
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            noted.write_text("{}", encoding="ascii")
        notes: Notes = json.loads(noted.read_text("ascii"))
        lacking = [name for name in wanted if name not in notes]
        if lacking:
            notes |= _generate(folder, seed, lacking)
            noted.write_text(json.dumps(notes), encoding="ascii")
    return folder, {name: notes[name] for name in wanted}


def _generate(folder: Path, seed: int, names: Sequence[str]) -> Notes:
    order = sorted(names, key=lambda name: name not in _SLOW_GROUPS)
    jobs = [
        Job(
            name, f"{__name__}:generate_group", (str(folder), seed, name), LIMIT_SECONDS
        )
        for name in order
    ]
    with tempfile.TemporaryDirectory() as work:
        answers = {a.key: a for a in run_jobs(jobs, Path(work))}
    for answer in answers.values():
        if answer.failure:
            raise RuntimeError(f"{answer.key}: {answer.failure}\n{answer.details}")
    return {name: answers[name].value for name in names}


def generate_group(folder: str, seed: int, name: str) -> dict[str, Any]:
    """Generate one group's files, in a worker; returns what is noted on each."""
    generator = load_generator()
    recipe = next(r for r in generator.R if r.__name__ == name)
    context = generator.Ctx(folder, seed)
    try:
        recipe(context)
    finally:
        shutil.rmtree(context.tmp, ignore_errors=True)
    notes: dict[str, Any] = context.truth
    return notes
