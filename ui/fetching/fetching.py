"""Fetching what a link leads to, as an upload of the tab that asked."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field
from pathlib import Path

import gradio as gr

from stablechat.errors import CancelledError, StableChatError
from stablechat.links import Fetched, FetchLimits, fetch_video
from stablechat.links.fetching import Connect
from stablechat.links.network import CheckedNetwork
from ui.drawing import line
from ui.fetching.widgets import LinkWidgets
from ui.i18n import Language, text
from ui.jobs import Job
from ui.running import POLL_SECONDS, Update, buttons, finish, language_asked
from ui.session import Sessions
from ui.translation import in_language

#: Of all tabs together.
MOST_AT_ONCE = 4
_MEBIBYTE = 1 << 20


@dataclass
class Fetcher:
    """Fetches for all tabs.

    Attributes:
        max_bytes: Of a file.
        has_room: Whether so many bytes more may be written.
        connect: See :func:`stablechat.links.fetch_video`.
    """

    max_bytes: int
    has_room: Callable[[int], bool] = lambda wanted_bytes: True
    connect: Connect = CheckedNetwork

    def fetch(self, link: str, folder: Path, job: Job[Fetched]) -> Fetched:
        """Fetch a file; called in the job's thread.

        Raises:
            StableChatError: With one plain line.
        """
        limits = FetchLimits(max_bytes=self.max_bytes, has_room=self.has_room)
        return fetch_video(
            link,
            folder,
            limits,
            on_progress=job.report_bytes,
            cancelled=job.cancelled,
            connect=self.connect,
        )


@dataclass
class LinkFetching:
    """The event handlers of the field.

    Attributes:
        sessions: Where each tab's files go.
        fetcher: Fetches.
        page: The controls.
        video: Takes what was fetched.
    """

    sessions: Sessions
    fetcher: Fetcher
    page: LinkWidgets
    video: gr.Video
    _jobs: dict[str, Job[Fetched]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def outputs(self) -> list[gr.blocks.Block]:
        """What fetching changes."""
        page = self.page
        return [self.video, page.link, page.fetch, page.stop, page.line]

    async def fetch(self, link: str, request: gr.Request) -> AsyncIterator[Update]:
        """Fetch what a link leads to, and put it in the form."""
        language, page = language_asked(request), self.page
        job: Job[Fetched] = Job(lambda job: self._fetch(link or "", job))
        key = request.session_hash or ""
        if not self._begin(key, job):
            yield {page.line: line(text(language, "link_busy"), alert=True)}
            return
        try:
            yield self._buttons(True)
            while not job.done:
                yield {page.line: line(_progress(language, job))}
                await asyncio.sleep(POLL_SECONDS)
            yield self._ended(job, language) | self._buttons(False)
        finally:
            await finish(job)

    def _fetch(self, link: str, job: Job[Fetched]) -> Fetched:
        with self.sessions.upload_folder() as folder:
            return self.fetcher.fetch(link, folder, job)

    def _begin(self, key: str, job: Job[Fetched]) -> bool:
        """Start a job, unless the tab has one or there are many."""
        with self._lock:
            self._jobs = {k: each for k, each in self._jobs.items() if not each.done}
            if key in self._jobs or len(self._jobs) >= MOST_AT_ONCE:
                return False
            self._jobs[key] = job
            job.start()
        return True

    def _ended(self, job: Job[Fetched], language: Language) -> Update:
        page = self.page
        try:
            fetched = job.result()
        except CancelledError:
            return {page.line: line(text(language, "link_stopped"))}
        except StableChatError as error:
            return {page.line: line(in_language(language, error), alert=True)}
        except Exception:  # The job has logged it.
            return {page.line: line(text(language, "unexpected"), alert=True)}
        done = line(text(language, "link_done", name=fetched.path.name))
        return {self.video: str(fetched.path), page.link: "", page.line: done}

    async def stop(self, request: gr.Request) -> Update:
        """Stop fetching; nothing of the file stays, unless it just came."""
        language = language_asked(request)
        job = self._jobs.get(request.session_hash or "")
        if job is None:
            return self._buttons(False)
        await finish(job)
        if not job.done:
            stopped = line(text(language, "link_stopped"))
            return self._buttons(False) | {self.page.line: stopped}
        return self._ended(job, language) | self._buttons(False)

    def _buttons(self, running: bool) -> Update:
        return buttons(self.page.fetch, self.page.stop, running)


def _progress(language: Language, job: Job[Fetched]) -> str:
    done, total = job.progress.bytes
    if not done:
        return text(language, "link_asking")
    so_far = {"done": f"{done / _MEBIBYTE:.1f}"}
    if total is None:
        return text(language, "link_fetching", **so_far)
    return text(
        language, "link_fetching_of", **so_far, total=f"{total / _MEBIBYTE:.1f}"
    )
