"""From arguments to a finished result file; ``run`` and ``sensitivity`` share it."""

from __future__ import annotations

import argparse
import os
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

from evaluation.datasets import DATASETS, Sample, choose
from evaluation.datasets.loading import Loaded, checked, checked_not_empty
from evaluation.processes import launched_processes
from evaluation.row_file import RowFile
from evaluation.run_info import (
    Info,
    check_agreement,
    digest,
    hardware,
    now,
    read_info,
    versions,
    write_info,
)
from evaluation.runner import RunSummary, pending, run
from stablechat.errors import InputError
from stablechat.types import GenerationConfig

if TYPE_CHECKING:
    from evaluation.asking import BenchmarkChat


class Benchmark:
    """The questions that a command is to ask.

    Args:
        args: The parsed arguments of ``add_dataset`` and ``add_choice``.

    Attributes:
        samples: The questions.

    Raises:
        InputError: An argument or a file can't be used.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        _check_arguments(args)
        self._args = args
        loaded = _load(args)
        self._num_bad_rows = len(loaded.problems)
        self._bad_rows = [str(problem) for problem in loaded.problems]
        self.samples: list[Sample] = choose(
            loaded.samples, args.subset, args.seed or 0, args.limit
        )
        self._digest = digest(args.annotations)

    def check(self, out: Path, config: GenerationConfig) -> None:
        """Look at a result file before the model is loaded, which takes long.

        Raises:
            InputError: It can't be gone on with.
        """
        processes = launched_processes()
        pending(self.samples, RowFile(out, check_lock=processes.is_main).rows)
        check_agreement(out, self._info(config))

    def ask(
        self, chat: BenchmarkChat, out: Path, config: GenerationConfig
    ) -> RunSummary | None:
        """Ask what is not answered yet.

        Args:
            chat: The model.
            out: The result file.
            config: How to decode.

        Returns:
            As :func:`evaluation.runner.run`.
        """
        processes = launched_processes()
        info = {
            **self._info(config),
            "model": chat.name,
            "revision": chat.revision,
            "model_sha256": chat.model_sha256,
            "dtype": str(chat.dtype).removeprefix("torch."),
            "processes": processes.count,
            "started": now(),
            "versions": versions(),
            "hardware": hardware(str(chat.device)),
        }
        check_agreement(out, info)
        file = RowFile(out, check_lock=processes.is_main)
        if processes.is_main and pending(self.samples, file.rows):
            before = (read_info(out) if file.rows else None) or {}
            write_info(out, {**info, "started": before.get("started", info["started"])})
        return run(
            self.samples, self._args.videos, chat, file, config, processes=processes
        )

    def told_bad_rows(self) -> str:
        """How many annotated rows can't be used, for the end of a summary."""
        count = self._num_bad_rows
        return f"; {count} annotated rows are unusable and were not asked" * bool(count)

    def _info(self, config: GenerationConfig) -> Info:
        args = self._args
        return {
            "dataset": args.dataset,
            "task": args.task,
            "annotations": args.annotations.name,
            "annotations_sha256": self._digest,
            "subset": args.subset,
            "seed": args.seed or 0 if args.subset else None,
            "limit": args.limit,
            "num_questions": len(self.samples),
            "num_bad_rows": self._num_bad_rows,
            "bad_rows": self._bad_rows,
            "decoding": asdict(config),
        }


def _check_arguments(args: argparse.Namespace) -> None:
    if args.seed is not None and args.subset is None:
        raise InputError("--seed is for --subset; give both or neither.")
    if not os.path.isdir(args.videos):
        raise InputError(f"{args.videos} is not a folder; give --videos the videos'.")
    if not os.access(args.videos, os.R_OK | os.X_OK):
        raise InputError(f"{args.videos} can't be read; choose another --videos.")


def load_annotations(args: argparse.Namespace) -> Loaded:
    """Read the annotations that arguments name, unusable rows and all.

    Raises:
        InputError: A file can't be read, or the benchmark has no such task.
    """
    dataset = DATASETS[args.dataset]
    if args.task not in dataset.tasks:
        raise InputError(
            f"{dataset.title} has no task {args.task}; it has "
            f"{', '.join(dataset.tasks)}."
        )
    return dataset.load(args.annotations, args.task, args.extra)


def _load(args: argparse.Namespace) -> Loaded:
    loaded = load_annotations(args)
    if args.skip_bad_rows:
        return checked_not_empty(loaded, args.annotations)
    return checked(loaded, args.annotations, args.task)
