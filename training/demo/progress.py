"""The log of a training run."""

from __future__ import annotations

import json
import math
import time
from pathlib import Path

from torch import Tensor

_LOG_SECONDS = 10.0


class Log:
    """Running means, written as JSON lines every few seconds."""

    def __init__(self, folder: Path, rank: int) -> None:
        self._path = folder / "log.jsonl"
        self._rank = rank
        self._sums: dict[str, Tensor] = {}
        self._count = 0
        self._since = time.monotonic()
        folder.mkdir(parents=True, exist_ok=True)

    def add(self, found: dict[str, Tensor]) -> None:
        """Take in one step."""
        if self._sums.keys() != found.keys():
            self._sums, self._count = {}, 0
        for key, value in found.items():
            self._sums[key] = self._sums.get(key, 0) + value.detach().float()
        self._count += 1

    def maybe_write(
        self,
        step: int,
        trained: float,
        stage: str,
        rate: float,
        total: Tensor,
        force: bool,
    ) -> None:
        """Write a line if it is time."""
        waited = time.monotonic() - self._since
        if waited < _LOG_SECONDS and not force:
            return
        if not math.isfinite(float(total.detach())):
            raise FloatingPointError(
                f"The loss is {float(total.detach())} at step {step}."
            )
        means = {
            key.lstrip("~"): round(float(value) / self._count, 4)
            for key, value in self._sums.items()
        }
        line = {
            "step": step,
            "seconds": round(trained, 1),
            "stage": stage,
            "step_seconds": round(waited / self._count, 4),
            "lr": round(rate, 7),
            **means,
        }
        if self._rank == 0:
            with self._path.open("a") as file:
                file.write(json.dumps(line) + "\n")
            print(json.dumps(line), flush=True)
        self._sums, self._count, self._since = {}, 0, time.monotonic()
