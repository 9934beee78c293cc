"""What a training run is told, read from YAML."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from stablechat.errors import InputError

#: Parts of the model that can be trained. ``language`` is its decoder, by LoRA where
#: that is asked for; ``coordinates`` are the 300 rows of its embedding and its head.
PARTS = ("tower", "projector", "packer", "coordinates", "language")
PRECISIONS = ("float32", "bfloat16", "float16")
LOGS = ("tensorboard", "trackio", "wandb")


@dataclass(frozen=True)
class Lora:
    """Low-rank adapters on every linear layer of the language model's decoder.

    Attributes:
        r: Rank.
        alpha: The update is scaled by ``alpha / r``.
        dropout: Of an adapter's input.
    """

    r: int = 128
    alpha: int = 256
    dropout: float = 0.05


@dataclass(frozen=True)
class Settings:
    """One run.

    Attributes:
        rows: Files of conversations, as ``training.vidor`` writes them.
        videos: The folder that their videos are in.
        out: Where checkpoints, logs and the result go.
        learning_rates: ``{part: rate}``; a part that is not named is frozen.
        model: Folder or hub id; None is the demo model.
        lora: None trains ``language`` in full, if it is named.
        precision: Of the forward pass. What is trained is kept in float32.
        batch_size: Conversations of one step of one process.
        accumulation: Steps before the weights change.
        epochs: Times that every row is seen, unless ``max_steps`` ends it before.
        max_steps: Changes of the weights; -1 for no such end.
        warmup_share: Of all steps; then the rates fall as a cosine.
        weight_decay: Of matrices.
        max_grad_norm: Longer gradients are shortened.
        gradient_checkpointing: Less memory, a third more time.
        save_steps, keep_checkpoints, log_steps: How often, how many, how often.
        eval_rows: Annotations in ST-Align's STVG format to evaluate on; None for none.
        eval_videos: The folder that those videos are in.
        eval_steps: How often; at the end as well.
        eval_limit: How many of them; None for all.
        feature_cache: A folder for what frozen parts make of each video.
        num_workers: Processes that read videos.
        seed: Of the order, of dropout and of adapters.
        skip_bad: Whether a row that can't be used is left out, counted and listed.
        report_to: Where losses, rates and metrics go; what is not ``tensorboard`` must
            be installed besides.
    """

    rows: tuple[Path, ...]
    videos: Path
    out: Path
    learning_rates: Mapping[str, float]
    model: str | None = None
    lora: Lora | None = None
    precision: str = "bfloat16"
    batch_size: int = 1
    accumulation: int = 1
    epochs: float = 1.0
    max_steps: int = -1
    warmup_share: float = 0.03
    weight_decay: float = 0.0
    max_grad_norm: float = 1.0
    gradient_checkpointing: bool = False
    save_steps: int = 500
    keep_checkpoints: int = 2
    log_steps: int = 10
    eval_rows: Path | None = None
    eval_videos: Path | None = None
    eval_steps: int = 500
    eval_limit: int | None = None
    feature_cache: Path | None = None
    num_workers: int = 0
    seed: int = 0
    skip_bad: bool = False
    report_to: tuple[str, ...] = field(default=("tensorboard",))

    def __post_init__(self) -> None:
        unknown = set(self.learning_rates) - set(PARTS)
        _require(not unknown, f"no part {sorted(unknown)}; there are {PARTS}")
        _require(bool(self.learning_rates), "learning_rates names no part to train")
        _require(
            self.lora is None or "language" in self.learning_rates,
            "lora needs a learning rate for language",
        )
        _require(self.precision in PRECISIONS, f"precision is one of {PRECISIONS}")
        _require(set(self.report_to) <= set(LOGS), f"report_to is any of {LOGS}")
        _require(
            (self.eval_rows is None) == (self.eval_videos is None),
            "eval_rows and eval_videos go together",
        )
        steps = ("save_steps", "log_steps", "eval_steps")
        for name in ("batch_size", "accumulation", *steps):
            _require(getattr(self, name) >= 1, f"{name} must be at least 1")


def read_settings(path: Path, changes: Mapping[str, Any] | None = None) -> Settings:
    """Read a YAML file; relative paths are relative to where the command is run.

    Args:
        path: The file.
        changes: Values that stand above the file's.

    Raises:
        InputError: It can't be read, or a value is not what it must be.
    """
    try:
        raw = yaml.safe_load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise InputError(f"{path} can't be read ({error.strerror}).") from error
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        reason = " ".join(str(error).split())
        raise InputError(f"{path} is not a YAML file: {reason}.") from error
    if not isinstance(raw, dict):
        raise InputError(f"{path} must hold names and values.")
    try:
        return _settings({**raw, **(changes or {})})
    except (TypeError, ValueError, InputError) as error:
        raise InputError(f"{path}: {error}") from error


def _settings(raw: dict[str, Any]) -> Settings:
    fields = {each.name: each for each in dataclasses.fields(Settings)}
    unknown = sorted(set(raw) - set(fields))
    _require(not unknown, f"there is no setting {', '.join(unknown)}")
    needed = ("rows", "videos", "out", "learning_rates")
    missing = [name for name in needed if name not in raw]
    _require(not missing, f"{', '.join(missing)} must be set")
    return Settings(**{name: _value(name, value) for name, value in raw.items()})


def _value(name: str, value: Any) -> Any:
    if value is None:
        return None
    if name == "rows":
        return tuple(Path(each) for each in ([value] if _is_text(value) else value))
    if name in ("videos", "out", "eval_rows", "eval_videos", "feature_cache"):
        return Path(value)
    if name == "learning_rates":
        return {str(part): float(rate) for part, rate in value.items()}
    if name == "lora":
        return Lora(**value)
    if name == "report_to":
        return tuple([value] if _is_text(value) else value)
    return value


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise InputError(f"{message}.")
