"""What every process of the server is told. No Ray."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from serving.shelf import Shelf
from stablechat.errors import InputError

#: Seconds that a question may take, if it does not say, and the most it may say.
DEFAULT_DEADLINE_SECONDS = 120.0
MAX_DEADLINE_SECONDS = 1800.0
#: Questions that a model answers together; it keeps as many videos encoded.
DEFAULT_BATCH = 8
#: Questions that wait in front of all models, for each process that asks.
DEFAULT_QUEUED = 32
#: How long what runs may take to end when the server does.
DEFAULT_GRACE_SECONDS = 30.0

#: Of the disk: uploads and clips of the API; the rest is the page's.
_VIDEOS_SHARE = 0.5
_CLIPS_SHARE = 0.1


@dataclass(frozen=True)
class ModelSettings:
    """Which model; the fields are those of ``StableChat.from_pretrained``."""

    model: str | None = None
    device: str | None = None
    dtype: str | None = None
    attn: str | None = None
    quantization: str | None = None
    adapter: str | None = None


@dataclass(frozen=True)
class Replicas:
    """How many copies of the model.

    Attributes:
        least: There are always so many.
        most: So many at most.
    """

    least: int = 1
    most: int = 1

    @classmethod
    def from_text(cls, text: str) -> Replicas:
        """Read ``"2"`` or ``"1:4"``.

        Raises:
            InputError: It is neither.
        """
        least, _, most = text.partition(":")
        if not (least.isdecimal() and (most or least).isdecimal()):
            raise InputError(
                f"--replicas must be a number or MIN:MAX, such as 1:4, got {text!r}."
            )
        made = cls(int(least), int(most or least))
        if not 1 <= made.least <= made.most <= 1000:
            raise InputError(f"--replicas {text}: 1 <= MIN <= MAX <= 1000 must hold.")
        return made


@dataclass(frozen=True)
class Settings:
    """Of one server.

    Attributes:
        folder: Where all its processes put their files; its own.
        model: Which model.
        replicas: How many copies of it.
        renderers: Processes that cut clips.
        apis: Processes that answer programs.
        threads: Processors that a model may use.
        gpus: Of each model.
        hosts: Names that a request may call the server by.
        host: Address that is listened on.
        auth: ``(user, password)`` pairs; empty lets everybody in.
        max_file_bytes: Largest upload.
        max_disk_bytes: Of all files.
        limits: What videos are refused, as ``--limit`` has it.
        max_batch: Questions that are answered together.
        max_queued: Questions that wait, for each process that asks.
        deadline_seconds: For an answer, if the question does not say.
        grace_seconds: For what runs when the server ends.
        is_local: Whether all its processes are on this machine.
    """

    folder: Path
    model: ModelSettings = ModelSettings()
    replicas: Replicas = Replicas()
    renderers: int = 1
    apis: int = 1
    threads: int = 1
    gpus: float = 0.0
    hosts: tuple[str, ...] = ("127.0.0.1", "localhost", "[::1]")
    host: str = "127.0.0.1"
    auth: tuple[tuple[str, str], ...] = ()
    max_file_bytes: int = 2 << 30
    max_disk_bytes: int = 20 << 30
    limits: tuple[str, ...] = ()
    max_batch: int = DEFAULT_BATCH
    max_queued: int = DEFAULT_QUEUED
    deadline_seconds: float = DEFAULT_DEADLINE_SECONDS
    grace_seconds: float = DEFAULT_GRACE_SECONDS
    is_local: bool = False

    def __post_init__(self) -> None:
        for name in ("renderers", "apis", "threads", "max_batch", "max_queued"):
            if getattr(self, name) < 1:
                raise InputError(f"{name} must be 1 or more.")
        if self.max_batch > DEFAULT_BATCH:
            raise InputError(f"--batch must be at most {DEFAULT_BATCH}.")
        if not 0 < self.deadline_seconds <= MAX_DEADLINE_SECONDS:
            raise InputError(
                f"--deadline must be up to {MAX_DEADLINE_SECONDS:g} seconds, got "
                f"{self.deadline_seconds:g}."
            )
        if self.grace_seconds < 0:
            raise InputError("--grace must be 0 seconds or more.")

    def videos(self) -> Shelf:
        """The videos that were sent, by the SHA-256 of their content."""
        return self._shelf("videos", _VIDEOS_SHARE)

    def clips(self) -> Shelf:
        """The clips that were cut, by names that nobody can guess."""
        return self._shelf("clips", _CLIPS_SHARE)

    def _shelf(self, name: str, share: float) -> Shelf:
        most = round(share * self.max_disk_bytes)
        # Longer than any question that is about it.
        return Shelf(self.folder / name, most, MAX_DEADLINE_SECONDS)

    @property
    def page_disk_bytes(self) -> int:
        """What the page's own files may take."""
        return round((1 - _VIDEOS_SHARE - _CLIPS_SHARE) * self.max_disk_bytes)

    def deadline_of(self, headers: Mapping[str, str]) -> float:
        """Seconds that a request gives, in ``X-Deadline-Seconds``.

        Raises:
            InputError: It is no number, or too large.
        """
        told = headers.get("x-deadline-seconds")
        if told is None:
            return self.deadline_seconds
        try:
            seconds = float(told)
        except ValueError:
            seconds = -1.0
        if not 0 < seconds <= MAX_DEADLINE_SECONDS:
            raise InputError(
                "X-Deadline-Seconds must be a number up to {most:g}.",
                most=MAX_DEADLINE_SECONDS,
            )
        return seconds
