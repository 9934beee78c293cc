"""Ending politely: what runs is known to all processes, and nothing new begins. No Ray.

It is told by files in the server's folder, which all processes see; one that was killed
leaves its own behind, and is waited for no longer than the others.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stablechat.errors import StableChatError

_POLL_SECONDS = 0.1


class DrainingError(StableChatError):
    """The server is ending."""


class Drain:
    """What runs on a server.

    Args:
        folder: Of the server.
    """

    def __init__(self, folder: Path) -> None:
        self._running = folder / "running"
        self._flag = folder / "draining"
        self._running.mkdir(parents=True, exist_ok=True)

    @property
    def is_draining(self) -> bool:
        """Whether the server is ending."""
        return self._flag.exists()

    @contextmanager
    def running(self, request_id: str, *, is_part: bool = False) -> Iterator[None]:
        """Be known to run.

        Args:
            request_id: Whose question it is.
            is_part: Whether it belongs to something that runs, which is finished.

        Raises:
            DrainingError: The server is ending.
        """
        if self.is_draining and not is_part:
            raise DrainingError("The server is being stopped; ask again in a minute.")
        mark = self._running / f"{request_id}.{time.monotonic_ns()}"
        mark.touch()
        try:
            yield
        finally:
            mark.unlink(missing_ok=True)

    def finish(self, grace_seconds: float) -> bool:
        """Let nothing begin, and wait for what runs.

        Returns:
            Whether all has ended.
        """
        self._flag.touch()
        until = time.monotonic() + grace_seconds
        while any(self._running.iterdir()):
            if time.monotonic() >= until:
                return False
            time.sleep(_POLL_SECONDS)
        return True
