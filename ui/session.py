"""Folders for what the page makes, one per browser tab, cleaned up after it.

Everything lives under one private folder of this process, which is also Gradio's
cache: a file inside it is served as it is, so that removing it here removes the only
copy. ::

    stablechat-PID-xxxx/            mode 0700, removed at exit
        <hash>/kitchen.mp4          uploads; ui.disk removes them
        sessions/<token>/<n>/       one run of one tab
        sessions/<token>/<n>/<m>/   its clip, cut again

A tab that goes away (closed, reloaded, asleep) is *left*: its job ends at once, its
files stay for :data:`GRACE_SECONDS`. A page that is loaded again in the same tab shows
the secret that the tab kept and gets the session; nobody else has that secret, and
while a tab is open its session can't be claimed at all.

Where a :class:`ui.keeping.store.Store` keeps them, answers also survive the end of the
process, however it ends, and wait :data:`KEPT_SECONDS` for their browser.
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import secrets
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from ui.root import remove_empty_folders
from ui.tab import Session, digest

if TYPE_CHECKING:
    # Not at run time: this module is imported before Gradio is.
    import gradio as gr

    from ui.keeping.store import Store

logger = logging.getLogger(__name__)

#: A tab left alone for longer loses its files.
MAX_AGE_SECONDS = 6 * 3600
#: The same of a program, which takes its answer at once; plain HTTP can't say that it
#: leaves.
PROGRAM_SECONDS = 600
#: How often that is looked at.
SWEEP_SECONDS = 300
#: How often the disk is looked at.
TIDY_SECONDS = 15
#: How long a tab that is gone can come back; then its files go.
GRACE_SECONDS = 60.0
#: The same of answers that are kept; a tab that is left alone keeps them as long.
KEPT_SECONDS = 30 * 24 * 3600.0
_TICK_SECONDS = 1.0
# How long the server may take to notice that a tab is gone.
_NOTICE_SECONDS = 3.0
_POLL_SECONDS = 0.1


class Sessions:
    """All tabs of one server. ``close`` it, or use it as a context manager.

    Args:
        root: The private folder, see :func:`ui.root.private_root`.
        clock: Seconds that only grow; for tests.
        grace_seconds: How long a tab that is gone can come back.
        store: Keeps the answers over a restart, and the root with them.
    """

    def __init__(
        self,
        root: Path,
        *,
        clock: Callable[[], float] = time.monotonic,
        grace_seconds: float | None = None,
        store: Store | None = None,
    ) -> None:
        self.root = root.resolve()
        self._folder = self.root / "sessions"
        self._folder.mkdir(mode=0o700, exist_ok=True)
        self._clock = clock
        self._grace_seconds = GRACE_SECONDS if grace_seconds is None else grace_seconds
        self._sessions: dict[str, Session] = {}
        self._lock = threading.Lock()
        self._closing = threading.Event()
        self._forgotten: set[Path] = set()
        self._store = store
        if store is not None:
            self._restore(store)

    def _restore(self, store: Store) -> None:
        for session, seconds_ago in store.load(self._folder):
            session.touched = session.left = self._clock() - seconds_ago
            # Nobody's tab is called so.
            self._sessions[secrets.token_urlsafe(32)] = session

    @property
    def keeps(self) -> bool:
        """Whether answers survive a restart."""
        return self._store is not None

    @property
    def folders(self) -> tuple[Path, ...]:
        """All that takes room on the disk."""
        return (self.root,) if self._store is None else (self.root, self._store.state)

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
                folder = self._folder / secrets.token_urlsafe(16)
                session = Session(folder, owner, self._store)
                self._sessions[key] = session
            # A connection that was lost and came back is no tab that is gone.
            session.touched, session.left = self._clock(), None
            return session

    def of(self, request: gr.Request) -> Session:
        """The session of the tab that a request is from."""
        return self.get(request.session_hash or "", _person(request))

    def of_page(self, request: gr.Request) -> Session:
        """The same, of an event that only the page has.

        A tab may have lost its session meanwhile: its connection broke before it asked
        anything, or it was left alone. What it does now begins another one.
        """
        session = self.of(request)
        session.is_page = True
        return session

    async def claim_any(self, request: gr.Request, known: Sequence[str]) -> bool:
        """As :meth:`claim`, with whichever of several secrets opens something.

        Args:
            request: Of the tab that was loaded.
            known: The tab's own secret, if it has one, and those of other tabs that
                its browser had.
        """
        if known and known[0] and await self.claim_soon(request, known[0]):
            return True
        key, person = request.session_hash or "", _person(request)
        return any(self.claim(key, secret, person) for secret in known[1:] if secret)

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
        given = digest(secret)
        return any(
            [secrets.compare_digest(each.secret_digest, given) for each in sessions]
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
            session = self._sessions.pop(old)
            replaced = self._sessions.get(key)
            self._sessions[key] = session
            session.touched, session.left = self._clock(), None
            session.secret = secret
        if replaced is not None:
            replaced.close()
        return True

    def _left_with(self, secret: str, owner: str | None) -> str | None:
        """The key of a left session; every secret is looked at, equal or not."""
        given, found = digest(secret), None
        for key, session in self._sessions.items():
            fits = secrets.compare_digest(session.secret_digest, given)
            if fits and session.left is not None and session.owner == owner:
                found = key
        return found

    def forget(self, request: gr.Request, others: Sequence[str]) -> None:
        """Remove a tab's answers, and all that its browser's closed tabs left.

        The uploads that they were about go soon, unless something else is about them.

        Args:
            request: Of the tab, which has no job.
            others: What its browser kept of other tabs; those that are open stay.
        """
        session = self.of(request)
        uploads = session.videos
        session.forget()
        for secret in filter(None, others):
            with self._lock:
                left = self._left_with(secret, _person(request))
                gone = self._sessions.get(left) if left is not None else None
            if left is not None and gone is not None:
                uploads |= gone.videos
                self.end(left)
        with self._lock:
            self._forgotten |= {path.resolve() for path in uploads}

    @property
    def forgotten(self) -> set[Path]:
        """The uploads of forgotten answers that are still there."""
        with self._lock:
            self._forgotten = {path for path in self._forgotten if path.exists()}
            return set(self._forgotten)

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
        else:
            session.save()

    def end(self, key: str) -> None:
        """Stop a tab's job and remove its files."""
        with self._lock:
            session = self._sessions.pop(key, None)
        if session is not None:
            session.close()

    def end_if_left(self, key: str) -> None:
        """As :meth:`end`, unless its tab came back."""
        with self._lock:
            session = self._sessions.get(key)
            if session is None or session.left is None:
                return
            del self._sessions[key]
        session.close()

    def all(self) -> dict[str, Session]:
        """Every session by its key, as it is now."""
        with self._lock:
            return dict(self._sessions)

    @contextmanager
    def upload_folder(self) -> Iterator[Path]:
        """A folder for a file that comes in another way than by Gradio.

        It is gone if the file does not come.
        """
        folder = self.root / secrets.token_hex(32)
        folder.mkdir(mode=0o700)
        try:
            yield folder
        except BaseException:
            shutil.rmtree(folder, ignore_errors=True)
            raise

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
        now = self._clock()
        with self._lock:
            gone = [
                key
                for key, session in self._sessions.items()
                if session.left is not None
                and session.left <= now - self._grace(session)
            ]
        for key in gone:
            self.end_if_left(key)

    def _grace(self, session: Session) -> float:
        """How long a session waits for its tab."""
        kept = self._store is not None and session.runs
        return KEPT_SECONDS if kept else self._grace_seconds

    def sweep(self) -> None:
        """Remove what nobody uses for long; whatever runs or waits is used."""
        now = self._clock()
        with self._lock:
            for session in self._sessions.values():
                if session.working:
                    session.touched = now
            stale = [
                key
                for key, session in self._sessions.items()
                if session.touched < now - self._most_idle(session)
            ]
        for key in stale:
            logger.info("Removing the files of a tab or program that is idle.")
            self.end(key)
        remove_empty_folders(self.root, keep=self._folder)

    def _most_idle(self, session: Session) -> float:
        """How long a session may be left alone."""
        if not session.is_page:
            return PROGRAM_SECONDS
        return MAX_AGE_SECONDS if self._store is None else KEPT_SECONDS

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
        """End every session and remove the root, or let them rest where they are kept.

        May be called twice.
        """
        self._closing.set()
        for key, session in self.all().items():
            if self._store is not None and session.is_page and session.runs:
                session.rest()
            else:
                self.end(key)
        if self._store is None:
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
