"""Folders for what the page makes, one per browser tab, cleaned up after it.

Everything lives under one private folder of this process, which is also Gradio's
cache: a file inside it is served as it is, so that removing it here removes the only
copy. ::

    stablechat-PID-xxxx/            mode 0700, removed at exit
        <hash>/kitchen.mp4          uploads; Gradio removes them by age
        sessions/<token>/<n>/       one run of one tab
        sessions/<token>/<n>/<m>/   its clip, cut again
"""

from __future__ import annotations

import itertools
import logging
import os
import re
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from ui.jobs import Job

if TYPE_CHECKING:
    # Not at run time: this module is imported before Gradio is.
    from ui.files import ResultFiles
    from ui.pipeline import Outcome

logger = logging.getLogger(__name__)

#: A tab left alone for longer loses its files.
MAX_AGE_SECONDS = 6 * 3600
#: How often that is looked at.
SWEEP_SECONDS = 300
#: Runs of one tab that are kept; the page shows the last.
KEPT_RUNS = 3

_OWN_HOSTS = ("127.0.0.1", "localhost", "::1")
_PROXIES = ("http_proxy", "https_proxy", "all_proxy")

# Variables by which Gradio's environment would widen what is served, or where.
_UNSAFE_VARIABLES = (
    "GRADIO_ALLOWED_PATHS",
    "GRADIO_ANALYTICS_ENABLED",
    "GRADIO_DEBUG",
    "GRADIO_EXAMPLES_CACHE",
    "GRADIO_HISTORY_BUCKET",
    "GRADIO_MCP_SERVER",
    "GRADIO_NUM_WORKERS",
    "GRADIO_SERVER_NAME",
    "GRADIO_SHARE",
    "GRADIO_SSR_MODE",
    "GRADIO_VIBE_MODE",
    "GRADIO_WATCH_DIRS",
)

_PREFIX = "stablechat-"


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
    """One tab's folder, its running job and its last answer.

    Attributes:
        folder: Of all its runs.
        touched: When it was last used.
        job: The last one.
        phase: Where its question is.
        result: The answer that the page shows.
        files: Of that answer, once they were written.
        looked_seconds: The moment whose picture was shown to correct its box.
        asked_look: What was drawn on to ask about it.
        revision: The folder that the last files were written to.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.touched = time.monotonic()
        self.job: Job[Any] | None = None
        self.phase: Phase = "idle"
        self.result: Outcome | None = None
        self.files: ResultFiles | None = None
        self.looked_seconds: float | None = None
        self.asked_look: Look | None = None
        self.revision = folder
        self._revisions: list[Path] = []
        self._numbers = itertools.count(1)

    @property
    def busy(self) -> bool:
        """Whether a job of this tab is running and was not told to stop."""
        job = self.job
        return job is not None and not job.done and not job.cancelled()

    def new_run(self) -> Path:
        """An empty folder for one run; the oldest ones go."""
        self.touched = time.monotonic()
        number = next(self._numbers)
        stale = self.folder / str(number - KEPT_RUNS)
        shutil.rmtree(stale, ignore_errors=True)
        folder = self.folder / str(number)
        folder.mkdir(parents=True, mode=0o700)
        self.result, self.files, self.looked_seconds = None, None, None
        self.revision, self._revisions = folder, []
        return folder

    def new_look(self) -> Path:
        """The folder of pictures to draw a question on; old ones go."""
        self.touched = time.monotonic()
        folder = self.folder / "looks"
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True, mode=0o700)
        return folder

    def new_revision(self) -> Path:
        """An empty folder inside the run's, for its clip cut again; old ones go."""
        self.touched = time.monotonic()
        # The last one is still looked at until the new one is there.
        for stale in self._revisions[:-1]:
            shutil.rmtree(stale, ignore_errors=True)
        run = self.revision.parent if self._revisions else self.revision
        folder = Path(tempfile.mkdtemp(prefix="again-", dir=run))
        self._revisions = [*self._revisions[-1:], folder]
        self.revision = folder
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
        root: The private folder, see :func:`private_root`.
        clock: Seconds that only grow; for tests.
    """

    def __init__(
        self, root: Path, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.root = root.resolve()
        self._folder = self.root / "sessions"
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._clock = clock
        self._sessions: dict[str, Session] = {}
        self._lock = threading.Lock()
        self._closing = threading.Event()

    def get(self, key: str) -> Session:
        """The tab's session, made when it is new.

        Args:
            key: The browser's session hash. It comes from outside, so it is only
                looked up and never becomes part of a path.
        """
        with self._lock:
            session = self._sessions.get(key)
            if session is None:
                session = Session(self._folder / secrets.token_urlsafe(16))
                self._sessions[key] = session
            session.touched = self._clock()
            return session

    def end(self, key: str) -> None:
        """The tab was closed: stop its job and remove its files."""
        with self._lock:
            session = self._sessions.pop(key, None)
        if session is not None:
            session.close()

    def owns_upload(self, path: Path) -> bool:
        """Whether a path is an upload (or an example) and not another tab's result.

        Gradio checks that a path is inside its cache; the results are in there too.
        """
        resolved = path.resolve()
        return resolved.is_relative_to(self.root) and not resolved.is_relative_to(
            self._folder
        )

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
        _remove_empty_folders(self.root, keep=self._folder)

    def start_sweeping(self) -> None:
        """Sweep now and then, in the background, until closed."""
        threading.Thread(
            target=self._sweep_until_closed, name="stablechat-sweep", daemon=True
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

    def _sweep_until_closed(self) -> None:
        while not self._closing.wait(SWEEP_SECONDS):
            try:
                self.sweep()
            except OSError:
                logger.exception("Could not clean up old files.")


def private_root(parent: Path | None = None) -> Path:
    """Make this process's private folder, and remove those of dead processes.

    Args:
        parent: Where; by default the system's temporary folder.
    """
    parent = Path(parent or tempfile.gettempdir())
    _remove_orphans(parent)
    return Path(
        tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=parent)
    ).resolve()


def harden_environment(environ: MutableMapping[str, str], root: Path) -> None:
    """Drop Gradio's variables that widen access, and make its cache private.

    Call before Gradio is imported: it reads some of them only then.

    Args:
        environ: ``os.environ``.
        root: See :func:`private_root`.
    """
    for name in _UNSAFE_VARIABLES:
        environ.pop(name, None)
    environ["GRADIO_ANALYTICS_ENABLED"] = "False"
    environ["GRADIO_TEMP_DIR"] = str(root)
    _reach_self_without_proxy(environ)


def _reach_self_without_proxy(environ: MutableMapping[str, str]) -> None:
    """Gradio asks its own page whether it is up; a proxy could not answer that."""
    if not any(name.lower() in _PROXIES for name in environ):
        return
    for name in ("NO_PROXY", "no_proxy"):
        given = [host for host in environ.get(name, "").split(",") if host.strip()]
        environ[name] = ",".join([*given, *_OWN_HOSTS])


def _remove_orphans(parent: Path) -> None:
    # A process that was killed could not clean up after itself.
    for folder in parent.glob(f"{_PREFIX}*-*"):
        match = re.fullmatch(rf"{_PREFIX}(\d+)-\w+", folder.name)
        if match and _is_ours(folder) and not _is_alive(int(match[1])):
            shutil.rmtree(folder, ignore_errors=True)


def _is_ours(folder: Path) -> bool:
    if folder.is_symlink() or not folder.is_dir():
        return False
    # Windows has no owner ids; its temporary folder is the user's own.
    return not hasattr(os, "getuid") or folder.stat().st_uid == os.getuid()


def _is_alive(pid: int) -> bool:
    if os.name == "nt":
        # There os.kill(pid, 0) would end the process, so nothing is removed.
        return True
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _remove_empty_folders(root: Path, *, keep: Path) -> None:
    """Gradio removes old uploads but leaves their folders."""
    hour_ago = time.time() - 3600
    for folder in root.iterdir():
        # A fresh one may be about to receive an upload.
        if folder == keep or not folder.is_dir() or folder.stat().st_mtime > hour_ago:
            continue
        try:
            folder.rmdir()
        except OSError:
            pass  # Not empty.
