"""Whose fault it is that there is no answer: a video's, the surroundings', or ours."""

from __future__ import annotations

import errno
import logging
import traceback
from collections.abc import Callable
from typing import TypeVar

from stablechat.cli.batch.jobs import Failure
from stablechat.cli.texts import one_line
from stablechat.errors import (
    CancelledError,
    OutOfMemoryError,
    StableChatError,
    StorageError,
)

logger = logging.getLogger(__name__)

Cancelled = Callable[[], bool]
Value = TypeVar("Value")

# Of a disk or a network, and not of a video.
_SURROUNDINGS = {
    *(errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EMFILE, errno.ENFILE),
    *(errno.ESTALE, errno.ETIMEDOUT, errno.ENOMEM),
}


def never() -> bool:
    """Nobody stops what another process does; it is ended."""
    return False


def attempt(work: Callable[[], Value], cancelled: Cancelled = never) -> Value | Failure:
    """Do something, and tell what kept it from being done.

    Raises:
        CancelledError: The run is being stopped, whatever came of that.
    """
    try:
        return work()
    except CancelledError:
        raise
    except Exception as error:
        if cancelled():
            raise CancelledError("Stopped.") from error
        return _failure_of(error)


def _failure_of(error: Exception) -> Failure:
    if not isinstance(error, StableChatError):
        logger.error("An input met a bug.", exc_info=error)
        told = one_line(str(error))[:300]
        detail = "".join(traceback.format_exception(error))
        return Failure("bug", f"{type(error).__name__}: {told}", detail)
    kind = "infrastructure" if _is_surroundings(error) else "input"
    return Failure(kind, one_line(str(error)))  # type: ignore[arg-type]


def _is_surroundings(error: StableChatError) -> bool:
    if isinstance(error, StorageError | OutOfMemoryError):
        return True
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, OSError) and cause.errno in _SURROUNDINGS:
            return True
        cause = cause.__cause__
    return False
