"""Taking all answers away, once somebody has said so twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import gradio as gr

from ui import view
from ui.drawing import line
from ui.i18n import text
from ui.remembered import secrets_told
from ui.results.history import history
from ui.results.history_widgets import HistoryWidgets
from ui.results.show import empty
from ui.results.widgets import ResultWidgets
from ui.running import Update, language_asked
from ui.session import Sessions


@dataclass(frozen=True)
class Forgetting:
    """The event handlers of "Forget my answers".

    Attributes:
        sessions: Hold the answers.
        page: The controls.
        result: Show an answer.
        status: The card over it.
    """

    sessions: Sessions
    page: HistoryWidgets
    result: ResultWidgets
    status: gr.HTML

    @property
    def outputs(self) -> list[Any]:
        """What forgetting changes."""
        return [self.status, *self.page.all, *self.result.all]

    def wanted(self, request: gr.Request) -> Update:
        """Ask whether that is really meant."""
        language, session = language_asked(request), self.sessions.of_page(request)
        asked = text(language, "forget_sure", count=len(session.runs))
        return {
            self.page.forget: gr.update(visible=False),
            self.page.sure: gr.update(visible=True),
            self.page.sure_line: line(asked, alert=True),
        }

    def not_wanted(self) -> Update:
        """It was not."""
        return {
            self.page.forget: gr.update(visible=True),
            self.page.sure: gr.update(visible=False),
        }

    def forget(self, known: str | None, request: gr.Request) -> Update:
        """Remove the tab's answers, and those of its browser's closed tabs.

        Args:
            known: The secrets that the browser knows; it may be anything.
            request: Of the tab.
        """
        language, session = language_asked(request), self.sessions.of_page(request)
        if session.busy:
            said = line(text(language, "forget_busy"), alert=True)
            return {self.page.sure_line: said}
        self.sessions.forget(request, secrets_told(known)[1:])
        return (
            empty(self.result)
            | history(self.page, session, language)
            | {self.status: view.say(language, "plain", "forgotten")}
        )
