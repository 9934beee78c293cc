"""Timing work on a device: events there, the clock on the wall here, and the machine.

Needs no video library, so that it runs where only the model can.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable
from datetime import datetime, timezone
from importlib import metadata
from pathlib import Path
from typing import Any

import torch

from benchmarks._timing import processor

_ROOT = Path(__file__).parents[1]
_PACKAGES = (
    *("torch", "transformers", "accelerate", "numpy", "pillow"),
    *("bitsandbytes", "flash-attn"),
)


def synchronize(device: torch.device) -> None:
    """Wait until a device has done all that it was told."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def measure(
    work: Callable[[], object], device: torch.device, runs: int, burn_in: int = 2
) -> dict[str, float]:
    """Time a call, alone on its device.

    Args:
        work: What to time.
        device: Where it works.
        runs: Runs that count.
        burn_in: Runs before those.

    Returns:
        Medians: ``wall_ms`` from the call until the device is done, and on CUDA
        ``device_ms`` between events around what the call queued.
    """
    wall: list[float] = []
    queued: list[float] = []
    for run in range(burn_in + runs):
        synchronize(device)
        events = _events(device)
        started = time.perf_counter()
        if events:
            events[0].record()
        work()
        if events:
            events[1].record()
        synchronize(device)
        if run >= burn_in:
            wall.append(1e3 * (time.perf_counter() - started))
            if events:
                queued.append(events[0].elapsed_time(events[1]))
    found = {"wall_ms": round(statistics.median(wall), 3)}
    if queued:
        found["device_ms"] = round(statistics.median(queued), 3)
    return found


def _events(device: torch.device) -> list[Any]:
    if device.type != "cuda":
        return []
    return [torch.cuda.Event(enable_timing=True) for _ in range(2)]


def machine(device: torch.device) -> dict[str, Any]:
    """Where, with what and at which commit the numbers were measured."""
    return {
        "date": datetime.now(timezone.utc).date().isoformat(),
        "commit": _commit(),
        "machine": f"{processor()}, {os.cpu_count()} cores",
        "device": _name(device),
        "system": platform.platform(),
        "threads": torch.get_num_threads(),
        "versions": {
            "python": platform.python_version(),
            "cuda": torch.version.cuda,
            **{name: version for name in _PACKAGES if (version := _version(name))},
        },
    }


def _name(device: torch.device) -> str:
    if device.type == "cuda":
        return str(torch.cuda.get_device_name(device))
    return device.type


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _commit() -> str | None:
    """The commit of this tree; None where it is no git checkout."""
    command = ["git", "-c", "safe.directory=*", "describe", "--always", "--dirty"]
    try:
        done = subprocess.run(command, cwd=_ROOT, capture_output=True, text=True)
    except OSError:
        return None
    return done.stdout.strip() or None
