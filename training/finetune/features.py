"""What frozen parts make of a video, kept on disk."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Literal

from safetensors.torch import load_file, save_file
from torch import Tensor

from stablechat.errors import InputError
from stablechat.types import TimeSpan

#: ``"visual"``: visual tokens, 12 MB a video at full size in half precision; possible
#: where tower, projector, packer and coordinates are frozen. ``"tower"``: patch
#: features, 168 MB; where the tower is.
Stage = Literal["tower", "visual"]

_NAME = "features"


class FeatureCache:
    """A folder of features.

    Args:
        folder: It is made when something is written.
        stage: What is kept.
        model: Names the weights they come from.
    """

    def __init__(self, folder: Path, stage: Stage, model: str) -> None:
        self.stage = stage
        self._folder = folder
        self._model = model

    def has(self, video: Path, segment: TimeSpan | None) -> bool:
        """Whether a video's are there."""
        return self._path(video, segment).is_file()

    def read(self, video: Path, segment: TimeSpan | None) -> Tensor:
        """A video's features.

        Raises:
            InputError: They are not there or can't be read.
        """
        path = self._path(video, segment)
        try:
            return load_file(path)[_NAME]
        except Exception as error:  # safetensors raises nearly anything
            raise InputError(f"{path} has no features of {video} ({error}).") from error

    def write(self, video: Path, segment: TimeSpan | None, features: Tensor) -> None:
        """Keep a video's features; they are there whole or not at all."""
        self._folder.mkdir(parents=True, exist_ok=True)
        path = self._path(video, segment)
        # Machines that share the folder have processes of the same number.
        part = path.with_suffix(f".{os.urandom(8).hex()}.part")
        try:
            save_file({_NAME: features.cpu().contiguous()}, part)
            os.replace(part, path)
        finally:
            part.unlink(missing_ok=True)

    def _path(self, video: Path, segment: TimeSpan | None) -> Path:
        try:
            facts = video.stat()
        except OSError as error:
            raise InputError(f"{video} can't be read ({error.strerror}).") from error
        parts = (self._model, self.stage, video.resolve(), segment)
        key = repr((*parts, facts.st_size, facts.st_mtime_ns))
        name = hashlib.sha256(key.encode()).hexdigest()
        return self._folder / f"{name}.safetensors"
