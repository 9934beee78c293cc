"""What happens when the page is loaded and left, and who does the rest."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ui import view
from ui.answering import Answering
from ui.asking.asking import Asking
from ui.asks import Mode
from ui.fetching.fetching import Fetcher, LinkFetching
from ui.i18n import Language
from ui.models.choice import Loader
from ui.models.facts import device_name, dtype_name, facts, question_line
from ui.models.loading import ModelLoading
from ui.pipeline import Pipeline
from ui.remembered import secrets_told
from ui.results.editing import Editing
from ui.results.exporting import Exporting
from ui.results.forgetting import Forgetting
from ui.results.history import history
from ui.results.show import empty, shown_run
from ui.running import Update, language_asked
from ui.session import Sessions
from ui.settings import Settings
from ui.tab import Session
from ui.widgets import Widgets


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
        return Asking(self.sessions, page.mode, page.question, page.others, page.part)

    def answering(self) -> Answering:
        """The handlers of Run and Stop."""
        return Answering(
            self.pipeline,
            self.sessions,
            self._page,
            self.asking(),
            self.about_model,
        )

    def editing(self) -> Editing:
        """The handlers of the forms under an answer."""
        page = self._page
        return Editing(
            self.pipeline, self.sessions, page.result.edit, self._show, page.running
        )

    def _show(self, session: Session, language: Language) -> Update:
        """The answer that the page shows, anew."""
        page = self._page
        update = history(page.history, session, language)
        if session.run is not None:
            update |= shown_run(page, session.run, language)
        return update

    def forgetting(self) -> Forgetting:
        """The handlers of "Forget my answers"."""
        page = self._page
        return Forgetting(self.sessions, page.history, page.result, page.status)

    def exporting(self) -> Exporting:
        """The handler of the list of files."""
        page = self._page
        return Exporting(self.sessions, page.result.files, page.running)

    def load(self, request: gr.Request) -> Update:
        """Write the page's own texts in the browser's language."""
        language, page = language_asked(request), self._page
        return self.about_model(language) | {
            page.video_line: view.video_hint(language),
            page.keys: view.keys(language),
        }

    def about_model(self, language: Language) -> Update:
        """Say which model answers; another tab may have loaded it."""
        chat, page = self.pipeline.chat, self._page
        return {
            page.header: view.header(
                language, chat.name, device_name(chat.device), dtype_name(chat.dtype)
            ),
            page.notice: view.demo_notice(language) if chat.is_demo else "",
            page.model.facts: facts(language, chat),
        }

    def model_opened(self, request: gr.Request) -> str:
        """Say anew how much memory there is."""
        return facts(language_asked(request), self.pipeline.chat)

    def question_left(
        self,
        question: str,
        mode: Mode | None,
        kind: Mode | None,
        request: gr.Request,
    ) -> str:
        """Say it when a question is beyond the model."""
        if mode == "describe" or kind in ("elc", "captions"):
            return ""
        return question_line(language_asked(request), self.pipeline.chat, question)

    def loading(self, loader: Loader) -> ModelLoading | None:
        """The handlers of the form that loads a model, where there is one."""
        form = self._page.model.form
        if form is None:
            return None
        return ModelLoading(self.pipeline, loader, form, self.about_model)

    def fetching(self, fetcher: Fetcher) -> LinkFetching | None:
        """The handlers of the field for a link, where there is one."""
        page = self._page
        if page.link is None:
            return None
        return LinkFetching(self.sessions, fetcher, page.link, page.video)

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

    async def arrive(self, known: str | None, request: gr.Request) -> Update:
        """The page was loaded: give a tab that was loaded again its answers back.

        Args:
            known: The secrets that the tab knows; it may be anything.
            request: Of the tab.
        """
        page, language = self._page, language_asked(request)
        await self.sessions.claim_any(request, secrets_told(known))
        session = self.sessions.of_page(request)
        update: Update = {page.tab: session.secret, page.status: view.idle(language)}
        update |= history(page.history, session, language)
        update |= self._form_of(session)
        if session.run is not None:
            update |= empty(page.result) | shown_run(page, session.run, language)
        return update

    def _form_of(self, session: Session) -> Update:
        """What was asked last, and the video, as far as it is still there."""
        page = self._page
        update: Update = {}
        if session.asked:
            asked = "\n".join(ask.question for ask in session.asked)
            update[page.question] = asked
        if session.video is not None and session.video.is_file():
            update[page.video] = str(session.video)
        return update

    def open_run(self, key: str | None, request: gr.Request) -> Update:
        """Show another answer of the session."""
        page, language = self._page, language_asked(request)
        session = self.sessions.of_page(request)
        run = session.find(key)
        if run is None or session.phase in ("cutting", "exporting"):
            return history(page.history, session, language)
        session.run = run
        session.save()
        update = empty(page.result) | shown_run(page, run, language)
        if session.busy:
            del update[page.status]  # It tells how far the question is.
        return update

    def leave(self, request: gr.Request) -> None:
        """The tab was closed, or is loaded again."""
        if request.session_hash:
            self.sessions.leave(request.session_hash)
