"""What the forms under an answer do: cut it again, correct it, take that back.

The answer is the one that the tab's session holds; the model is not asked again.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import gradio as gr

from stablechat.errors import CancelledError, InputError, StableChatError
from stablechat.times import format_time, parse_time
from stablechat.types import Grounding
from ui.drawing import canvas, line
from ui.i18n import Language, text
from ui.jobs import Job
from ui.outcomes import Outcome
from ui.pictures import write_picture
from ui.pipeline import Pipeline
from ui.results.edit_widgets import EditWidgets
from ui.results.form import CorrectionForm, StyleForm
from ui.results.moments import chosen
from ui.running import POLL_SECONDS, Update, finish, language_asked
from ui.session import Sessions
from ui.tab import Session
from ui.translation import in_language

Values = dict[Any, Any]
Change = Callable[[Grounding], Grounding]
Show = Callable[[Session, Language], Update]
Buttons = Callable[[bool], Update]


@dataclass(frozen=True)
class Editing:
    """The event handlers of both forms.

    Attributes:
        pipeline: Draws and cuts.
        sessions: Hold each tab's answer and its folder.
        page: The controls.
        show: What an answer changes on the page.
        buttons: What starting and ending a run changes.
    """

    pipeline: Pipeline
    sessions: Sessions
    page: EditWidgets
    show: Show
    buttons: Buttons

    async def cut(self, values: Values, request: gr.Request) -> AsyncIterator[Update]:
        """Draw and cut again, the answer as it is."""
        page = self.page
        async for update in self._redraw(values, page.style_line, _same, request):
            yield update

    async def choose(
        self, values: Values, request: gr.Request
    ) -> AsyncIterator[Update]:
        """Cut another one of several moments."""
        page, outcome = self.page, _outcome(self._session(request))
        rank, wanted = 1 if outcome is None else outcome.rank, values[page.choice]
        if not isinstance(wanted, int):
            return

        def change(answer: Grounding) -> Grounding:
            return chosen(answer, rank, wanted)

        said = page.choice_line
        async for update in self._redraw(values, said, change, request, rank=wanted):
            yield update

    async def fix(self, values: Values, request: gr.Request) -> AsyncIterator[Update]:
        """Correct the answer, then draw and cut again."""
        page, session = self.page, self._session(request)

        def change(answer: Grounding) -> Grounding:
            form = self._correction(values, answer, session, language_asked(request))
            return form.applied_to(answer)

        async for update in self._redraw(values, page.fix_line, change, request):
            yield update

    async def restore(
        self, values: Values, request: gr.Request
    ) -> AsyncIterator[Update]:
        """Take all corrections back."""
        page = self.page
        async for update in self._redraw(values, page.fix_line, _original, request):
            yield update

    def look(self, moment: str, request: gr.Request) -> Update:
        """Show the picture of a moment, and the box on it."""
        page, language = self.page, language_asked(request)
        session = self._session(request)
        try:
            return self._look(moment, session, language)
        except StableChatError as error:
            return {page.fix_line: line(in_language(language, error), alert=True)}

    def _look(self, moment: str, session: Session, language: Language) -> Update:
        page, run, outcome = self.page, session.run, _outcome(session)
        if run is None or outcome is None or not isinstance(outcome.answer, Grounding):
            return {page.fix_line: ""}
        answer = outcome.answer
        seconds = _moment(moment, answer)
        frame = write_picture(answer.video, seconds, run.revision)
        run.looked_seconds = seconds
        box = None if answer.tube is None else answer.tube.at(seconds)
        sides = [None] * 4 if box is None else [round(v, 1) for v in box.tolist()]
        return {
            page.moment: format_time(seconds, hours=True),
            page.picture: canvas(language, frame, answer.video, box, writes="sc-fix"),
            page.fix_line: "",
            **dict(zip(page.sides, sides, strict=True)),
        }

    def _correction(
        self, values: Values, answer: Grounding, session: Session, language: Language
    ) -> CorrectionForm:
        """What was filled in.

        Raises:
            InputError: The box is for another picture than the one that is shown.
        """
        page = self.page
        looked = None if session.run is None else session.run.looked_seconds
        moment = values[page.moment].strip()
        if moment and looked != _moment(moment, answer):
            raise InputError(text(language, "fix_look_first"))
        x1, y1, x2, y2 = (values[side] for side in page.sides)
        return CorrectionForm(
            start=values[page.start],
            end=values[page.end],
            moment_seconds=looked if moment else None,
            xyxy=(x1, y1, x2, y2),
        )

    async def _redraw(
        self,
        values: Values,
        said: gr.HTML,
        change: Change,
        request: gr.Request,
        *,
        rank: int | None = None,
    ) -> AsyncIterator[Update]:
        language, session = language_asked(request), self._session(request)
        run, outcome = session.run, _outcome(session)
        if run is None or outcome is None:
            return
        if session.busy:
            yield self._as_before(outcome) | {said: line(text(language, "busy_now"))}
            return
        try:
            answer = _changed(outcome, change)
            options = self._style(values).options()
        except StableChatError as error:
            problem = line(in_language(language, error), alert=True)
            yield self._as_before(outcome) | {said: problem}
            return
        folder = run.new_revision()
        job: Job[Outcome] = Job(
            lambda job: self.pipeline.redraw(
                outcome, answer, options, folder, job, rank
            )
        )
        session.job, session.phase = job, "cutting"
        job.start()
        try:
            yield self.buttons(True)
            while not job.done:
                percent = f"{job.progress.fraction:.0%}"
                yield {said: line(text(language, "cutting", percent=percent))}
                await asyncio.sleep(POLL_SECONDS)
            yield self._ended(job, said, session, language) | self.buttons(False)
        finally:
            await finish(job)

    def _ended(
        self, job: Job[Outcome], said: gr.HTML, session: Session, language: Language
    ) -> Update:
        run, session.phase = session.run, "idle"
        before = self._as_before(_outcome(session))
        try:
            outcome = job.result()
        except CancelledError:
            return before | {said: line(text(language, "cut_stopped"))}
        except StableChatError as error:
            return before | {said: line(in_language(language, error), alert=True)}
        except Exception:  # The job has logged it.
            return before | {said: line(text(language, "unexpected"), alert=True)}
        if run is None:
            return {}
        run.replace_result(outcome)
        session.style = outcome.options
        session.save(run)
        return self.show(session, language) | {said: line(text(language, "cut_done"))}

    def _as_before(self, outcome: Outcome | None) -> Update:
        """The moment that the clip still shows."""
        return {self.page.choice: gr.skip() if outcome is None else outcome.rank}

    def _style(self, values: Values) -> StyleForm:
        page = self.page
        return StyleForm(
            pad_before_seconds=values[page.pad_before],
            pad_after_seconds=values[page.pad_after],
            label=values[page.label],
            box=values[page.box],
            color=values[page.color],
            line_scale=values[page.line_scale],
            trail_seconds=values[page.trail],
        )

    def _session(self, request: gr.Request) -> Session:
        return self.sessions.of_page(request)


def _outcome(session: Session) -> Outcome | None:
    """What the page shows, if that is one answer."""
    result = None if session.run is None else session.run.result
    return result if isinstance(result, Outcome) else None


def _changed(outcome: Outcome, change: Change) -> Grounding:
    if not isinstance(outcome.answer, Grounding):
        raise InputError("A description has no clip.")
    return change(outcome.answer)


def _moment(typed: str, answer: Grounding) -> float:
    # In whole milliseconds, as the field shows it.
    return round(min(parse_time(typed), answer.video.duration_seconds), 3)


def _same(answer: Grounding) -> Grounding:
    return answer


def _original(answer: Grounding) -> Grounding:
    return answer.original or answer
