"""Our metrics while a model is trained."""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import torch
from torch import distributed

from evaluation.asking import BenchmarkChat
from evaluation.datasets.st_align import load_samples
from evaluation.processes import ALONE, LONGEST_WAIT, Processes, part_files
from evaluation.protocols import score
from evaluation.row_file import RowFile
from evaluation.rows import read_result_rows
from evaluation.runner import run
from stablechat.loader import LoadedModel
from stablechat.types import GenerationConfig
from training.finetune.settings import Settings

#: Whose every row counts.
_PROTOCOL = "strict"
_FOLDER = "evaluation"


@dataclass(frozen=True)
class TrainingProcesses(Processes):
    """The processes of a training, which ask a share of the questions each.

    Attributes:
        group: Through which they wait for each other. Not the one that gradients go
            through: a card that waits there gives up after some minutes.
    """

    group: distributed.ProcessGroup | None = None

    def wait_for_all(self) -> None:
        """Go on when every process has come here, however long that takes."""
        distributed.barrier(self.group)

    def share(self, value: Any) -> Any:
        """The first process's value, in all of them."""
        values = [value]
        distributed.broadcast_object_list(values, src=0, group=self.group)
        return values[0]


def training_processes() -> Processes:
    """Of this training; every process must ask for them at the same time."""
    if not distributed.is_initialized() or distributed.get_world_size() == 1:
        return ALONE
    group = distributed.new_group(timeout=LONGEST_WAIT, backend="gloo")
    rank, count = distributed.get_rank(), distributed.get_world_size()
    return TrainingProcesses(rank, count, group=group)


class Evaluation:
    """Asks the model its questions.

    Args:
        loaded: The model that is trained.
        settings: Say what is asked.

    Attributes:
        samples: The questions.

    Raises:
        InputError: The annotations can't be used.
    """

    def __init__(self, loaded: LoadedModel, settings: Settings) -> None:
        assert settings.eval_rows is not None and settings.eval_videos is not None
        every = load_samples(settings.eval_rows, "stvg")
        self.samples = list(islice(every, settings.eval_limit))
        self._videos = settings.eval_videos
        self._folder = settings.out / _FOLDER
        self._loaded = loaded
        self._processes: Processes | None = None

    def measure(self, step: int) -> dict[str, Any]:
        """Ask every question; the first process writes answers and metrics down.

        Args:
            step: Names the files.

        Returns:
            The metrics, in every process.
        """
        if self._processes is None:
            self._processes = training_processes()
        processes = self._processes
        path = self._folder / f"step-{step}.jsonl"
        if processes.is_main:
            self._folder.mkdir(parents=True, exist_ok=True)
            for file in (path, *part_files(path)):  # of a run that was cut in it
                file.unlink(missing_ok=True)
        self._ask(path, processes)
        metrics: dict[str, Any] = {}
        if processes.is_main:
            metrics = dict(score(read_result_rows(path, "stvg"), "stvg", _PROTOCOL))
            _write(metrics, path.with_suffix(".json"))
        if isinstance(processes, TrainingProcesses):
            metrics = processes.share(metrics)
        return metrics

    def _ask(self, path: Path, processes: Processes) -> None:
        model, dtype = self._loaded.model, self._loaded.dtype
        was_training = model.training
        model.eval()
        chat = BenchmarkChat(self._loaded)
        # What learns is kept in float32 among parts that are not.
        mixed = torch.autocast(model.device.type, dtype, enabled=dtype != torch.float32)
        try:
            with mixed:
                run(
                    self.samples,
                    self._videos,
                    chat,
                    RowFile(path, check_lock=processes.is_main),
                    GenerationConfig(),
                    processes=processes,
                )
        finally:
            model.train(was_training)


def _write(metrics: dict[str, Any], path: Path) -> None:
    path.write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")
