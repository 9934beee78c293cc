"""Train LLaVA-ST further.

    python -m training.finetune configs/vidor_lora_24gb.yaml [--set out=runs/mine]
    accelerate launch --multi_gpu --num_processes 8 -m training.finetune CONFIG.yaml
    accelerate launch --config_file training/configs/accelerate_fsdp.yaml \\
        -m training.finetune CONFIG.yaml

Goes on from the last whole checkpoint in ``out``, if there is one. At the end ``out``
holds ``adapter/`` (what was trained) and ``model/`` (the whole model in the published
layout); either is loaded by StableChat.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path
from typing import Any

import torch
import yaml

from stablechat.errors import InputError, StableChatError
from stablechat.loader import LoadedModel, load_model
from training.finetune.conversations import Conversations, read_conversations
from training.finetune.evaluating import Evaluation
from training.finetune.features import FeatureCache
from training.finetune.model import TrainedModel, cache_for, features_of, stage_of
from training.finetune.parts import add_lora, choose_parts
from training.finetune.saving import save_adapter, save_merged
from training.finetune.settings import Settings, read_settings
from training.finetune.sharding import gather_whole
from training.finetune.trainer import (
    FinetuneTrainer,
    last_checkpoint,
    read_problems,
)

_BAD_INPUT = 2
_INTERRUPTED = 130


def train(settings: Settings, device: str | None = None) -> FinetuneTrainer:
    """Run a whole training, or the rest of one.

    Args:
        settings: Of the run.
        device: None is the best there is, one for each process.

    Returns:
        The trainer when it is done.

    Raises:
        StableChatError: The settings, the data or the model do not allow it.
    """
    torch.manual_seed(settings.seed)
    loaded = load_model(settings.model, device, settings.precision)
    rows = read_conversations(settings.rows)
    cache = cache_for(settings, loaded)
    data = Conversations(rows, settings.videos, loaded, cache)
    if cache is not None:
        fill_cache(cache, data, loaded)
    prepare_model(loaded, settings)
    stage = stage_of(settings) if cache is not None else None
    settings.out.mkdir(parents=True, exist_ok=True)
    evaluation = None if settings.eval_rows is None else Evaluation(loaded, settings)
    trained = TrainedModel(loaded.model, stage)
    trainer = FinetuneTrainer(trained, settings, data, evaluation)
    checkpoint = last_checkpoint(settings.out)
    if checkpoint is not None:
        trainer.problems = read_problems(settings.out)
    trainer.train(resume_from_checkpoint=str(checkpoint) if checkpoint else None)
    is_first = trainer.args.should_save
    trainer.write_problems()
    weights = gather_whole(loaded.model.named_parameters(), keep=is_first)
    if is_first:
        save_adapter(loaded, weights, settings.out / "adapter", settings.lora)
        whole = settings.out / "model"
        shutil.rmtree(whole, ignore_errors=True)
        save_merged(loaded, weights, whole)
    return trainer


def prepare_model(loaded: LoadedModel, settings: Settings) -> None:
    """Adapters, what learns, and less memory, in place."""
    model = loaded.model
    if settings.lora is not None:
        add_lora(model, settings.lora)
    choose_parts(model, settings)
    if settings.gradient_checkpointing:
        model.language_model.gradient_checkpointing_enable({"use_reentrant": False})


def fill_cache(cache: FeatureCache, data: Conversations, loaded: LoadedModel) -> None:
    """Encode every video that is not in the cache; one that can't be read is left."""
    todo = []
    for video, segment in data.videos():
        if video.is_file() and not cache.has(video, segment):
            todo.append((video, segment))
    for number, (video, segment) in enumerate(todo, 1):
        print(f"\rencoding video {number}/{len(todo)}", end="", file=sys.stderr)
        try:
            pixels = data.pixels(video, segment)
        except StableChatError as error:
            print(f"\n{error}", file=sys.stderr)
            continue
        cache.write(video, segment, features_of(loaded.model, pixels, cache.stage))
    if todo:
        print(file=sys.stderr)


def _changes(texts: list[str]) -> dict[str, Any]:
    found = {}
    for text in texts:
        name, equals, value = text.partition("=")
        if not equals:
            raise InputError(f"--set needs NAME=VALUE, got {text!r}.")
        try:
            found[name] = yaml.safe_load(value)
        except yaml.YAMLError as error:
            raise InputError(f"--set {name}: {value!r} is not YAML.") from error
    return found


def main() -> None:
    """Entry point."""
    parser = argparse.ArgumentParser(
        prog="python -m training.finetune", description="Train LLaVA-ST further."
    )
    parser.add_argument("config", type=Path, metavar="CONFIG.yaml")
    parser.add_argument(
        "--set",
        action="append",
        default=[],
        metavar="NAME=VALUE",
        help="stands above the file's value",
    )
    parser.add_argument(
        "--skip-bad", action="store_true", help="leave out what can't be used"
    )
    parser.add_argument("--device", help="default: the best there is")
    args = parser.parse_args()
    try:
        changes = _changes(args.set)
        if args.skip_bad:
            changes["skip_bad"] = True
        train(read_settings(args.config, changes), args.device)
    except (StableChatError, OSError) as error:
        parser.exit(_BAD_INPUT, f"error: {error}\n")
    except KeyboardInterrupt:
        parser.exit(_INTERRUPTED, "\nstopped; run the same command to go on\n")


if __name__ == "__main__":
    main()
