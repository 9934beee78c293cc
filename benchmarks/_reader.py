"""One reader of videos, timed in a process of its own.

    python -m benchmarks._reader NAME VIDEO NUMBERS SIDE PERIOD

Takes the pictures with the given numbers (joined by commas), scaled to SIDE x SIDE
(0: not scaled), and prints as JSON how long it took and how many pictures are the
right ones: picture ``k`` has to say ``k % PERIOD``. Importing is not counted.
"""

from __future__ import annotations

import importlib
import json
import resource
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from benchmarks._sources import read_number
from stablechat.types import FrameArray
from stablechat.video import probe, sample_frames

Stages = dict[str, float]


@dataclass(frozen=True)
class Order:
    """What is wanted of a reader.

    Attributes:
        path: The video.
        numbers: Of the pictures, increasing.
        side: Width and height to scale to; 0 for the video's own size.
    """

    path: str
    numbers: list[int]
    side: int

    @property
    def size(self) -> tuple[int, int] | None:
        """Width and height, None for the video's own."""
        return (self.side, self.side) if self.side else None


Take = Callable[[Order], tuple[FrameArray, Stages]]


def ours() -> Take:
    """Probe, probe again, then sample; our numbers are checked too."""

    def take(order: Order) -> tuple[FrameArray, Stages]:
        started = time.perf_counter()
        info = probe(order.path)
        probed = time.perf_counter()
        probe(order.path)
        again = time.perf_counter()
        sample = sample_frames(info, len(order.numbers), size=order.size)
        stages = {
            "probe": probed - started,
            "probe again": again - probed,
            "sample": time.perf_counter() - again,
        }
        if sample.indices.tolist() != order.numbers:
            raise RuntimeError(f"{info.num_frames} pictures: other ones are sampled")
        return sample.frames, stages

    return take


def decord() -> Take:
    """All pictures in one batch, scaled as they are decoded."""
    library = importlib.import_module(sys.argv[1])

    def take(order: Order) -> tuple[FrameArray, Stages]:
        width, height = order.size or (-1, -1)
        reader = library.VideoReader(order.path, width=width, height=height)
        return np.asarray(reader.get_batch(order.numbers).asnumpy()), {}

    return take


def opencv_seek() -> Take:
    """A seek by number for each picture."""

    def pictures(order: Order) -> Iterator[FrameArray]:
        capture = cv2.VideoCapture(order.path, cv2.CAP_FFMPEG)
        for number in order.numbers:
            capture.set(cv2.CAP_PROP_POS_FRAMES, number)
            yield _read(capture.read(), order)

    return lambda order: (_gathered(pictures(order), order), {})


def opencv_read() -> Take:
    """Every picture grabbed, the wanted ones fetched."""

    def pictures(order: Order) -> Iterator[FrameArray]:
        capture = cv2.VideoCapture(order.path, cv2.CAP_FFMPEG)
        wanted = set(order.numbers)
        for number in range(order.numbers[-1] + 1):
            capture.grab()
            if number in wanted:
                yield _read(capture.retrieve(), order)

    return lambda order: (_gathered(pictures(order), order), {})


def _read(found: tuple[bool, Any], order: Order) -> FrameArray:
    succeeded, picture = found
    if not succeeded:
        raise RuntimeError("OpenCV gives no picture")
    if order.size:
        picture = cv2.resize(picture, order.size, interpolation=cv2.INTER_CUBIC)
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)


def _gathered(pictures: Iterator[FrameArray], order: Order) -> FrameArray:
    """In one array that is made once, as ours is."""
    first = next(pictures)
    gathered = np.empty((len(order.numbers), *first.shape), np.uint8)
    gathered[0] = first
    for row, picture in enumerate(pictures, start=1):
        gathered[row] = picture
    return gathered


#: Name -> imports the library and gives what is timed.
READERS: dict[str, Callable[[], Take]] = {
    "ours": ours,
    "decord": decord,
    "opencv seek": opencv_seek,
    "opencv read": opencv_read,
}


def peak_mebibytes() -> dict[str, int]:
    """Most memory held so far: of this process, and of the largest of its children."""
    own = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    # A fresh process starts with its parent's peak in getrusage, not in status.
    own = _high_water(Path("/proc/self")) or own
    ended = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    living = [_high_water(child) for child in _living_children(Path("/proc/self"))]
    return {"self": own, "child": max([ended, *living])}


def _living_children(process: Path) -> Iterator[Path]:
    for listed in process.glob("task/*/children"):
        for pid in listed.read_text().split():
            child = Path("/proc", pid)
            yield child
            yield from _living_children(child)


def _high_water(process: Path) -> int:
    try:
        lines = (process / "status").read_text().splitlines()
    except OSError:  # not Linux, or it has just ended
        return 0
    return sum(int(line.split()[1]) // 1024 for line in lines if "VmHWM" in line)


def main() -> None:
    """Entry point."""
    name, path, numbers, side, period = sys.argv[1:]
    order = Order(path, [int(number) for number in numbers.split(",")], int(side))
    try:
        take = READERS[name]()
    except ImportError as error:
        print(json.dumps({"missing": str(error)}))
        return
    started = time.perf_counter()
    frames, stages = take(order)
    seconds = time.perf_counter() - started
    frames.max()  # memory that a child filled counts once it was looked at
    memory = peak_mebibytes()
    said = [read_number(frame) for frame in frames]
    right = [s == k % int(period) for s, k in zip(said, order.numbers, strict=True)]
    report = {"seconds": seconds, "stages": stages, "memory": memory}
    print(json.dumps({**report, "right": sum(right)}))


if __name__ == "__main__":
    main()
