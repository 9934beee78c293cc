"""A model that FSDP spreads over processes: its checkpoints, and asking it.

What ``training.finetune`` does under FSDP, without videos and without a tokenizer.
"""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.utils import load_fsdp_optimizer, save_fsdp_optimizer
from safetensors.torch import load_file, save_file
from torch import nn

from training.finetune.parts import trained_tensors
from training.finetune.sharding import (
    copy_whole,
    gather_whole,
    kept_whole,
    set_up_fsdp,
)

_STATE_FILE = "trained.safetensors"
_ASKED_TOKENS = 64


def is_asked_for() -> bool:
    """Whether ``accelerate launch`` was told to use FSDP."""
    return os.environ.get("ACCELERATE_USE_FSDP", "").lower() == "true"


class Spread:
    """A model and its optimizer under FSDP, as the trainer sets them up.

    Args:
        model: Whole, on this process's device.
        optimizer: Of its parameters.
        device: This process's.
    """

    def __init__(
        self, model: nn.Module, optimizer: torch.optim.Optimizer, device: torch.device
    ) -> None:
        precision = "bf16" if device.type == "cuda" else "no"
        self._accelerator = Accelerator(
            mixed_precision=precision, cpu=device.type == "cpu"
        )
        self._plugin = self._accelerator.state.fsdp_plugin
        set_up_fsdp(self._plugin)
        prepared: Any = self._accelerator.prepare(model, optimizer)
        self.model, self.optimizer = prepared

    def check(self) -> dict[str, float]:
        """Save, spoil, load, and compare; then let each process ask by itself.

        Returns:
            How long it took.

        Raises:
            RuntimeError: What was loaded is not what was saved.
        """
        with tempfile.TemporaryDirectory() as name:
            folder = Path(self._shared(name))
            marks = [time.perf_counter()]
            before, moments = self._gathered(), self._moments()
            self._save(folder)
            marks.append(time.perf_counter())
            self._spoil()
            self._load(folder)
            marks.append(time.perf_counter())
            self._compare(before, self._gathered())
            self._compare(moments, self._moments())
            self._accelerator.wait_for_everyone()
        marks.append(time.perf_counter())
        self._ask()
        marks.append(time.perf_counter())
        return {
            "seconds_to_save": round(marks[1] - marks[0], 2),
            "seconds_to_load": round(marks[2] - marks[1], 2),
            "seconds_to_ask": round(marks[4] - marks[3], 2),
        }

    def _spoil(self) -> None:
        for place in self._trained().values():
            place.zero_()
        for state in self.optimizer.state.values():
            state["exp_avg"].zero_()

    def _compare(
        self, before: Mapping[str, torch.Tensor], after: Mapping[str, torch.Tensor]
    ) -> None:
        for name, value in before.items():
            if not torch.equal(value, after[name]):
                raise RuntimeError(f"{name} was not loaded as it was saved.")

    def _shared(self, name: str) -> str:
        """The first process's folder, in all of them."""
        names = [name]
        torch.distributed.broadcast_object_list(names, src=0)
        return names[0]

    def _trained(self) -> dict[str, torch.Tensor]:
        return trained_tensors(self.model.llava)

    def _gathered(self) -> dict[str, torch.Tensor]:
        is_first = self._accelerator.is_main_process
        return gather_whole(self._trained().items(), keep=is_first)

    def _moments(self) -> dict[str, torch.Tensor]:
        """A copy of this process's share of what AdamW remembers."""
        states = enumerate(self.optimizer.state.values())
        return {
            f"moment {number}": state["exp_avg"].to_local().cpu().clone()
            for number, state in states
        }

    def _save(self, folder: Path) -> None:
        whole = self._gathered()
        if self._accelerator.is_main_process:
            save_file(
                {name: value.contiguous() for name, value in whole.items()},
                folder / _STATE_FILE,
            )
        save_fsdp_optimizer(
            self._plugin, self._accelerator, self.optimizer, self.model, str(folder)
        )
        self._accelerator.wait_for_everyone()

    def _load(self, folder: Path) -> None:
        saved = load_file(folder / _STATE_FILE)
        for name, place in self._trained().items():
            copy_whole(place, saved[name])
        load_fsdp_optimizer(
            self._plugin, self._accelerator, self.optimizer, self.model, str(folder)
        )

    def _ask(self) -> None:
        """Passes whose number differs from process to process."""
        reshard = bool(self._plugin.reshard_after_forward)
        with kept_whole(self.model, reshard_after_forward=reshard):
            language = self.model.llava.language_model.model
            ids = torch.arange(_ASKED_TOKENS, device=self._accelerator.device)[None]
            with torch.inference_mode():
                for _ in range(1 + self._accelerator.process_index):
                    language(input_ids=ids)
        self._accelerator.wait_for_everyone()
