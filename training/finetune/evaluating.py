"""Our metrics while a model is trained."""

from __future__ import annotations

import json
from itertools import islice
from pathlib import Path
from typing import Any

from transformers import TrainerCallback

from evaluation.asking import BenchmarkChat
from evaluation.datasets.st_align import load_samples
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


class Evaluate(TrainerCallback):  # type: ignore[misc]
    """Asks the model its questions every so many steps, and logs the metrics.

    The first process alone does it; the others wait for the next step's gradients.

    Args:
        loaded: The model that is trained.
        settings: Say what is asked, and how often.

    Raises:
        InputError: The annotations can't be used.
    """

    def __init__(self, loaded: LoadedModel, settings: Settings) -> None:
        assert settings.eval_rows is not None and settings.eval_videos is not None
        every = load_samples(settings.eval_rows, "stvg")
        self._samples = list(islice(every, settings.eval_limit))
        self._videos = settings.eval_videos
        self._folder = settings.out / _FOLDER
        self._steps = settings.eval_steps
        self._loaded = loaded

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """Evaluate, if it is time."""
        is_time = state.global_step % self._steps == 0
        if state.is_world_process_zero and (
            is_time or state.global_step == state.max_steps
        ):
            metrics = self.measure(state.global_step)
            named = {f"eval_{name}": value for name, value in metrics.items()}
            state.log_history.append({"step": state.global_step, **named})

    def measure(self, step: int) -> dict[str, Any]:
        """Ask every question; returns the metrics, and writes them down.

        Args:
            step: Names the files.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._folder / f"step-{step}.jsonl"
        path.unlink(missing_ok=True)  # of a run that was cut in it
        model = self._loaded.model
        was_training = model.training
        model.eval()
        try:
            chat = BenchmarkChat(self._loaded)
            run(self._samples, self._videos, chat, RowFile(path), GenerationConfig())
        finally:
            model.train(was_training)
        metrics = dict(score(read_result_rows(path, "stvg"), "stvg", _PROTOCOL))
        _write(metrics, path.with_suffix(".json"))
        return metrics


def _write(metrics: dict[str, Any], path: Path) -> None:
    path.write_text(json.dumps(metrics, indent=1) + "\n", encoding="utf-8")
