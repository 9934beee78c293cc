"""Feeds damaged files to probe, sample and clip, and reports what goes wrong.

    python -m tests.corpus.fuzz --seconds 600 --seed 1 [--files 'timing/*']
    python -m tests.corpus.fuzz --again outputs/fuzz/RECIPE.json

The same seed damages the same files in the same way. Each finding is saved with its
recipe: the file, the mutations that are needed, and what happened.
"""

from __future__ import annotations

import argparse
import json
import random
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from fnmatch import fnmatchcase
from pathlib import Path

from tests.corpus import nasty
from tests.corpus.corpus import all_cases
from tests.corpus.mutations import Mutation, apply, draw
from tests.corpus.workers import ROOT, Answer, Job, run_jobs

MOST_BYTES = 400_000  # of a file that is damaged; damage to small ones goes deeper
HANG_SECONDS = 60.0
MEMORY_BYTES = 2 << 30
SMALLER_TRIES = 8  # at making a recipe shorter

DEFAULT_OUT = ROOT / "outputs" / "fuzz"


@dataclass(frozen=True)
class Recipe:
    """One damaged file.

    Attributes:
        base: The file.
        seed: Of the whole run.
        number: Which input of the run.
        mutations: What is done to it.
    """

    base: str
    seed: int
    number: int
    mutations: list[Mutation]

    def job(self, folder: Path, hang_seconds: float = HANG_SECONDS) -> Job:
        """The work, done in a new folder inside ``folder``."""
        out = Path(tempfile.mkdtemp(dir=folder))
        return Job(
            key=str(self.number),
            function="tests.corpus.fuzz_one:run_one",
            arguments=(self.base, self.mutations, str(out)),
            limit_seconds=hang_seconds,
            max_bytes=MEMORY_BYTES,
        )


@dataclass(frozen=True)
class Finding:
    """What went wrong, and how to see it again."""

    kind: str
    recipe: Recipe
    details: str


def problem_in(answer: Answer) -> str:
    """The kind of what went wrong, or nothing."""
    if answer.failure:
        return answer.failure.partition("(")[0].strip()
    return "; ".join(answer.value["problems"])


def recipes(bases: list[Path], seed: int, seconds: float) -> Iterator[Recipe]:
    """Damaged files until the time is over; the same ones for the same seed."""
    end = time.monotonic() + seconds
    number = 0
    while time.monotonic() < end:
        rng = random.Random(f"{seed}:{number}")
        base = rng.choice(bases)
        yield Recipe(str(base), seed, number, draw(base.read_bytes(), rng))
        number += 1


def fuzz(
    bases: list[Path], seed: int, seconds: float, work: Path
) -> tuple[list[Finding], Counter[str]]:
    """Try damaged files.

    Args:
        bases: Files to damage.
        seed: Decides which is damaged and how.
        seconds: For how long new ones are tried.
        work: An empty folder.

    Returns:
        What went wrong, and how many inputs ended how.
    """
    tried: dict[str, Recipe] = {}
    counts: Counter[str] = Counter()

    def jobs() -> Iterator[Job]:
        for recipe in recipes(bases, seed, seconds):
            tried[str(recipe.number)] = recipe
            yield recipe.job(work)

    findings = []
    for answer in run_jobs(jobs(), work):
        kind = problem_in(answer) if answer.key else answer.failure
        counts["wrong" if kind else str(answer.value["outcome"])] += 1
        if kind:
            recipe = tried.get(answer.key, Recipe("", seed, -1, []))
            findings.append(Finding(kind, recipe, answer.details))
    return findings, counts


def shorten(finding: Finding, work: Path) -> Finding:
    """Leave out mutations that are not needed."""
    recipe = finding.recipe
    if finding.kind in ("hang", "") or not recipe.base:
        return finding
    for k in reversed(range(len(recipe.mutations[:SMALLER_TRIES]))):
        fewer = recipe.mutations[:k] + recipe.mutations[k + 1 :]
        smaller = replace(recipe, mutations=fewer)
        answers = list(run_jobs([smaller.job(work)], work, num_workers=1))
        if any(problem_in(a) == finding.kind for a in answers if a.key):
            recipe = smaller
    return replace(finding, recipe=recipe)


def save(finding: Finding, out: Path) -> Path:
    """Write the recipe and the damaged file.

    Args:
        finding: What went wrong.
        out: Folder; made if need be.

    Returns:
        The recipe's file.
    """
    out.mkdir(parents=True, exist_ok=True)
    recipe = finding.recipe
    path = out / f"seed{recipe.seed}-{recipe.number}.json"
    path.write_text(json.dumps(asdict(finding), indent=1) + "\n", encoding="ascii")
    if recipe.base:
        damaged = apply(Path(recipe.base).read_bytes(), recipe.mutations)
        path.with_suffix(Path(recipe.base).suffix or ".bin").write_bytes(damaged)
    return path


def corpus_bases(pattern: str = "*") -> list[Path]:
    """Small files of the corpus that can be read, or should be."""
    paths = [
        Path(case.path)
        for case in all_cases(with_long=False).values()
        if fnmatchcase(case.name, pattern) and case.group != "names"
    ]
    return [p for p in paths if p.is_file() and 0 < p.stat().st_size <= MOST_BYTES]


def _again(path: Path) -> int:
    told = json.loads(path.read_text("ascii"))["recipe"]
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        for answer in run_jobs([Recipe(**told).job(work)], work, num_workers=1):
            print(problem_in(answer) or answer.value, answer.details, sep="\n")
    return 0


def main() -> int:
    """Run the command line; 1 if anything was found."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=600.0)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--files", default="*", help="pattern of corpus names")
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT)
    parser.add_argument("--again", type=Path, help="a saved recipe to run again")
    options = parser.parse_args()
    if options.again:
        return _again(options.again)
    if not nasty.GENERATOR.exists():
        parser.error(f"needs {nasty.SHARED_VIDEOS}, which is not on this machine")
    with tempfile.TemporaryDirectory() as folder:
        bases = corpus_bases(options.files)
        work = Path(folder)
        findings, counts = fuzz(bases, options.seed, options.seconds, work)
        for finding in findings:
            short = shorten(finding, work)
            print(short.kind, save(short, options.out), ascii(short.recipe.base))
    print(f"{sum(counts.values())} inputs of {len(bases)} files:", dict(counts))
    return bool(findings)


if __name__ == "__main__":
    sys.exit(main())
