"""transformers' Trainer with a rate for each part, and checkpoints that stay whole."""

from __future__ import annotations

import importlib.util
import math
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from accelerate.utils import gather_object, save_fsdp_optimizer
from safetensors.torch import load_file, save_file
from torch import Tensor, nn
from torch.utils.data import Sampler
from transformers import Trainer, TrainerCallback, TrainingArguments
from transformers.trainer import SCHEDULER_NAME
from transformers.trainer_pt_utils import get_length_grouped_indices

from evaluation.datasets.values import read_object
from render.exports import write_json
from stablechat.errors import InputError, StableChatError
from training.finetune.batches import Batch, collate
from training.finetune.conversations import Conversations
from training.finetune.evaluating import Evaluation
from training.finetune.model import TrainedModel
from training.finetune.parts import parameter_groups, trained_tensors
from training.finetune.settings import Settings
from training.finetune.sharding import copy_whole, gather_whole, kept_whole, set_up_fsdp

#: What was trained, in float32: what a run goes on with.
STATE_FILE = "trained.safetensors"
#: Written last: a checkpoint without it was cut.
COMPLETE_FILE = "complete"
_CHECKPOINT = "checkpoint-"
_PROBLEMS_FILE = "left_out.json"


class TrainingError(StableChatError):
    """Training can't go on."""


def arguments_of(settings: Settings, *, use_cpu: bool) -> TrainingArguments:
    """Settings as transformers wants them.

    Raises:
        InputError: The curves can't go where they should.
    """
    for name in settings.report_to:
        if importlib.util.find_spec(name) is None:
            raise InputError(f"report_to {name} needs its package: pip install {name}.")
    return TrainingArguments(
        output_dir=str(settings.out),
        per_device_train_batch_size=settings.batch_size,
        gradient_accumulation_steps=settings.accumulation,
        num_train_epochs=settings.epochs,
        max_steps=settings.max_steps,
        warmup_steps=settings.warmup_share,  # below 1 it is a share of all steps
        lr_scheduler_type="cosine",
        max_grad_norm=settings.max_grad_norm,
        bf16=settings.precision == "bfloat16" and not use_cpu,
        fp16=settings.precision == "float16" and not use_cpu,
        save_steps=settings.save_steps,
        eval_strategy="no" if settings.eval_rows is None else "steps",
        eval_steps=settings.eval_steps,
        save_total_limit=settings.keep_checkpoints,
        logging_steps=settings.log_steps,
        logging_nan_inf_filter=False,
        report_to=list(settings.report_to),
        project="stablechat",
        run_name=settings.out.name,
        dataloader_num_workers=settings.num_workers,
        remove_unused_columns=False,
        label_names=[],
        seed=settings.seed,
        data_seed=settings.seed,
        use_cpu=use_cpu,
        ddp_find_unused_parameters=False,
    )


class EvaluateAtEnd(TrainerCallback):  # type: ignore[misc]
    """Asks after the last step too, which not every version of transformers does."""

    def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
        """As transformers calls it."""
        if args.eval_strategy != "no" and state.global_step >= state.max_steps:
            control.should_evaluate = True


class ByLength(Sampler[int]):
    """Random order in which answers of like lengths stand together.

    The order of an epoch follows from its number, so that a run can be resumed.

    Args:
        lengths: Of all answers.
        batch_size: How many stand together.
        seed: Of the order.
    """

    def __init__(self, lengths: list[int], batch_size: int, seed: int) -> None:
        self._lengths = lengths
        self._batch_size = batch_size
        self._seed = seed
        self._epoch = 0

    def set_epoch(self, epoch: int) -> None:
        """Called before each epoch."""
        self._epoch = epoch

    def __len__(self) -> int:
        return len(self._lengths)

    def __iter__(self) -> Iterator[int]:
        generator = torch.Generator().manual_seed(self._seed + self._epoch)
        yield from get_length_grouped_indices(
            self._lengths, self._batch_size, generator=generator
        )


class FinetuneTrainer(Trainer):
    """Trains the parts that the settings name.

    Args:
        model: In training mode or not.
        settings: Of the run.
        data: What it is trained on.
        evaluation: What it is asked while it is trained, if anything.
    """

    def __init__(
        self,
        model: TrainedModel,
        settings: Settings,
        data: Conversations,
        evaluation: Evaluation | None = None,
        **options: Any,
    ) -> None:
        use_cpu = model.llava.device.type == "cpu"
        super().__init__(
            model=model,
            args=arguments_of(settings, use_cpu=use_cpu),
            train_dataset=data,
            eval_dataset=None if evaluation is None else evaluation.samples,
            data_collator=collate,
            **options,
        )
        self.settings = settings
        self.problems: dict[str, str] = {}
        self._evaluation = evaluation
        self.add_callback(EvaluateAtEnd())
        if self.is_fsdp_enabled:
            set_up_fsdp(self.accelerator.state.fsdp_plugin)

    def create_optimizer(self, model: nn.Module | None = None) -> torch.optim.Optimizer:
        """AdamW with a group for each part."""
        if self.optimizer is None:
            trained: TrainedModel = self.model  # type: ignore[assignment]
            groups = parameter_groups(
                trained.llava, self.settings.learning_rates, self.settings.weight_decay
            )
            self.optimizer = torch.optim.AdamW(groups)
        return self.optimizer

    def compute_loss(
        self,
        model: nn.Module,
        inputs: dict[str, Batch],
        return_outputs: bool = False,
        num_items_in_batch: Tensor | int | None = None,
    ) -> Any:
        """The mean loss of a batch.

        Raises:
            TrainingError: A conversation can't be used and none may be left out, or
                the loss is no number.
        """
        batch = inputs["batch"]
        self._check(batch)
        output = model(batch)
        loss = output["loss"].to(self.args.device)
        if not math.isfinite(loss.item()):
            raise TrainingError(
                f"The loss is {loss.item()} at step {self.state.global_step} on "
                f"{', '.join(batch.ids)}. The last checkpoint is as it was; try a "
                "lower learning rate or bfloat16."
            )
        return (loss, output) if return_outputs else loss

    def _check(self, batch: Batch) -> None:
        for name, problem in batch.problems:
            if not self.settings.skip_bad:
                raise TrainingError(f"{name}: {problem} (--skip-bad leaves it out)")
            if name not in self.problems:
                self.problems[name] = problem
                self.log({"num_bad": float(len(self.problems))})

    def _get_train_sampler(self, train_dataset: Any = None) -> Sampler[int] | None:
        data: Conversations = self.train_dataset  # type: ignore[assignment]
        # Of all processes together, which take turns: two see what one does with the
        # doubled batch.
        whole_batch = self.settings.batch_size * self.args.world_size
        return ByLength(data.lengths, whole_batch, self.settings.seed)

    def evaluate(self, *_: Any, **__: Any) -> dict[str, float]:
        """Ask the questions, all processes a share; the metrics go where losses go."""
        assert self._evaluation is not None
        plugin = self.accelerator.state.fsdp_plugin if self.is_fsdp_enabled else None
        reshard = bool(getattr(plugin, "reshard_after_forward", False))
        with kept_whole(self.model, reshard_after_forward=reshard):
            found = self._evaluation.measure(self.state.global_step)
        numbers = {
            f"eval_{name}": float(value)
            for name, value in found.items()
            if isinstance(value, int | float)
        }
        self.log(numbers)
        self.control = self.callback_handler.on_evaluate(
            self.args, self.state, self.control, numbers
        )
        return numbers

    # --- checkpoints ------------------------------------------------------------

    def save_model(
        self, output_dir: str | None = None, _internal_call: bool = False
    ) -> None:
        """Write what learns; where it is spread over processes, all must come here."""
        trained: TrainedModel = self.accelerator.unwrap_model(self.model)
        named = trained_tensors(trained.llava).items()
        whole = gather_whole(named, keep=self.args.should_save)
        if self.args.should_save:
            self._save(output_dir, whole)

    def _save(
        self, output_dir: str | None = None, state_dict: dict[str, Any] | None = None
    ) -> None:
        folder = Path(output_dir or self.args.output_dir)
        folder.mkdir(parents=True, exist_ok=True)
        plain = {
            name: value.cpu().contiguous().clone()
            for name, value in (state_dict or {}).items()
        }
        save_file(plain, folder / STATE_FILE)

    def _save_optimizer_and_scheduler(self, output_dir: str) -> None:
        if not self.is_fsdp_enabled:
            super()._save_optimizer_and_scheduler(output_dir)
            return
        # transformers would write all of the frozen model as well.
        save_fsdp_optimizer(
            self.accelerator.state.fsdp_plugin,
            self.accelerator,
            self.optimizer,
            self.model,
            output_dir,
        )
        if self.args.should_save:
            schedule = self.lr_scheduler.state_dict()  # type: ignore[union-attr]
            torch.save(schedule, Path(output_dir) / SCHEDULER_NAME)

    def _save_checkpoint(self, model: nn.Module, trial: Any) -> None:
        folder = self.settings.out / f"{_CHECKPOINT}{self.state.global_step}"
        if self.args.should_save:
            # A cut one of an earlier run, which this one was not resumed from.
            shutil.rmtree(folder, ignore_errors=True)
        self.accelerator.wait_for_everyone()
        super()._save_checkpoint(model, trial)
        # Each process has written its part of it.
        self.accelerator.wait_for_everyone()
        self.write_problems()
        if self.args.should_save:
            (folder / COMPLETE_FILE).touch()

    def write_problems(self) -> None:
        """List what all processes left out so far, beside the checkpoints."""
        problems = dict(gather_object(list(self.problems.items())))
        if self.args.should_save:
            write_json(self.settings.out / _PROBLEMS_FILE, problems)

    def _load_from_checkpoint(
        self, resume_from_checkpoint: str, model: nn.Module | None = None
    ) -> None:
        trained: TrainedModel = self.accelerator.unwrap_model(model or self.model)
        path = Path(resume_from_checkpoint) / STATE_FILE
        places = trained_tensors(trained.llava)
        saved = load_file(path)
        if saved.keys() != places.keys():
            raise InputError(
                f"{path} is of a run that trained other parts; start a new one in "
                "another folder."
            )
        for name, place in places.items():
            copy_whole(place, saved[name])


def last_checkpoint(out: Path) -> Path | None:
    """The newest checkpoint of a run that is whole."""
    found = [
        path for path in out.glob(f"{_CHECKPOINT}*") if (path / COMPLETE_FILE).is_file()
    ]
    return max(found, key=lambda path: int(path.name.rpartition("-")[2]), default=None)


def read_problems(out: Path) -> dict[str, str]:
    """What a run that goes on has left out before.

    Raises:
        InputError: The list can't be read.
    """
    path = out / _PROBLEMS_FILE
    return dict(read_object(path)) if path.exists() else {}
