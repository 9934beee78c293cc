"""What tells files and models apart: their content, not their names."""

from __future__ import annotations

import hashlib
from pathlib import Path

from stablechat.errors import CheckpointError

_CHUNK_BYTES = 1 << 20
#: What of a model's folder decides what it answers; a calibration or a log does not.
_MODEL_FILES = (
    *("config.json", "generation_config.json"),
    *("*.safetensors", "pytorch_model*.bin"),
    *("tokenizer.json", "tokenizer_config.json", "vocab.json", "merges.txt"),
)


def digest_of(path: Path) -> str:
    """SHA-256 of a file's content, as hexadecimal digits.

    Raises:
        OSError: It can't be read.
    """
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK_BYTES):
            digest.update(chunk)
    return digest.hexdigest()


def model_id(folder: Path, revision: str | None) -> str:
    """What tells a model apart: the hub's commit, or what its folder holds.

    Args:
        folder: Where its files are.
        revision: Commit, for a model from the hub.

    Raises:
        CheckpointError: A file can't be read.
    """
    return revision or model_digest(folder)


def model_digest(folder: Path) -> str:
    """SHA-256 of what a model's folder answers with, wherever the folder is.

    All of it is read: weights that were trained further have the same names and sizes
    as before. That takes a fraction of the time that loading them took.

    Args:
        folder: The model's. A vision tower that lies elsewhere is told by the name that
            ``config.json`` has for it.

    Raises:
        CheckpointError: A file can't be read.
    """
    files = {path for name in _MODEL_FILES for path in folder.glob(name)}
    digest = hashlib.sha256()
    try:
        for path in sorted(files):
            digest.update(f"{path.name} {digest_of(path)}\n".encode())
    except OSError as error:
        reason = error.strerror or error
        raise CheckpointError(
            "{path} can't be read: {reason}.", path=path, reason=str(reason)
        ) from error
    return digest.hexdigest()
