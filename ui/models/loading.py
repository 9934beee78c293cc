"""Loading another model while the page goes on."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field

import gradio as gr

from stablechat.downloads import Watch
from stablechat.errors import CancelledError, StableChatError
from stablechat.memory import give_back_memory
from ui.drawing import line
from ui.i18n import Language, text
from ui.jobs import Job
from ui.models.choice import Loader, ModelChoice
from ui.models.widgets import LoadWidgets
from ui.pipeline import Pipeline
from ui.running import POLL_SECONDS, Update, buttons, finish, language_asked
from ui.translation import in_language

_STAGES = {"fetch": "load_fetching", "wait": "load_waiting"}


@dataclass
class ModelLoading:
    """The event handlers of the form; one model is loaded at a time.

    Attributes:
        pipeline: Gets the new model. Until it is there the old one answers, and it
            stays when something fails.
        loader: Loads it.
        page: The form.
        told: What is written about the model, all over the page.
    """

    pipeline: Pipeline
    loader: Loader
    page: LoadWidgets
    told: Callable[[Language], Update]
    _job: Job[None] | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)

    async def load(
        self,
        model: str,
        device: str,
        dtype: str,
        quantization: str,
        request: gr.Request,
    ) -> AsyncIterator[Update]:
        """Load a model and let it answer from now on."""
        language, page = language_asked(request), self.page
        choice = ModelChoice(model or "", device, dtype, quantization)
        job: Job[None] = Job(lambda job: self._load(choice, job))
        if not self._begin(job):
            yield {page.line: line(text(language, "load_busy"), alert=True)}
            return
        try:
            yield self._buttons(True)
            while not job.done:
                yield {page.line: line(_progress(language, job))}
                await asyncio.sleep(POLL_SECONDS)
            yield self._ended(job, language) | self._buttons(False)
        finally:
            await finish(job)

    def _begin(self, job: Job[None]) -> bool:
        """Start a job unless one is running."""
        with self._lock:
            if self._job is not None and not self._job.done:
                return False
            self._job = job
            job.start()
        return True

    def _load(self, choice: ModelChoice, job: Job[None]) -> None:
        chat = self.loader(choice, Watch(job.report, job.cancelled))
        job.report("wait", 0.0)
        self.pipeline.use(chat, job.cancelled)
        give_back_memory()

    def _ended(self, job: Job[None], language: Language) -> Update:
        page = self.page
        try:
            job.result()
        except CancelledError:
            return {page.line: line(text(language, "load_stopped"))}
        except StableChatError as error:
            said = f"{in_language(language, error)} {text(language, 'load_kept')}"
            return {page.line: line(said, alert=True)}
        except Exception:  # The job has logged it.
            said = f"{text(language, 'unexpected')} {text(language, 'load_kept')}"
            return {page.line: line(said, alert=True)}
        name = self.pipeline.chat.name
        return self.told(language) | {
            page.line: line(text(language, "load_done", name=name))
        }

    async def stop(self, request: gr.Request) -> Update:
        """Stop loading; the old model goes on, unless the new one just came."""
        job, language = self._job, language_asked(request)
        if job is None:
            return self._buttons(False)
        await finish(job)
        if not job.done:
            stopped = line(text(language, "load_stopped"))
            return self._buttons(False) | {self.page.line: stopped}
        return self._ended(job, language) | self._buttons(False)

    def _buttons(self, running: bool) -> Update:
        return buttons(self.page.load, self.page.stop, running)


def _progress(language: Language, job: Job[None]) -> str:
    progress = job.progress
    key = _STAGES.get(progress.stage, "load_loading")
    return text(language, key, percent=f"{progress.fraction:.0%}")
