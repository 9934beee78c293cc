"""How long a video takes from frames to visual tokens, stage by stage.

    python -m benchmarks.encoding [--device cuda] [--size 640x360] [--out FILE.json]

On CUDA with the full-size model and random weights in FP16, on the CPU with the demo
model. Each number is a median after burn-in, for all frames of a video, of the time
between events on the device (device_ms) and of the time on the wall (wall_ms). The
baseline is what an earlier version did: PIL, ten frames a step, eager attention, and
all patch features packed at once. Needs no video library.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks._devices import machine, measure, synchronize
from benchmarks._full_size import build_full_size
from benchmarks._timing import RESULTS, run_main, say, table, write_report
from stablechat.encoding import encode_frames, frames_per_step
from stablechat.loader import load_model
from stablechat.model import modeling
from stablechat.model.modeling import LlavaST
from stablechat.model.preprocess import (
    Preprocessing,
    preprocess,
    preprocess_on_device,
)
from stablechat.placement import choose_device
from stablechat.types import FrameArray

#: What issue-sized promises are about, in milliseconds for 100 frames on an H200.
TARGET_MS, FLOOR_MS = 150.0, 85.0
_BASELINE_STEP = 10
_SLOW_RUNS = 3
_STEPS = {"cuda": (10, 20, 25, 50, 100), "cpu": (10, 20)}


class Bench:
    """Measures one model, and keeps what it found.

    Args:
        model: The whole model.
        runs: Runs of each stage that count.
        seed: Of the frames.
    """

    def __init__(self, model: LlavaST, runs: int, seed: int = 0) -> None:
        self.model = model
        self.device = model.device
        self.runs = runs
        self.found: dict[str, dict[str, float]] = {}
        self._random = np.random.default_rng(seed)
        side, self.count = model.config.image_size, model.config.num_frames
        generator = torch.Generator(self.device).manual_seed(seed)
        pixels = torch.empty(self.count, 3, side, side, device=self.device)
        pixels.uniform_(-1, 1, generator=generator)
        self.pixels = pixels.to(model.dtype)

    def frames(self, width: int, height: int) -> FrameArray:
        """A video's frames, noise, as a reader hands them over."""
        shape = (self.count, height, width, 3)
        return self._random.integers(0, 256, shape, np.uint8)

    @torch.inference_mode()
    def add(self, name: str, work: Callable[[], object], *, slow: bool = False) -> None:
        """Time a stage under a name; a slow one less often."""
        runs = min(self.runs, _SLOW_RUNS) if slow else self.runs
        self.found[name] = measure(work, self.device, runs)
        say(f"{name}: {self.found[name]}")

    def steps(self, size: int) -> Iterator[tuple[int, torch.Tensor]]:
        """The tower's pictures, some at a time."""
        yield from ((i, self.pixels[i : i + size]) for i in range(0, self.count, size))

    # -- stages ----------------------------------------------------------------------

    def preprocessing(self, size: tuple[int, int]) -> None:
        """PIL and what follows it to the device; PyTorch on the device."""
        frames, side = self.frames(*size), self.model.config.image_size
        title = "{}x{}".format(*size)

        def exact() -> None:
            preprocess(frames, side).to(self.device)

        def device() -> None:
            for start in range(0, self.count, _BASELINE_STEP):
                few = torch.from_numpy(frames[start : start + _BASELINE_STEP])
                preprocess_on_device(few.to(self.device), side)

        self.add(f"preprocess exact, {title}", exact, slow=True)
        self.add(f"preprocess device, {title}", device)

    def tower(self, name: str, size: int) -> None:
        """All frames through the tower, some at a time."""

        def work() -> None:
            for _, pixels in self.steps(size):
                self.model.tower_features(pixels)

        self.add(f"tower {name}, {size} a step", work)

    def packing(self, size: int) -> None:
        """From the tower's features to visual tokens: in steps, and all at once."""
        tokens, width = self.model.config.grid**2, self.model.config.vision.hidden_size
        features = self.pixels.new_empty(self.count, tokens, int(width)).normal_()

        def in_steps() -> None:
            parts = [
                self.model.pack_frames(features[i : i + size], i)
                for i in range(0, self.count, size)
            ]
            self.model.pack_time(torch.cat(parts))

        self.add(f"projector, positions and packer, {size} a step", in_steps)
        self.add(
            "projector, positions and packer, at once",
            lambda: self.model.pack_video(features),
        )

    def whole(
        self, name: str, size: tuple[int, int], preprocessing: Preprocessing
    ) -> None:
        """``encode_frames``, as the product calls it."""
        frames = self.frames(*size)

        def work() -> None:
            encode_frames(
                self.model,
                frames,
                on_progress=lambda share: None,
                cancelled=lambda: False,
                preprocessing=preprocessing,
            )

        title = "encode {}, {}, {}x{}".format(name, preprocessing, *size)
        self.add(title, work, slow=preprocessing == "exact")

    def baseline(self, size: tuple[int, int]) -> None:
        """What an earlier version did with a video."""
        frames, side = self.frames(*size), self.model.config.image_size

        def work() -> None:
            features = []
            for start in range(0, self.count, _BASELINE_STEP):
                few = frames[start : start + _BASELINE_STEP]
                pixels = preprocess(few, side).to(self.device)
                features.append(self.model.tower_features(pixels))
            self.model.pack_video(torch.cat(features))

        with attention(self.model, "eager"):
            self.add("encode baseline, {}x{}".format(*size), work, slow=True)


@contextmanager
def attention(model: LlavaST, name: str) -> Iterator[None]:
    """Another attention in the tower for a while."""
    config = model.config.vision
    before, config._attn_implementation = config._attn_implementation, name
    try:
        yield
    finally:
        config._attn_implementation = before


@contextmanager
def modules_only() -> Iterator[None]:
    """The tower as transformers runs it for a while."""
    before = modeling.fast_tower_for
    modeling.fast_tower_for = lambda tower: None
    try:
        yield
    finally:
        modeling.fast_tower_for = before


def compiled(bench: Bench, step: int) -> float:
    """transformers' tower with its layers compiled; returns the seconds it took."""
    for layer in bench.model.vision_tower.encoder.layers:
        layer.compile(dynamic=False)
    started = time.perf_counter()
    with torch.inference_mode(), modules_only():
        bench.model.tower_features(bench.pixels[:step])
        synchronize(bench.device)
    seconds = time.perf_counter() - started
    say(f"compiling: {seconds:.1f} s")
    with modules_only():
        bench.tower("transformers, compiled", step)
    return seconds


def run(
    bench: Bench, sizes: list[tuple[int, int]], compile_tower: bool
) -> dict[str, Any]:
    """All stages; returns the report's numbers."""
    kind = bench.device.type
    product_step = frames_per_step(bench.model, 3 * sizes[0][0] * sizes[0][1])
    for step in _STEPS[kind]:
        bench.tower("ours", step)
    for size in sizes:
        bench.whole("ours", size, "device")
    bench.packing(product_step)
    with modules_only():
        bench.tower("transformers", product_step)
    for size in sizes:
        bench.preprocessing(size)
        bench.baseline(size)
        bench.whole("ours", size, "exact")
    report: dict[str, Any] = {"frames_per_step": product_step}
    if compile_tower:
        report["compile_seconds"] = round(compiled(bench, product_step), 1)
    return {**report, "stages": bench.found}


def build(device: torch.device, seed: int) -> tuple[LlavaST, str]:
    """The model to measure on a device, and what to call it."""
    if device.type == "cuda":
        return build_full_size(device, torch.float16, seed=seed), "full size, random"
    return load_model(None, device).model, "demo"


def read_size(text: str) -> tuple[int, int]:
    """``"640x360"`` as numbers."""
    width, _, height = text.partition("x")
    return int(width), int(height)


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", help="default: the best there is")
    parser.add_argument("--size", type=read_size, action="append", metavar="WxH")
    parser.add_argument("--runs", type=int, default=10)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument(
        "--compile",
        action="store_true",
        help="compile transformers' tower, too, which takes a minute",
    )
    parser.add_argument("--out", type=Path, help="default: benchmarks/results/")
    args = parser.parse_args()
    device = choose_device(args.device)
    sizes = args.size or [(640, 360), (1920, 1080)][: 2 if device.type == "cuda" else 1]
    say(f"building the model on {device}")
    model, name = build(device, args.seed)
    report = {
        **machine(device),
        "model": name,
        "dtype": str(model.dtype).removeprefix("torch."),
        "attention": model.config.vision._attn_implementation,
        "frames": model.config.num_frames,
        "runs": args.runs,
        "target_ms": TARGET_MS,
        "floor_ms": FLOOR_MS,
        **run(Bench(model, args.runs, args.seed), sizes, args.compile),
    }
    rows = [
        [stage, found.get("device_ms"), found["wall_ms"]]
        for stage, found in report["stages"].items()
    ]
    print(table(["stage", "device ms", "wall ms"], rows))
    write_report(report, args.out or RESULTS / f"encoding-{device.type}.json")


if __name__ == "__main__":
    run_main(main)
