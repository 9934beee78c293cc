"""How far a download from the hub is, and a way to stop it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from huggingface_hub import utils

from stablechat.errors import CancelledError


@dataclass(frozen=True)
class Watch:
    """Looks on while something is fetched or loaded.

    Attributes:
        on_progress: Called with a stage (``"fetch"``, ``"load"``) and the share of it
            that is done, 0..1.
        cancelled: Asked often; True stops.
    """

    on_progress: Callable[[str, float], None] = lambda stage, fraction: None
    cancelled: Callable[[], bool] = lambda: False

    def report(self, stage: str, fraction: float) -> None:
        """Say how far it is, unless it is to stop.

        Raises:
            CancelledError: ``cancelled`` said so.
        """
        if self.cancelled():
            raise CancelledError("Stopped.")
        self.on_progress(stage, min(max(fraction, 0.0), 1.0))


#: Nobody looks on.
UNWATCHED = Watch()


def progress_bar(watch: Watch, total_bytes: int) -> type[Any]:
    """A class to give to ``snapshot_download`` as its ``tqdm_class``.

    Its bars draw nothing. The library has one for the bytes that came over the network
    and one for those that were written; the one that is ahead counts.

    Args:
        watch: Is told; a download that is to stop ends at the next piece.
        total_bytes: Of all files; the library learns that only by and by.
    """

    class Bar(utils.tqdm):  # type: ignore[name-defined, misc, unused-ignore]
        """Counts the bytes."""

        def __init__(self, *args: Any, **kwargs: Any) -> None:
            self._counts_bytes = kwargs.get("unit") == "B"
            self._bytes = float(kwargs.get("initial") or 0)
            super().__init__(  # type: ignore[no-untyped-call, unused-ignore]
                *args, **{**kwargs, "disable": True}
            )

        def update(self, n: float | None = 1) -> Any:
            """More bytes are there."""
            self._bytes += n or 0
            if self._counts_bytes and total_bytes:
                watch.report("fetch", self._bytes / total_bytes)
            return super().update(n)

    return Bar
