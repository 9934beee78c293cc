"""Files that appear under their name only when they are complete."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from stablechat.errors import RenderError


def write_file(path: Path, content: bytes) -> None:
    """Write a file whole or not at all.

    Args:
        path: The file; an older one is replaced, a folder made.
        content: All of it.

    Raises:
        RenderError: It can't be written.
    """
    temporary = path.with_name(f".{secrets.token_hex(8)}.tmp")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(content)
        os.replace(temporary, path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        reason = error.strerror or error
        raise RenderError(f"{path} can't be written ({reason}).") from error
