"""What the model takes in memory: FP16, 8 bits and 4 bits, from loading to the answer.

    python -m benchmarks.memory [--device cuda] [--small] [--out FILE.json]

Writes a checkpoint of random weights in the published layout (16 GB at full size) into
a temporary folder that is removed, and has a fresh process load it in each way by the
product's own loader, encode a video, read a prompt and write 64 tokens. Peaks are of
each phase by itself: on the device what PyTorch allocated and what it reserved, on the
machine the resident memory, in which pages of the mapped checkpoint count. Needs no
video library.
"""

from __future__ import annotations

import argparse
import json
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks._checkpoint import write_checkpoint
from benchmarks._devices import machine, synchronize
from benchmarks._timing import RESULTS, run_main, say, table, write_report
from stablechat.encoding import encode_frames
from stablechat.generation import generate
from stablechat.loader import LoadedModel, load_model
from stablechat.placement import choose_device
from stablechat.types import GenerationConfig

SCHEMES = ("none", "8bit", "4bit")
NEW_TOKENS = 64
_SIZE = (640, 360)  # of the frames, width and height
_GIB = 2**30
_PROMPT = "When does it happen, and where is it in each frame?"
_STATUS = Path("/proc/self/status")
_CLEAR = Path("/proc/self/clear_refs")


class Phases:
    """Peaks and seconds of one phase after the other.

    Args:
        device: Where the model is.
    """

    def __init__(self, device: torch.device) -> None:
        self.device = device
        self.found: dict[str, dict[str, float]] = {}
        self._name = ""
        self._started = 0.0

    def begin(self, name: str) -> None:
        """A phase begins, and the one before it ends."""
        self.end()
        self._name = name
        if self.device.type == "cuda":
            torch.cuda.reset_peak_memory_stats(self.device)
        _forget_resident_peak()
        self._started = time.perf_counter()

    def end(self) -> None:
        """The phase ends."""
        if not self._name:
            return
        synchronize(self.device)
        found = {"seconds": round(time.perf_counter() - self._started, 3)}
        if self.device.type == "cuda":
            peaks = {
                "device_peak_gib": torch.cuda.max_memory_allocated(self.device),
                "device_reserved_gib": torch.cuda.max_memory_reserved(self.device),
                "device_left_gib": torch.cuda.memory_allocated(self.device),
            }
            found |= {name: round(size / _GIB, 3) for name, size in peaks.items()}
        resident = {"host_peak_gib": "VmHWM", "host_left_gib": "VmRSS"}
        found |= {name: _resident_gib(field) for name, field in resident.items()}
        self.found[self._name] = found
        self._name = ""


def _resident_gib(field: str) -> float:
    """A field of this process's status; 0 where the system does not say."""
    try:
        found = re.search(rf"{field}:\s+(\d+) kB", _STATUS.read_text())
    except OSError:
        return 0.0
    return round(int(found[1]) * 1024 / _GIB, 3) if found else 0.0


def _forget_resident_peak() -> None:
    try:
        _CLEAR.write_text("5")
    except OSError:  # then the peak is that of all phases so far
        return


def measure(folder: Path, device: torch.device, scheme: str) -> dict[str, Any]:
    """Load, encode and answer once in this process.

    Returns:
        The phases, and what was loaded.
    """
    phases = Phases(device)
    phases.begin("start")
    torch.zeros(1, device=device)  # the device's own context
    phases.begin("load")
    quantization = None if scheme == "none" else scheme
    loaded = load_model(folder, device, quantization=quantization)
    phases.begin("encode")
    visual = _encode(loaded)
    prompt_tokens, tokens = _answer(loaded, visual, phases)
    phases.end()
    decode_seconds = phases.found["decode"]["seconds"]
    return {
        "quantization": loaded.quantization,
        "dtype": str(loaded.dtype).removeprefix("torch."),
        "prompt_tokens": prompt_tokens,
        "new_tokens": tokens,
        "tokens_per_second": round((tokens - 1) / decode_seconds, 2),
        "phases": phases.found,
    }


def _encode(loaded: LoadedModel) -> torch.Tensor:
    width, height = _SIZE
    shape = (loaded.model.config.num_frames, height, width, 3)
    frames = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    return encode_frames(
        loaded.model,
        frames,
        on_progress=lambda share: None,
        cancelled=lambda: False,
    )


def _answer(
    loaded: LoadedModel, visual: torch.Tensor, phases: Phases
) -> tuple[int, int]:
    prompt = loaded.tokenizer.encode_prompt(_PROMPT)
    phases.begin("prefill")
    with torch.inference_mode():
        embedded = loaded.model.embed_prompt(prompt, visual)

    def on_token(token: int, count: int) -> None:
        if count == 1:
            phases.begin("decode")

    answer = generate(
        loaded.model,
        loaded.tokenizer,
        embedded,
        GenerationConfig(max_new_tokens=NEW_TOKENS),
        end_token_ids=(),
        on_token=on_token,
    )
    return len(prompt.input_ids), len(answer.token_ids)


def measure_apart(folder: Path, device: torch.device, scheme: str) -> dict[str, Any]:
    """The same in a fresh process; says why where that fails."""
    command = [sys.executable, "-m", "benchmarks.memory", "--measure", scheme]
    command += ["--checkpoint", str(folder), "--device", str(device)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        reason = (done.stderr.strip() or "no message").splitlines()[-1]
        say(f"{scheme}: {reason}")
        return {"error": reason}
    found: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
    return found


@contextmanager
def _checkpoint(
    given: Path | None, parent: Path | None, device: torch.device, small: bool
) -> Iterator[Path]:
    """The checkpoint to load: one that is there, or a temporary one."""
    if given is not None:
        yield given
        return
    with tempfile.TemporaryDirectory(dir=parent, prefix="checkpoint-") as name:
        folder = Path(name)
        started = time.perf_counter()
        size = write_checkpoint(folder, device, small=small)
        seconds = time.perf_counter() - started
        say(f"wrote {size / _GIB:.2f} GiB of weights in {seconds:.0f} s")
        if device.type == "cuda":
            torch.cuda.empty_cache()
        yield folder


def report_of(args: argparse.Namespace, device: torch.device) -> dict[str, Any]:
    """Measure every way of loading."""
    small = args.small or (device.type == "cpu" and not args.full)
    found = {}
    with _checkpoint(args.checkpoint, args.folder, device, small) as folder:
        for scheme in args.schemes:
            say(f"measuring {scheme}")
            found[scheme] = measure_apart(folder, device, scheme)
    name = (
        "given"
        if args.checkpoint
        else "small, random"
        if small
        else "full size, random"
    )
    return {**machine(device), "model": name, "schemes": found}


def _rows(report: dict[str, Any]) -> list[list[object]]:
    rows = []
    for scheme, found in report["schemes"].items():
        for phase, numbers in found.get("phases", {}).items():
            values = (numbers.get(f"{n}_peak_gib") for n in ("device", "host"))
            rows.append([f"{scheme}, {phase}", numbers["seconds"], *values])
    return rows


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", help="default: the best there is")
    parser.add_argument("--schemes", nargs="+", choices=SCHEMES, default=SCHEMES)
    parser.add_argument("--small", action="store_true", help="default on the CPU")
    parser.add_argument("--full", action="store_true", help="full size on the CPU too")
    parser.add_argument("--folder", type=Path, help="for the temporary checkpoint")
    parser.add_argument("--checkpoint", type=Path, help="measure this one instead")
    parser.add_argument("--measure", choices=SCHEMES, help=argparse.SUPPRESS)
    parser.add_argument("--out", type=Path, help="default: benchmarks/results/")
    return parser.parse_args()


def main() -> None:
    """Entry point."""
    args = _arguments()
    device = choose_device(args.device)
    if args.measure:
        print(json.dumps(measure(args.checkpoint, device, args.measure)))
        return
    report = report_of(args, device)
    print(table(["", "s", "device GiB", "host GiB"], _rows(report)))
    write_report(report, args.out or RESULTS / f"memory-{device.type}.json")


if __name__ == "__main__":
    run_main(main)
