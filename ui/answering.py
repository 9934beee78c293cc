"""Answering what a tab asked: one question, or several, one after another.

There are two steps, so that a bad question is refused at once instead of after its turn
in the queue: ``begin`` checks the form and stores the questions in the tab's state;
that change starts ``run``, which waits for the model's turn.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass
from typing import Any

import gradio as gr

from stablechat.errors import CancelledError, InputError, StableChatError
from ui import view
from ui.asking.asking import Asking
from ui.asking.checking import MissingError
from ui.asking.form import AskForm, form_of
from ui.asks import Ask
from ui.batch import Batch, answer_all, answer_one
from ui.drawing import line
from ui.i18n import Language, text
from ui.jobs import Job
from ui.models.facts import question_line
from ui.outcomes import Outcome
from ui.pipeline import Pipeline
from ui.results.history import failures_card, history
from ui.results.show import empty, shown_run
from ui.running import POLL_SECONDS, STOP_SECONDS, Update, finish, language_asked
from ui.runs import Run
from ui.session import Sessions
from ui.tab import Session
from ui.translation import in_language
from ui.widgets import Widgets

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Answering:
    """The event handlers of Run and Stop.

    Attributes:
        pipeline: Answers questions.
        sessions: Where each tab's files go.
        page: The controls.
        asking: Reads the form.
        told: What is written about the model, all over the page.
    """

    pipeline: Pipeline
    sessions: Sessions
    page: Widgets
    asking: Asking
    told: Callable[[Language], Update]

    def begin(self, values: Mapping[Any, Any], request: gr.Request) -> Update:
        """Check the form; when it is good, start a run by changing the state."""
        language, page = language_asked(request), self.page
        session = self._session(request)
        if session.busy:
            return {page.status: gr.skip()}
        try:
            asks = self.asking.checker(request).asks(form_of(page, values))
        except MissingError as error:
            return {page.status: view.missing(language, error)}
        except InputError as error:
            return {page.status: view.problem(language, error)}
        except Exception:
            logger.exception("Checking the form failed.")
            message = text(language, "unexpected")
            return {page.status: view.problem(language, message)}
        session.phase, session.asked, session.run = "waiting", asks, None
        session.batch = None  # the one before is no part of what Stop tells
        plain = asks[0].mode in ("describe", "elc", "captions")
        words = "" if plain else "\n".join(ask.question for ask in asks)
        return (
            self._empty()
            | page.running(True)
            | self.told(language)
            | {page.question_line: question_line(language, self.pipeline.chat, words)}
            | history(page.history, session, language)
            | {page.status: view.say(language, "busy", "waiting"), page.asks: asks}
            # The tab may have lost the session that it had a secret of.
            | {page.tab: session.secret}
        )

    def _empty(self) -> Update:
        return empty(self.page.result) | {self.page.history.runs: gr.update(value=None)}

    async def run(
        self, asks: tuple[Ask, ...] | None, request: gr.Request
    ) -> AsyncIterator[Update]:
        """Answer the questions, showing progress."""
        if not asks:
            return
        language, page = language_asked(request), self.page
        session = self._session(request)
        session.phase = "running"
        batch, number = Batch(asks), 0
        job = self._start(batch, session)
        try:
            while not job.done:
                working = view.working(language, asks, job.progress)
                update: Update = {page.status: working}
                if len(batch.runs) > number:
                    number = len(batch.runs)
                    update |= self._next(batch.runs[-1], session, language)
                yield update | {page.status: working}
                await asyncio.sleep(POLL_SECONDS)
            yield self._ended(job, batch, session, language) | page.running(False)
        finally:
            await finish(job)

    def _start(self, batch: Batch, session: Session) -> Job[None]:
        job: Job[None] = Job(lambda job: answer_all(self.pipeline, batch, session, job))
        session.job, session.batch = job, batch
        job.start()
        return job

    def _next(self, run: Run, session: Session, language: Language) -> Update:
        """One of several answers is there; shown, unless another one is looked at."""
        page = self.page
        if session.run is not None and session.run.key not in _keys(session.batch):
            return history(page.history, session, language)
        session.run = run
        return self._shown(session, language)

    def _shown(self, session: Session, language: Language) -> Update:
        page = self.page
        update = empty(page.result) | history(page.history, session, language)
        if session.run is not None:
            update |= shown_run(page, session.run, language)
        return update

    def _ended(
        self, job: Job[None], batch: Batch, session: Session, language: Language
    ) -> Update:
        page, before = self.page, history(self.page.history, session, language)
        if session.phase != "stopped":  # The queue may still report it as failed.
            session.phase = "idle"
        try:
            job.result()
        except CancelledError:
            # Said here and by stop: which of the two the page hears last is chance.
            if batch.runs:
                return self._stopped_between(batch, session, language)
            return before | {page.status: view.say(language, "plain", "stopped")}
        except StableChatError as error:
            return before | {page.status: view.problem(language, error)}
        except Exception:  # The job has logged it.
            message = text(language, "unexpected")
            return before | {page.status: view.problem(language, message)}
        if session.run is None or session.run.key in _keys(batch):
            session.run = batch.first
        session.save()
        update = self._shown(session, language)
        said = update.get(page.status, "") + failures_card(language, batch)
        return update | {page.status: said}

    async def answer(
        self, form: AskForm, request: gr.Request
    ) -> AsyncIterator[Job[Outcome]]:
        """The same for programs: the job at every tick, last when it is done.

        Args:
            video: The uploaded file.
            question: What is asked.
            mode: What to do.
            request: Of the program.
            part_seconds: Length of the parts for ``captions``.

        Raises:
            gr.Error: With the line the page would show.
        """
        language = language_asked(request)
        try:
            ask = self.asking.checker(request).ask(form, form.question)
            job = self._start_one(ask, self.sessions.of(request))
            try:
                while not job.done:
                    yield job
                    await asyncio.sleep(POLL_SECONDS)
            finally:
                await finish(job)
            job.result()
            yield job
        except StableChatError as error:
            raise gr.Error(
                in_language(language, error), print_exception=False
            ) from error
        except Exception as error:
            logger.exception("A question failed.")
            message = text(language, "unexpected")
            raise gr.Error(message, print_exception=False) from error

    def _start_one(self, ask: Ask, session: Session) -> Job[Outcome]:
        job: Job[Outcome] = Job(
            lambda job: answer_one(self.pipeline, ask, session, job)[1]
        )
        session.job = job
        job.start()
        return job

    async def stop(self, request: gr.Request) -> Update:
        """Stop the tab's job and wait until it is over."""
        language, page = language_asked(request), self.page
        session = self._session(request)
        was, session.phase = session.phase, "stopped"
        job = session.job
        if job is not None:
            job.cancel()
            await asyncio.to_thread(job.join, STOP_SECONDS)
        if was in ("cutting", "exporting"):
            return page.running(False) | self._kept(language)
        batch = session.batch
        if was in ("running", "stopped") and batch is not None and batch.runs:
            return page.running(False) | self._stopped_between(batch, session, language)
        return (
            self._empty()
            | page.running(False)
            | history(page.history, session, language)
            | {page.status: view.say(language, "plain", "stopped")}
        )

    def _stopped_between(
        self, batch: Batch, session: Session, language: Language
    ) -> Update:
        """Some of several questions were answered already."""
        if session.run is None:
            session.run = batch.runs[-1]
        count = {"done": len(batch.runs), "count": len(batch.asks)}
        title = text(language, "stopped_title")
        body = text(language, "stopped_some", **count)
        card = view.card("plain", title, body)
        return self._shown(session, language) | {self.page.status: card}

    def _kept(self, language: Language) -> Update:
        """What is said when something about an answer was stopped, not the answer."""
        result, stopped = self.page.result, line(text(language, "cut_stopped"))
        return {
            result.edit.choice_line: stopped,
            result.edit.style_line: stopped,
            result.edit.fix_line: stopped,
            result.files_panel: gr.update(open=False),
            result.files: "",
        }

    def failed(self, request: gr.Request) -> Update:
        """The queue refused the question, or the server failed around the run."""
        language, page = language_asked(request), self.page
        phase = self._session(request).phase
        if phase == "stopped":
            return {page.status: gr.skip()}
        message = text(language, "refused" if phase == "waiting" else "unexpected")
        return page.running(False) | {page.status: view.problem(language, message)}

    def _session(self, request: gr.Request) -> Session:
        return self.sessions.of_page(request)


def _keys(batch: Batch | None) -> set[str]:
    return {run.key for run in batch.runs} if batch is not None else set()
