"""How a result file was made: written beside it, read by reports.

``ROWS.jsonl`` has ``ROWS.run.json``: the benchmark, the model, the decoding, versions
and hardware. A run that goes on must agree with it in all that could change an answer.
"""

from __future__ import annotations

import importlib.metadata
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from evaluation.datasets.values import read_object
from render.exports import write_json
from stablechat import __version__
from stablechat.errors import InputError
from stablechat.fingerprint import digest_of

Info = dict[str, Any]

#: What two parts of one result file must have in common, and what to call it.
_MUST_AGREE = {
    "dataset": "benchmark",
    "task": "task",
    "annotations_sha256": "content of the annotation file",
    "revision": "revision of the model",
    "model_sha256": "content of the model's folder",
    "dtype": "number type",
    "decoding": "decoding",
    # More of the same rows may be asked, so there is no --limit here.
    "subset": "--subset",
    "seed": "--seed",
}

_LIBRARIES = ("torch", "transformers", "numpy", "av")
_NVIDIA_SECONDS = 20.0


def info_path(rows: Path) -> Path:
    """Where the facts about a result file are."""
    return rows.with_name(f"{rows.stem}.run.json")


def read_info(rows: Path) -> Info | None:
    """The facts about a result file; None where it came without.

    Raises:
        InputError: They can't be read.
    """
    path = info_path(rows)
    return read_object(path) if path.exists() else None


def write_info(rows: Path, info: Mapping[str, Any]) -> None:
    """Write the facts about a result file.

    Raises:
        RenderError: They can't be written.
    """
    rows.parent.mkdir(parents=True, exist_ok=True)
    write_json(info_path(rows), info)


def check_agreement(rows: Path, info: Mapping[str, Any]) -> None:
    """Refuse to go on with a result file that was made in another way.

    Args:
        rows: The result file; nothing is checked where no facts are beside it.
        info: The facts of this run.

    Raises:
        InputError: They differ.
    """
    old = read_info(rows)
    if old is None or not rows.exists():
        return
    for key, name in _MUST_AGREE.items():
        if key not in old or key not in info:
            continue  # not written down by earlier versions, or not known yet
        before, now = _differing(old[key], info[key])
        if before != now:
            raise InputError(
                f"{rows} was made with another {name} ({_told(before)}, now "
                f"{_told(now)}); choose another --out."
            )


def _differing(old: Any, new: Any) -> tuple[Any, Any]:
    """Two values, without what is the same in both or known to one only."""
    if not isinstance(old, Mapping) or not isinstance(new, Mapping):
        return old, new
    differing = [key for key in old if key in new and old[key] != new[key]]
    return tuple({key: d[key] for key in differing} for d in (old, new))  # type: ignore[return-value]


def _told(value: Any) -> str:
    return "none" if value is None else str(value)


def digest(path: Path) -> str:
    """SHA-256 of a file's content.

    Raises:
        InputError: It can't be read.
    """
    try:
        return digest_of(path)
    except OSError as error:
        reason = error.strerror or error
        raise InputError(f"{path} can't be read ({reason}).") from error


def now() -> str:
    """The time, to the second."""
    return datetime.now(timezone.utc).isoformat(timespec="seconds")


def versions() -> dict[str, str]:
    """Versions of what an answer depends on."""
    found = {"stablechat": __version__, "python": platform.python_version()}
    for name in _LIBRARIES:
        found[name] = importlib.metadata.version(name)
    return found


def hardware(device: str) -> dict[str, Any]:
    """What a run is made on.

    Args:
        device: Where the model is.
    """
    facts: dict[str, Any] = {
        "device": device,
        "processor": _processor(),
        "cores": os.cpu_count(),
        "system": f"{platform.system()} {platform.machine()}",
    }
    if device.startswith("cuda"):
        facts["cards"] = _cards()
    return facts


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2] for line in lines if line.startswith("model name")]
    return names[0].strip() if names else platform.machine()


def _cards() -> Sequence[str]:
    command = ["nvidia-smi", "--query-gpu=name", "--format=csv,noheader"]
    try:
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=_NVIDIA_SECONDS, check=True
        )
    except (OSError, subprocess.SubprocessError):
        return ["unknown"]
    return done.stdout.split("\n")[:-1]
