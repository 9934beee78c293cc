"""What opening the list of files does: the other formats are written then."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass

import gradio as gr

from stablechat.errors import CancelledError, StableChatError
from ui.drawing import line
from ui.files import ResultFiles, write_files
from ui.i18n import Language, text
from ui.jobs import Job
from ui.results.filelist import file_list
from ui.running import POLL_SECONDS, Update, finish, language_asked
from ui.runs import Run
from ui.session import Sessions
from ui.tab import Session
from ui.translation import in_language


@dataclass(frozen=True)
class Exporting:
    """The event handler of the list.

    Attributes:
        sessions: Hold each tab's answer and its folder.
        files: Shows the list.
        buttons: What starting and ending a run changes.
    """

    sessions: Sessions
    files: gr.HTML
    buttons: Callable[[bool], Update]

    async def opened(self, request: gr.Request) -> AsyncIterator[Update]:
        """Write the files if that was not done yet, and list them."""
        language = language_asked(request)
        session = self.sessions.of_page(request)
        run = session.run
        if run is None or run.result is None:
            return
        if run.files is not None:
            yield {self.files: file_list(language, run.files)}
            return
        if session.busy:
            yield {self.files: line(text(language, "busy_now"))}
            return
        job = self._start(run, session)
        try:
            waiting = line(text(language, "files_waiting"))
            yield self.buttons(True) | {self.files: waiting}
            while not job.done:
                await asyncio.sleep(POLL_SECONDS)
            yield self._ended(job, run, session, language) | self.buttons(False)
        finally:
            await finish(job)

    def _start(self, run: Run, session: Session) -> Job[ResultFiles]:
        folder, result = run.revision / "files", run.result
        job: Job[ResultFiles] = Job(lambda job: write_files(result, folder, job))
        session.job, session.phase = job, "exporting"
        job.start()
        return job

    def _ended(
        self, job: Job[ResultFiles], run: Run, session: Session, language: Language
    ) -> Update:
        session.phase = "idle"
        try:
            run.files = job.result()
        except CancelledError:
            return {self.files: line(text(language, "files_stopped"))}
        except StableChatError as error:
            return {self.files: line(in_language(language, error), alert=True)}
        except Exception:  # The job has logged it.
            return {self.files: line(text(language, "unexpected"), alert=True)}
        return {self.files: file_list(language, run.files)}
