"""What the benchmarks share: taking turns, medians, tables, the machine, the report."""

from __future__ import annotations

import json
import os
import platform
import signal
import statistics
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from types import FrameType
from typing import Any

RESULTS = Path(__file__).parent / "results"

#: Runs of each contender, at the start, that are not counted.
BURN_IN = 1
#: As many as the library gives the decoder, so that FFmpeg gets no fewer and no more.
THREADS = min(os.cpu_count() or 1, 16)

_PACKAGES = ("av", "numpy", "opencv-python-headless", "moviepy")


def say(text: str) -> None:
    """Tell the person who waits; on stderr, so that tables can be kept."""
    print(f"[{datetime.now():%H:%M:%S}] {text}", file=sys.stderr, flush=True)


def seconds_of(work: Callable[[], object]) -> float:
    """How long a call takes by the clock on the wall."""
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def take_turns(
    contenders: Mapping[str, Callable[[], object]], runs: int, burn_in: int = BURN_IN
) -> dict[str, list[float]]:
    """Time all of them in turn, so that a slow minute of the machine hits each.

    Args:
        contenders: Name -> what to time.
        runs: Runs of each that count.
        burn_in: Runs of each, before those, that don't.

    Returns:
        Name -> seconds of each run that counts.
    """
    found: dict[str, list[float]] = {name: [] for name in contenders}
    for run in range(burn_in + runs):
        for name, work in contenders.items():
            seconds = seconds_of(work)
            counts = run >= burn_in
            title = f"run {run - burn_in + 1}/{runs}" if counts else "burn-in"
            say(f"{name}, {title}: {seconds:.2f} s")
            if counts:
                found[name].append(seconds)
    return found


def median(values: Iterable[float]) -> float:
    """The middle one, to a tenth of a millisecond."""
    return round(statistics.median(values), 4)


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Columns as wide as their widest entry; numbers with a sensible precision.

    Args:
        header: Titles of the columns.
        rows: As many entries each.

    Returns:
        Lines of text.
    """
    lines = [list(header), *([_cell(value) for value in row] for row in rows)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    lines.insert(1, ["-" * width for width in widths])
    return "\n".join(
        "  ".join(
            cell.ljust(width) if column == 0 else cell.rjust(width)
            for column, (cell, width) in enumerate(zip(line, widths, strict=True))
        ).rstrip()
        for line in lines
    )


def _cell(value: object) -> str:
    if value is None:
        return "-"
    if isinstance(value, float):
        return f"{value:.2f}" if abs(value) < 100 else f"{value:.0f}"
    return str(value)


def machine() -> dict[str, Any]:
    """Where and with what the numbers were measured."""
    # Here, so that what reads no video can be measured where these are missing.
    import av
    import imageio_ffmpeg

    return {
        "date": datetime.now(timezone.utc).date().isoformat(),
        "machine": f"{processor()}, {os.cpu_count()} cores",
        "system": platform.platform(),
        "threads": THREADS,
        "versions": {
            "python": platform.python_version(),
            **{name: metadata.version(name) for name in _PACKAGES},
            "ffmpeg": imageio_ffmpeg.get_ffmpeg_version(),
            "libavcodec of av": ".".join(map(str, av.library_versions["libavcodec"])),
        },
    }


def processor() -> str:
    """The processor's name, as well as it is known."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = [line.split(":")[1].strip() for line in lines if "model name" in line]
    return names[0] if names else platform.machine()


def write_report(report: Mapping[str, Any], path: Path) -> None:
    """Keep the numbers as JSON; the folder is made if need be.

    Args:
        report: What was measured.
        path: Where to; an older one is replaced.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    say(f"written to {path}")


def run_main(work: Callable[[], None]) -> None:
    """Run a benchmark; Ctrl-C or a polite kill ends it with nothing left behind.

    Args:
        work: Removes what it made in its own ``with`` and ``finally`` blocks.
    """
    signal.signal(signal.SIGTERM, _interrupt)
    try:
        work()
    except KeyboardInterrupt:
        say("stopped; the temporary files are removed")
        sys.exit(130)


def _interrupt(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
