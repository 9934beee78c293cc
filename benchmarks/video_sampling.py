"""How long it takes to pick 100 frames of a video, against decoding it once.

    python -m benchmarks.video_sampling [--runs 5] [--hours 1] [--quick]
        [--gop 300] [--reader ours] [--libraries DIR]

All of it takes about an hour; with --hours 0 --gop 300, the minute alone, a quarter;
with --runs 1 --gop 300 and the readers that seek, both, not much longer.

A minute and an hour of H.264 that the benchmark makes itself, each picture saying its
number, so that a wrong one is seen. Readers take turns; every run of one is a fresh
process, its imports not counted. decord is no requirement of ours; give the folder
it is in: `pip install --no-deps --target DIR decord`, then `--libraries DIR`.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import product
from pathlib import Path
from typing import Any

from benchmarks._reader import READERS
from benchmarks._sources import (
    FPS,
    SourceSpec,
    ffmpeg_command,
    make_source,
    repeat_source,
)
from benchmarks._timing import (
    BURN_IN,
    RESULTS,
    THREADS,
    machine,
    median,
    run_main,
    say,
    seconds_of,
    table,
    write_report,
)

NUM_FRAMES = 100
MODEL_SIDE = 384  # what the model takes; 0 is the video's own size
TARGET = 1.1  # times one decode, for a minute of 1080p

#: Seconds of a long video that are decoded to know how long all of it takes.
DECODED_PART = 180
#: A reader of a long video is stopped after this many times one decode of all of it.
PATIENCE = 1.2
#: Run only once, with no burn-in, as all but ours are on long videos.
ONCE = ("opencv seek",)
MINUTE_LIMIT = 600  # seconds, for one run of any reader of the short video

FFMPEG = "ffmpeg, decode once"
INSTALL = {"decord": "pip install --no-deps --target DIR decord, --libraries DIR"}
#: PyPI's build of torchcodec needs CUDA's libraries even to decode on a CPU.
NOT_MEASURED = ("torchcodec", "not installed: needs the build for one's own torch")

HEADER = (*("", "median s", "x decode", "runs", "right", "MiB", "MiB child", "note"),)


@dataclass
class Row:
    """What was found about one contender.

    Attributes:
        seconds: Of each run that counts.
        right: Pictures that are the ones asked for, in the worst run.
        memory: Peak in MiB, by process.
        stages: Name -> seconds of each run.
        note: What else there is to say.
    """

    seconds: list[float] = field(default_factory=list)
    right: int | None = None
    memory: dict[str, int] = field(default_factory=dict)
    stages: dict[str, list[float]] = field(default_factory=dict)
    note: str = ""

    def add(self, found: dict[str, Any]) -> None:
        """Take over one run's result."""
        self.seconds.append(found["seconds"])
        best = found["right"] if self.right is None else self.right
        self.right = min(found["right"], best)
        self.memory = found["memory"]
        for name, seconds in found["stages"].items():
            self.stages.setdefault(name, []).append(seconds)

    def lines(self, name: str, decode: float) -> list[list[object]]:
        """Rows of the table: the whole, then its stages."""
        if not self.seconds:
            return [[name, *[None] * (len(HEADER) - 2), self.note]]
        memory = self.memory.get("self"), self.memory.get("child")
        times = _times(self.seconds, decode)
        rows: list[list[object]] = [
            [name, *times, len(self.seconds), self.right, *memory, self.note]
        ]
        for part, seconds in self.stages.items():
            rows.append([f"  {part}", *_times(seconds, decode), *[None] * 4, ""])
        return rows

    def as_json(self, decode: float) -> dict[str, Any]:
        """For the report."""
        if not self.seconds:
            return {"note": self.note}
        seconds, ratio = _times(self.seconds, decode)
        return {
            "median_seconds": seconds,
            "ratio_to_decode": round(ratio, 3),
            "seconds": [round(s, 4) for s in self.seconds],
            **({} if self.right is None else {"right": self.right}),
            **({"peak_mebibytes": self.memory} if self.memory else {}),
            **{f"{k}_seconds": median(v) for k, v in self.stages.items()},
            **({"note": self.note} if self.note else {}),
        }


def _times(seconds: list[float], decode: float) -> tuple[float, float]:
    return median(seconds), median(seconds) / decode


@dataclass(frozen=True)
class Video:
    """A video to sample.

    Attributes:
        title: One line that says what it is.
        path: The file.
        num_frames: Pictures of it.
        period: Pictures after which their numbers begin again.
    """

    title: str
    path: Path
    num_frames: int
    period: int

    @property
    def numbers(self) -> list[int]:
        """Of the pictures to take, by the formula of :func:`sample_frames`."""
        last = self.num_frames - 1
        return [round(i / (NUM_FRAMES - 1) * last) for i in range(NUM_FRAMES)]


def decode_once(path: Path, seconds: float | None = None) -> float:
    """How long FFmpeg takes to decode a video, or its first part, to nothing.

    Args:
        path: The video.
        seconds: Length of the part; None for all.

    Returns:
        Seconds by the clock on the wall.
    """
    part = [] if seconds is None else ["-t", str(seconds)]
    command = ffmpeg_command("-threads", str(THREADS), *part, "-i", str(path))
    command += ["-map", "0:v:0", "-f", "null", "-"]
    return seconds_of(lambda: subprocess.run(command, check=True))


def read_once(
    name: str, video: Video, side: int, limit: float, libraries: Path | None
) -> dict[str, Any]:
    """Run one reader in a fresh process.

    Args:
        name: One of :data:`benchmarks._reader.READERS`.
        video: What to read.
        side: Width and height of the pictures; 0 for the video's own.
        limit: Seconds after which it is stopped.
        libraries: A folder to import from, too.

    Returns:
        What it printed, or ``{"note": ...}`` with why there is nothing.
    """
    numbers = ",".join(map(str, video.numbers))
    arguments = [name, str(video.path), numbers, str(side), str(video.period)]
    places = [str(Path(__file__).parents[1]), *([str(libraries)] if libraries else [])]
    try:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks._reader", *arguments],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(places)},
            capture_output=True,
            text=True,
            timeout=limit,
        )
    except subprocess.TimeoutExpired:
        return {"note": f"stopped after {limit:.0f} s"}
    if done.returncode:
        return {"note": f"failed: {done.stderr.strip().splitlines()[-1]}"}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    if "missing" in found:
        return {"note": f"not installed: {INSTALL.get(name, found['missing'])}"}
    return found


def measure(
    video: Video,
    sides: Sequence[int],
    runs: int,
    libraries: Path | None,
    readers: Sequence[str] = tuple(READERS),
) -> tuple[dict[str, Row], float]:
    """Let the readers take turns over one video, and FFmpeg with them.

    Args:
        video: What to read.
        sides: Sizes of the pictures; 0 for the video's own.
        runs: Runs that count.
        libraries: A folder to import from, too.
        readers: Names of those that take part.

    Returns:
        Rows by name, and the median seconds of one decode of all of the video.
    """
    length = video.num_frames / FPS
    part = min(length, DECODED_PART)
    is_long = part < length
    rows = {FFMPEG: Row()}
    if is_long:
        rows[FFMPEG].note = f"from the first {part:.0f} s, extrapolated"
    limit = float(MINUTE_LIMIT)
    for run in range(BURN_IN + runs):
        counts = run >= BURN_IN
        say(f"{video.title}: {f'run {run} of {runs}' if counts else 'burn-in'}")
        whole = decode_once(video.path, part) * length / part
        if counts:
            rows[FFMPEG].seconds.append(whole)
        if is_long:
            limit = PATIENCE * whole + 60
        for name, side in product(readers, sides):
            row = rows.setdefault(f"{name}, {_size_name(side)}", Row())
            once = name in ONCE or (is_long and name != "ours")
            # Stopped or missing: it will not be better next time.
            if row.note or (once and run != BURN_IN):
                continue
            say(f"  {name}, {_size_name(side)}: at most {limit:.0f} s ...")
            found = read_once(name, video, side, limit, libraries)
            row.note = found.get("note", "")
            say(f"  {name}, {_size_name(side)}: {_outcome(found)}")
            if counts and not row.note:
                row.add(found)
    return rows, median(rows[FFMPEG].seconds)


def _size_name(side: int) -> str:
    return f"{side}x{side}" if side else "native"


def _outcome(found: dict[str, Any]) -> str:
    return str(found["note"]) if "note" in found else f"{found['seconds']:.2f} s"


def report_on(video: Video, rows: dict[str, Row], decode: float) -> dict[str, Any]:
    """Print a video's table and give the same for the report."""
    lines = [line for name, row in rows.items() for line in row.lines(name, decode)]
    missing, why = NOT_MEASURED
    print(f"\n{video.title}: {NUM_FRAMES} pictures\n")
    print(
        table(HEADER, [*lines, [missing, *[None] * (len(HEADER) - 2), why]]), flush=True
    )
    return {
        "video": video.title,
        "rows": {name: row.as_json(decode) for name, row in rows.items()},
        "not_measured": {missing: why},
    }


def run_all(args: argparse.Namespace) -> dict[str, Any]:
    """Make the videos one by one, measure, remove them.

    Args:
        args: The command line.

    Returns:
        The report.
    """
    size = (1280, 720, 3000) if args.quick else (1920, 1080, 6000)
    pieces = {60: 10, 300: 10} if args.quick else {300: 60, 60: 60, 9000: 300}
    how = (args.runs, args.libraries, args.reader)
    videos: list[dict[str, Any]] = []
    for gop, seconds in pieces.items():
        if args.gop and gop not in args.gop:
            continue
        width, height, kilobits = size
        spec = SourceSpec(width, height, seconds, gop, kilobits)
        with tempfile.TemporaryDirectory(prefix="stablechat-benchmark-") as folder:
            piece = make_source(spec, Path(folder, "piece.mp4"))
            if not videos:
                video = Video(spec.title, piece, spec.num_frames, spec.num_frames)
                found = measure(video, (MODEL_SIDE, 0), *how)
                videos.append(report_on(video, *found))
                print(*_verdicts(*found), sep="\n")
            copies = round(args.hours * 3600 / seconds)
            if copies < 1:
                continue
            path = repeat_source(piece, copies, Path(folder, "long.mp4"))
            frames = copies * spec.num_frames
            title = f"{args.hours:g} h of {spec.title}, repeated"
            video = Video(title, path, frames, spec.num_frames)
            found = measure(video, (MODEL_SIDE,), *how)
            videos.append(report_on(video, *found))
    return {
        "what": _command(args),
        **machine(),
        "runs": args.runs,
        "burn_in": BURN_IN,
        "videos": videos,
    }


def _command(args: argparse.Namespace) -> str:
    """What was typed, without this machine's folders."""
    words = ["python", "-m", "benchmarks.video_sampling", "--runs", str(args.runs)]
    words += ["--hours", f"{args.hours:g}", *(["--quick"] if args.quick else [])]
    words += [word for gop in args.gop or () for word in ("--gop", str(gop))]
    if len(args.reader) < len(READERS):
        words += [word for name in args.reader for word in ("--reader", name)]
    return shlex.join(words)


def _verdicts(rows: dict[str, Row], decode: float) -> Iterator[str]:
    for name, row in rows.items():
        if not name.startswith("ours"):
            continue
        if not row.seconds:
            yield f"\n{name}: {row.note}"
            continue
        ratio = median(row.seconds) / decode
        word = "met" if ratio <= TARGET else "MISSED"
        told = f"first probe included: {ratio:.2f} x one decode"
        yield f"\n{name}, {told}; {TARGET}: {word}"


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--runs", type=int, help="that count; 5, or 1 if --quick")
    parser.add_argument("--hours", type=float, help="of the long videos; 1, or 0.05")
    parser.add_argument(
        "--gop",
        type=int,
        action="append",
        help="only videos with a key picture every so many: 300, 60 or 9000",
    )
    parser.add_argument(
        "--reader",
        choices=READERS,
        action="append",
        help="only these; all if not given",
    )
    parser.add_argument("--libraries", type=Path, help="folder with decord")
    parser.add_argument("--quick", action="store_true", help="small, to try it")
    parser.add_argument("--out", type=Path, help="JSON file; not kept if --quick")
    args = parser.parse_args()
    if args.runs is None:
        args.runs = 1 if args.quick else 5
    if args.hours is None:
        args.hours = 0.05 if args.quick else 1
    args.reader = args.reader or list(READERS)
    report = run_all(args)
    out = args.out or (None if args.quick else RESULTS / "video_sampling.json")
    if out is not None:
        write_report(report, out)


if __name__ == "__main__":
    run_main(main)
