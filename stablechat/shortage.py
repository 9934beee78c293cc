"""Too little memory, said plainly."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from stablechat.errors import OutOfMemoryError


@contextmanager
def plain_memory_errors(device: torch.device) -> Iterator[None]:
    """Say what to do when a device runs out of memory while it answers.

    Raises:
        OutOfMemoryError: In place of torch's or Python's own error.
    """
    try:
        yield
    except (RuntimeError, MemoryError) as error:
        if isinstance(error, RuntimeError) and not _is_shortage(error):
            raise
        if device.type == "cuda":
            torch.cuda.empty_cache()
        raise OutOfMemoryError(
            "{device} ran out of memory while answering; close other programs, "
            "or use --device cpu or the demo model (no --model).",
            device=device,
        ) from error


def _is_shortage(error: RuntimeError) -> bool:
    # Without a card torch has no class of its own for it.
    is_cpus = "can't allocate memory" in str(error)
    return isinstance(error, torch.OutOfMemoryError) or is_cpus
