"""One browser tab: its folder, its running job and its answers."""

from __future__ import annotations

import hashlib
import itertools
import logging
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from render.encoding import DEFAULT_OPTIONS
from stablechat.errors import StableChatError
from ui.jobs import Job
from ui.runs import Run

if TYPE_CHECKING:
    # Not at run time: this module is imported before Gradio is.
    from ui.asks import Ask
    from ui.batch import Batch
    from ui.keeping.store import Store

logger = logging.getLogger(__name__)

#: Runs of one tab that are kept.
KEPT_RUNS = 30
#: The same of a program, which asks for what it wants at once and never comes back.
KEPT_PROGRAM_RUNS = 3

#: Where a tab's question is. Gradio reports a question that was stopped while it
#: waited like one that was refused; this tells them apart.
Phase = Literal["idle", "waiting", "running", "cutting", "exporting", "stopped"]


@dataclass(frozen=True)
class Look:
    """A picture of a video that was shown to be drawn on.

    Attributes:
        video: The file.
        seconds: Its moment, in whole milliseconds.
    """

    video: Path
    seconds: float


class Session:
    """One tab's folder, its running job and its answers.

    Attributes:
        folder: Of all its runs.
        owner: Who is logged in, or None.
        secret: What the tab shows to get it back after a reload; empty until it does
            so after a restart, which only the digest survived.
        secret_digest: SHA-256 of it.
        is_page: Whether it is a tab; programs use the endpoints only.
        touched: When it was last used.
        left: When its tab went away; None while it is there.
        job: The last one.
        phase: Where its question is.
        runs: The answered ones, oldest first.
        run: The one that the page shows.
        video: What was uploaded last and is still in the form.
        asked: What was asked last.
        batch: What has become of it.
        asked_look: What was drawn on to ask about it.
        style: How the last clip was cut and drawn.
    """

    def __init__(
        self, folder: Path, owner: str | None = None, store: Store | None = None
    ) -> None:
        self.folder = folder
        self.owner = owner
        self.secret = secrets.token_urlsafe(32)
        self.secret_digest = digest(self.secret)
        self.is_page = False
        self.touched = time.monotonic()
        self.left: float | None = None
        self.job: Job[Any] | None = None
        self.phase: Phase = "idle"
        self.runs: list[Run] = []
        self.run: Run | None = None
        self.video: Path | None = None
        self.asked: tuple[Ask, ...] = ()
        self.batch: Batch | None = None
        self.asked_look: Look | None = None
        self.style = DEFAULT_OPTIONS
        self._store = store
        self._closed = False
        self._working: list[Ask] = []
        self._numbers = itertools.count(1)

    @property
    def busy(self) -> bool:
        """Whether a job of this tab is running and was not told to stop."""
        job = self.job
        return job is not None and not job.done and not job.cancelled()

    @property
    def working(self) -> bool:
        """Whether anything is computed or waits for it; programs ask at once."""
        return self.busy or bool(self._working)

    @property
    def worth_keeping(self) -> bool:
        """Whether a tab that is loaded again would miss something."""
        return bool(self.runs or self.asked or self.video)

    def new_run(self) -> Run:
        """A run with an empty folder; not one of :attr:`runs` yet."""
        self.touched = time.monotonic()
        key = str(next(self._numbers))
        folder = self.folder / key
        folder.mkdir(parents=True, mode=0o700)
        return Run(key, folder)

    def keep(self, run: Run) -> None:
        """A run was answered; the oldest ones go."""
        kept = KEPT_RUNS if self.is_page else KEPT_PROGRAM_RUNS
        runs = [*self.runs, run]
        self.runs = runs[-kept:]
        for stale in runs[:-kept]:
            self._remove(stale)
        self.save(run)

    def drop(self, run: Run) -> None:
        """A run has to go: the disk is full."""
        self.runs = [each for each in self.runs if each is not run]
        self._remove(run)

    def forget(self) -> None:
        """All answers go, and what was asked; the form's video stays."""
        for run in self.runs:
            self._remove(run)
        self.runs, self.run, self.batch, self.asked = [], None, None, ()
        if self._store is not None:
            self._store.forget(self)

    def _remove(self, run: Run) -> None:
        run.remove()
        if self._store is not None:
            self._store.forget_run(self, run)

    def save(self, run: Run | None = None) -> None:
        """Write down what has to survive a restart, where anything has.

        Args:
            run: An answer that is new or was changed.
        """
        if self._store is None or self._closed or not (self.is_page and self.runs):
            return
        try:
            if run is not None:
                self._store.save_run(self, run)
            self._store.save(self)
        except StableChatError as error:
            logger.warning("An answer will not survive a restart: %s", error)

    def restore_runs(self, runs: Iterable[Run], shown: str | None) -> None:
        """The answers that survived a restart, the oldest first."""
        self.runs = list(runs)
        self.run = self.find(shown)
        last = max((int(run.key) for run in self.runs), default=0)
        self._numbers = itertools.count(last + 1)

    @property
    def videos(self) -> set[Path]:
        """The uploads that the form and the answers are about."""
        return self.videos_without(())

    def videos_without(self, gone: Iterable[Run]) -> set[Path]:
        """Those there would be without some of the answers."""
        left_out = {run.key for run in gone}
        kept = [run for run in self.runs if run.key not in left_out]
        asked = {ask.video for ask in (*self.asked, *self._working)}
        answered = {path for run in kept for path in run.videos}
        return asked | answered | ({self.video} if self.video else set())

    @contextmanager
    def working_on(self, ask: Ask) -> Iterator[None]:
        """While a program's question waits or is answered, its upload is in use."""
        self._working.append(ask)
        try:
            yield
        finally:
            self._working.remove(ask)

    def find(self, key: str | None) -> Run | None:
        """The run that the page calls so, if there is one."""
        return next((run for run in self.runs if run.key == key), None)

    def new_look(self) -> Path:
        """The folder of pictures to draw a question on; old ones go."""
        self.touched = time.monotonic()
        folder = self.folder / "looks"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, mode=0o700)
        return folder

    def rest(self) -> None:
        """Stop the job; what was answered stays."""
        self._stop()
        self.save()

    def _stop(self) -> None:
        if self.job is not None:
            self.job.cancel()
            self.job.join(timeout_seconds=5)

    def close(self) -> None:
        """Stop the job and remove the folder."""
        self._stop()
        self._closed = True
        shutil.rmtree(self.folder, ignore_errors=True)
        if self._store is not None:
            self._store.forget(self)


def digest(secret: str) -> bytes:
    """What of a secret may be written down."""
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()
