"""What a training run is told, read from YAML."""

from __future__ import annotations

import dataclasses
import math
import typing
from collections.abc import Callable, Mapping
from contextlib import suppress
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

    def __post_init__(self) -> None:
        _require(self.r >= 1, "lora: r must be at least 1")
        _require(self.alpha >= 1, "lora: alpha must be at least 1")
        _require(0 <= self.dropout < 1, "lora: dropout must be from 0 to below 1")


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
        for name in ("batch_size", "accumulation", "keep_checkpoints", *steps):
            _require(getattr(self, name) >= 1, f"{name} must be at least 1")
        for name in ("weight_decay", "max_grad_norm", "num_workers"):
            _require(getattr(self, name) >= 0, f"{name} must be at least 0")
        slow = sorted(part for part, rate in self.learning_rates.items() if rate <= 0)
        _require(not slow, f"learning_rates: {', '.join(slow)} must be above 0")
        _require(self.epochs > 0, "epochs must be above 0")
        _require(
            self.max_steps == -1 or self.max_steps >= 1,
            "max_steps must be at least 1, or -1 for no such end",
        )
        _require(0 <= self.warmup_share < 1, "warmup_share must be from 0 to below 1")
        _require(
            self.eval_limit is None or self.eval_limit >= 1,
            "eval_limit must be at least 1, or nothing",
        )
        _require(0 <= self.seed < 2**32, "seed must be from 0 to below 2**32")


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
    except InputError as error:
        raise InputError(f"{path}: {error}") from error


def _settings(raw: dict[str, Any]) -> Settings:
    fields = {each.name: each for each in dataclasses.fields(Settings)}
    unknown = sorted(set(raw) - set(fields))
    _require(not unknown, f"there is no setting {', '.join(unknown)}")
    needed = ("rows", "videos", "out", "learning_rates")
    missing = [name for name in needed if name not in raw]
    _require(not missing, f"{', '.join(missing)} must be set")
    return Settings(**_values(Settings, raw, ""))


def _values(kind: type, raw: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Each value as its field's type."""
    types = typing.get_type_hints(kind)
    return {
        name: _value(prefix + name, types[name], value) for name, value in raw.items()
    }


def _value(name: str, kind: Any, value: Any) -> Any:
    kinds = typing.get_args(kind)
    if type(None) in kinds:
        if value is None:
            return None
        (kind,) = set(kinds) - {type(None)}
    return _READERS[kind](name, value)


def _number(name: str, value: Any) -> float:
    # YAML takes 1e-2 for a text: it wants 1.0e-2.
    if isinstance(value, int | float | str) and not isinstance(value, bool):
        with suppress(ValueError, OverflowError):
            number = float(value)
            if math.isfinite(number):
                return number
    raise InputError(f"{name} must be a number, got {value!r}.")


def _whole(name: str, value: Any) -> int:
    number = _number(name, value)
    _require(number.is_integer(), f"{name} must be a whole number, got {value!r}")
    return int(number)


def _flag(name: str, value: Any) -> bool:
    _require(isinstance(value, bool), f"{name} must be true or false, got {value!r}")
    return bool(value)


def _text(name: str, value: Any) -> str:
    _require(isinstance(value, str), f"{name} must be text, got {value!r}")
    return str(value)


def _texts(name: str, value: Any) -> tuple[str, ...]:
    """A list, or its only element."""
    if not isinstance(value, list | tuple):
        value = [value]
    return tuple(_text(name, each) for each in value)


def _mapping(name: str, value: Any) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        raise InputError(f"{name} must hold names and values, got {value!r}.")
    return {str(key): each for key, each in value.items()}


def _rates(name: str, value: Any) -> dict[str, float]:
    rates = _mapping(name, value)
    return {part: _number(f"{name}: {part}", rate) for part, rate in rates.items()}


def _lora(name: str, value: Any) -> Lora:
    if isinstance(value, Lora):
        return value
    raw = _mapping(name, value)
    unknown = sorted(set(raw) - {each.name for each in dataclasses.fields(Lora)})
    _require(not unknown, f"there is no setting {name}: {', '.join(unknown)}")
    return Lora(**_values(Lora, raw, f"{name}: "))


_READERS: dict[Any, Callable[[str, Any], Any]] = {
    bool: _flag,
    int: _whole,
    float: _number,
    str: _text,
    Path: lambda name, value: Path(_text(name, value)),
    Lora: _lora,
    Mapping[str, float]: _rates,
    tuple[str, ...]: _texts,
    tuple[Path, ...]: lambda name, value: tuple(map(Path, _texts(name, value))),
}


def _require(condition: bool, message: str) -> None:
    if not condition:
        raise InputError(f"{message}.")
