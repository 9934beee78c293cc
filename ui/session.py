"""Folders for what the page makes, one per browser tab, cleaned up after it.

Everything lives under one private folder of this process, which is also Gradio's
cache: a file inside it is served as it is, so that removing it here removes the only
copy. ::

    stablechat-PID-xxxx/            mode 0700, removed at exit
        <hash>/kitchen.mp4          uploads; Gradio removes them by age
        sessions/<token>/<n>/       one run of one tab
        sessions/<token>/<n>/<m>/   its clip, cut again

A tab that goes away (closed, reloaded, asleep) is *left*: its job ends at once, its
files stay for :data:`GRACE_SECONDS`. A page that is loaded again in the same tab shows
the secret that the tab kept and gets the session; nobody else has that secret, and
while a tab is open its session can't be claimed at all.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import logging
import secrets
import shutil
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from render.encoding import DEFAULT_OPTIONS
from ui.jobs import Job
from ui.root import remove_empty_folders
from ui.runs import Run

if TYPE_CHECKING:
    # Not at run time: this module is imported before Gradio is.
    import gradio as gr

    from ui.asks import Ask
    from ui.batch import Batch

logger = logging.getLogger(__name__)

#: A tab left alone for longer loses its files.
MAX_AGE_SECONDS = 6 * 3600
#: How often that is looked at.
SWEEP_SECONDS = 300
#: How often the disk is looked at.
TIDY_SECONDS = 15
#: How long a tab that is gone can come back; then its files go.
GRACE_SECONDS = 60.0
#: Runs of one tab that are kept.
KEPT_RUNS = 30
#: The same of a program, which asks for what it wants at once and never comes back.
KEPT_PROGRAM_RUNS = 3

_TICK_SECONDS = 1.0
# How long the server may take to notice that a tab is gone.
_NOTICE_SECONDS = 3.0
_POLL_SECONDS = 0.1

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
        secret: What the tab shows to get it back after a reload.
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

    def __init__(self, folder: Path, owner: str | None = None) -> None:
        self.folder = folder
        self.owner = owner
        self.secret = secrets.token_urlsafe(32)
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
        self._numbers = itertools.count(1)

    @property
    def busy(self) -> bool:
        """Whether a job of this tab is running and was not told to stop."""
        job = self.job
        return job is not None and not job.done and not job.cancelled()

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
            stale.remove()

    def drop(self, run: Run) -> None:
        """A run has to go: the disk is full."""
        self.runs = [each for each in self.runs if each is not run]
        run.remove()

    @property
    def videos(self) -> set[Path]:
        """The uploads that the form and the answers are about."""
        asked = {ask.video for ask in self.asked}
        answered = {path for run in self.runs for path in run.videos}
        return asked | answered | ({self.video} if self.video else set())

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

    def close(self) -> None:
        """Stop the job and remove the folder."""
        if self.job is not None:
            self.job.cancel()
            self.job.join(timeout_seconds=5)
        shutil.rmtree(self.folder, ignore_errors=True)


class Sessions:
    """All tabs of one server. ``close`` it, or use it as a context manager.

    Args:
        root: The private folder, see :func:`ui.root.private_root`.
        clock: Seconds that only grow; for tests.
        grace_seconds: How long a tab that is gone can come back.
    """

    def __init__(
        self,
        root: Path,
        *,
        clock: Callable[[], float] = time.monotonic,
        grace_seconds: float | None = None,
    ) -> None:
        self.root = root.resolve()
        self._folder = self.root / "sessions"
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._clock = clock
        self._grace_seconds = GRACE_SECONDS if grace_seconds is None else grace_seconds
        self._sessions: dict[str, Session] = {}
        self._lock = threading.Lock()
        self._closing = threading.Event()

    def get(self, key: str, owner: str | None = None) -> Session:
        """The tab's session, made when it is new.

        Args:
            key: The browser's session hash. It comes from outside, so it is only
                looked up and never becomes part of a path.
            owner: Who is logged in, for a new one.
        """
        with self._lock:
            session = self._sessions.get(key)
            if session is None:
                session = Session(self._folder / secrets.token_urlsafe(16), owner)
                self._sessions[key] = session
            # A connection that was lost and came back is no tab that is gone.
            session.touched, session.left = self._clock(), None
            return session

    def of(self, request: gr.Request) -> Session:
        """The session of the tab that a request is from."""
        return self.get(request.session_hash or "", _person(request))

    async def claim_soon(self, request: gr.Request, secret: str) -> bool:
        """As :meth:`claim`; the server may still be about to notice that a tab is gone.

        Args:
            request: Of the tab that was loaded again.
            secret: What it kept.
        """
        key, deadline = request.session_hash or "", self._clock() + _NOTICE_SECONDS
        while self._knows(secret):
            if self.claim(key, secret, _person(request)):
                return True
            if self._clock() > deadline:
                break
            await asyncio.sleep(_POLL_SECONDS)
        return False

    def _knows(self, secret: str) -> bool:
        with self._lock:
            sessions = list(self._sessions.values())
        given = _digest(secret)
        return any(
            [secrets.compare_digest(_digest(each.secret), given) for each in sessions]
        )

    def claim(self, key: str, secret: str, owner: str | None = None) -> bool:
        """Give a tab that was loaded again its session back.

        Args:
            key: Its new session hash.
            secret: What the tab kept.
            owner: Who is logged in, or None.

        Returns:
            Whether there was one: the secret fits, its tab is gone, and the same
            person is logged in.
        """
        with self._lock:
            old = self._left_with(secret, owner)
            if old is None:
                return False
            replaced = self._sessions.get(key)
            session = self._sessions.pop(old)
            self._sessions[key] = session
            session.touched, session.left = self._clock(), None
        if replaced is not None:
            replaced.close()
        return True

    def _left_with(self, secret: str, owner: str | None) -> str | None:
        """The key of a left session; every secret is looked at, equal or not."""
        given, found = _digest(secret), None
        for key, session in self._sessions.items():
            fits = secrets.compare_digest(_digest(session.secret), given)
            if fits and session.left is not None and session.owner == owner:
                found = key
        return found

    def leave(self, key: str) -> None:
        """The tab went away: stop its job; its files stay for a while."""
        with self._lock:
            session = self._sessions.get(key)
            if session is None:
                return
            session.left = self._clock()
            job = session.job
        if job is not None:
            job.cancel()
        if not session.is_page or not session.worth_keeping:
            self.end(key)

    def end(self, key: str) -> None:
        """Stop a tab's job and remove its files."""
        with self._lock:
            session = self._sessions.pop(key, None)
        if session is not None:
            session.close()

    def all(self) -> dict[str, Session]:
        """Every session by its key, as it is now."""
        with self._lock:
            return dict(self._sessions)

    def owns_upload(self, path: Path) -> bool:
        """Whether a path is an upload (or an example) and not another tab's result.

        Gradio checks that a path is inside its cache; the results are in there too.
        """
        resolved = path.resolve()
        return resolved.is_relative_to(self.root) and not resolved.is_relative_to(
            self._folder
        )

    def end_left(self) -> None:
        """Remove what tabs left behind that did not come back."""
        latest = self._clock() - self._grace_seconds
        with self._lock:
            gone = [
                key
                for key, session in self._sessions.items()
                if session.left is not None and session.left <= latest
            ]
        for key in gone:
            self.end(key)

    def sweep(self) -> None:
        """Remove what nobody has used for :data:`MAX_AGE_SECONDS`."""
        oldest = self._clock() - MAX_AGE_SECONDS
        with self._lock:
            stale = [
                key
                for key, session in self._sessions.items()
                if session.touched < oldest and not session.busy
            ]
        for key in stale:
            logger.info("Removing the files of a tab that was left alone.")
            self.end(key)
        remove_empty_folders(self.root, keep=self._folder)

    def start_sweeping(self, tidy: Callable[[], object] = lambda: None) -> None:
        """Sweep now and then, in the background, until closed.

        Args:
            tidy: Called every :data:`TIDY_SECONDS`.
        """
        threading.Thread(
            target=self._sweep_until_closed,
            args=(tidy,),
            name="stablechat-sweep",
            daemon=True,
        ).start()

    def close(self) -> None:
        """End every session and remove the root. May be called twice."""
        self._closing.set()
        for key in list(self._sessions):
            self.end(key)
        shutil.rmtree(self.root, ignore_errors=True)

    def __enter__(self) -> Sessions:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _sweep_until_closed(self, tidy: Callable[[], object]) -> None:
        ticks = itertools.count(1)
        while not self._closing.wait(_TICK_SECONDS):
            try:
                self.end_left()
                tick = next(ticks)
                if tick % round(TIDY_SECONDS / _TICK_SECONDS) == 0:
                    tidy()
                if tick % round(SWEEP_SECONDS / _TICK_SECONDS) == 0:
                    self.sweep()
            except OSError:
                logger.exception("Could not clean up old files.")


def _person(request: gr.Request) -> str | None:
    """Who is logged in."""
    return getattr(request, "username", None)


def _digest(secret: str) -> bytes:
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()
