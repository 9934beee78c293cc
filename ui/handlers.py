"""What happens when a person uploads, runs, stops or leaves.

A run has two steps, so that a bad question is refused at once instead of after its
turn in the queue: ``begin`` checks the form and stores an :class:`Ask` in the tab's
state; that change starts ``run``, which waits for the model's turn.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

import gradio as gr

from stablechat.errors import CancelledError, InputError, StableChatError
from ui import view
from ui.asking.asking import Asking
from ui.asking.checking import MissingError
from ui.asking.form import AskForm, other_fields
from ui.asking.widgets import OtherWidgets
from ui.drawing import line
from ui.i18n import Language, text
from ui.jobs import Job
from ui.pipeline import Ask, Mode, Outcome, Pipeline
from ui.results.editing import Editing
from ui.results.exporting import Exporting
from ui.results.show import card, empty, shown
from ui.results.widgets import ResultWidgets
from ui.running import (
    POLL_SECONDS,
    STOP_SECONDS,
    Update,
    buttons,
    finish,
    language_asked,
)
from ui.session import Session, Sessions
from ui.settings import Settings

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Widgets:
    """The controls that handlers change."""

    header: gr.HTML
    notice: gr.HTML
    video: gr.Video
    video_line: gr.HTML
    mode: gr.Radio
    question: gr.Textbox
    run: gr.Button
    stop: gr.Button
    candidates: gr.Slider
    others: OtherWidgets
    keys: gr.HTML
    status: gr.HTML
    ask: gr.State
    settings: gr.BrowserState
    result: ResultWidgets

    @property
    def texts(self) -> list[Any]:
        """What is written anew in the browser's language."""
        return [self.header, self.notice, self.video_line, self.keys, self.status]

    @property
    def form(self) -> set[Any]:
        """What a question is made of."""
        return {
            *(self.video, self.question, self.mode, self.candidates),
            *self.others.inputs,
        }

    @property
    def results(self) -> list[Any]:
        """What a run changes."""
        return [self.run, self.stop, self.status, *self.result.all]


class Handlers:
    """The event handlers of one server.

    Args:
        pipeline: Answers questions.
        sessions: Where each tab's files go.
    """

    def __init__(self, pipeline: Pipeline, sessions: Sessions) -> None:
        self.pipeline = pipeline
        self.sessions = sessions
        self.widgets: Widgets | None = None

    @property
    def _page(self) -> Widgets:
        if self.widgets is None:
            raise RuntimeError("The page is not built yet.")
        return self.widgets

    def asking(self) -> Asking:
        """The handlers of the form."""
        page = self._page
        return Asking(self.sessions, page.mode, page.question, page.others)

    def editing(self) -> Editing:
        """The handlers of the forms under an answer."""
        page = self._page
        return Editing(
            self.pipeline,
            self.sessions,
            page.result.edit,
            self._show,
            self._buttons,
        )

    def exporting(self) -> Exporting:
        """The handler of the list of files."""
        return Exporting(self.sessions, self._page.result.files, self._buttons)

    def load(self, request: gr.Request) -> Update:
        """Write the page's own texts in the browser's language."""
        language = language_asked(request)
        chat, page = self.pipeline.chat, self._page
        return {
            page.header: view.header(
                language, chat.name, device_name(chat.device), dtype_name(chat.dtype)
            ),
            page.notice: view.demo_notice(language) if chat.is_demo else "",
            page.video_line: view.video_hint(language),
            page.keys: view.keys(language),
            page.status: view.idle(language),
        }

    def restore(self, stored: object) -> Update:
        """Fill in what the browser remembers, if it does."""
        page = self._page
        if stored is None:
            return {page.mode: gr.skip(), page.candidates: gr.skip()}
        settings = Settings.from_stored(stored)
        return {page.mode: settings.mode, page.candidates: settings.candidates}

    def remember(self, mode: Mode | None, candidates: int) -> dict[str, Any]:
        """What the browser is to remember; the folded questions start afresh."""
        return Settings(mode or "ground", candidates).to_stored()

    def begin(self, values: Mapping[Any, Any], request: gr.Request) -> Update:
        """Check the form; when it is good, start a run by changing the state."""
        language, page = language_asked(request), self._page
        session = self._session(request)
        if session.busy:
            return {page.status: gr.skip()}
        try:
            ask = self.asking().checker(request).ask(self._form(values))
        except MissingError as error:
            return empty(page.result) | {
                page.status: view.missing(language, str(error))
            }
        except InputError as error:
            return empty(page.result) | {
                page.status: view.problem(language, str(error))
            }
        except Exception:
            logger.exception("Checking the form failed.")
            message = text(language, "unexpected")
            return empty(page.result) | {page.status: view.problem(language, message)}
        session.phase = "waiting"
        return (
            empty(page.result)
            | self._buttons(True)
            | {page.status: view.say(language, "busy", "waiting"), page.ask: ask}
        )

    def _form(self, values: Mapping[Any, Any]) -> AskForm:
        page = self._page
        return AskForm(
            video=values[page.video],
            question=values[page.question] or "",
            mode=values[page.mode] or values[page.others.kind] or "ground",
            candidates=values[page.candidates],
            **other_fields(page.others, values),
        )

    async def run(self, ask: Ask | None, request: gr.Request) -> AsyncIterator[Update]:
        """Answer a question, showing progress."""
        if ask is None:
            return
        language, page = language_asked(request), self._page
        session = self._session(request)
        session.phase = "running"
        job = self._start(ask, session)
        try:
            while not job.done:
                yield {page.status: view.working(language, ask.mode, job.progress)}
                await asyncio.sleep(POLL_SECONDS)
            yield self._ended(job, session, language) | buttons(
                page.run, page.stop, False
            )
        finally:
            await finish(job)

    async def answer(
        self, video: str | None, question: str, mode: Mode, request: gr.Request
    ) -> AsyncIterator[Job[Outcome]]:
        """The same for programs: the job at every tick, last when it is done.

        Raises:
            gr.Error: With the line the page would show.
        """
        language = language_asked(request)
        try:
            form = AskForm(video, question, mode)
            ask = self.asking().checker(request).ask(form)
            job = self._start(ask, self._session(request))
            try:
                while not job.done:
                    yield job
                    await asyncio.sleep(POLL_SECONDS)
            finally:
                await finish(job)
            job.result()
            yield job
        except StableChatError as error:
            raise gr.Error(str(error), print_exception=False) from error
        except Exception as error:
            logger.exception("A question failed.")
            message = text(language, "unexpected")
            raise gr.Error(message, print_exception=False) from error

    async def stop(self, request: gr.Request) -> Update:
        """Stop the tab's job and wait until it is over."""
        language, page = language_asked(request), self._page
        session = self._session(request)
        was, session.phase = session.phase, "stopped"
        job = session.job
        if job is not None:
            job.cancel()
            await asyncio.to_thread(job.join, STOP_SECONDS)
        if was in ("cutting", "exporting"):
            return self._buttons(False) | self._kept(language)
        return (
            empty(page.result)
            | self._buttons(False)
            | {page.status: view.say(language, "plain", "stopped")}
        )

    def _kept(self, language: Language) -> Update:
        """What is said when something about an answer was stopped, not the answer."""
        result, stopped = self._page.result, line(text(language, "cut_stopped"))
        return {
            result.edit.style_line: stopped,
            result.edit.fix_line: stopped,
            result.files_panel: gr.update(open=False),
            result.files: "",
        }

    def failed(self, request: gr.Request) -> Update:
        """The queue refused the question, or the server failed around the run."""
        language, page = language_asked(request), self._page
        phase = self._session(request).phase
        if phase == "stopped":
            return {page.status: gr.skip()}
        message = text(language, "refused" if phase == "waiting" else "unexpected")
        return self._buttons(False) | {page.status: view.problem(language, message)}

    def leave(self, request: gr.Request) -> None:
        """The tab was closed."""
        if request.session_hash:
            self.sessions.end(request.session_hash)

    def _start(self, ask: Ask, session: Session) -> Job[Outcome]:
        folder = session.new_run()
        job: Job[Outcome] = Job(lambda job: self.pipeline.run(ask, folder, job))
        session.job = job
        job.start()
        return job

    def _ended(self, job: Job[Outcome], session: Session, language: Language) -> Update:
        page = self._page
        try:
            outcome = job.result()
        except CancelledError:
            return {page.status: view.say(language, "plain", "stopped")}
        except StableChatError as error:
            return {page.status: view.problem(language, str(error))}
        except Exception as error:
            logger.error("A question failed.", exc_info=error)
            message = text(language, "unexpected")
            return {page.status: view.problem(language, message)}
        session.result = replace(outcome, elapsed_seconds=job.elapsed_seconds)
        return self._show(session.result, language)

    def _show(self, outcome: Outcome, language: Language) -> Update:
        page = self._page
        return shown(page.result, outcome, language) | {
            page.status: card(outcome, language)
        }

    def _buttons(self, running: bool) -> Update:
        page = self._page
        return buttons(page.run, page.stop, running)

    def _session(self, request: gr.Request) -> Session:
        return self.sessions.get(request.session_hash or "")


def device_name(device: object) -> str:
    """``"CPU"`` or ``"CUDA:0"``."""
    return str(device).upper()


def dtype_name(dtype: object) -> str:
    """``"float16"`` rather than ``"torch.float16"``."""
    return str(dtype).removeprefix("torch.")
