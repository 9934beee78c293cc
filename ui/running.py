"""What every run shares: waiting for its job, ending it, and the buttons meanwhile."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import gradio as gr

from ui.i18n import Language
from ui.jobs import Job
from ui.languages import language_wanted

logger = logging.getLogger(__name__)

Update = dict[Any, Any]

#: How often the page looks at a running job.
POLL_SECONDS = 0.1
#: How long Stop waits for the computation to be really over.
STOP_SECONDS = 5.0


async def finish(job: Job[Any]) -> None:
    """End a job. Runs too when Gradio cancels the event or the tab goes away."""
    job.cancel()
    if not await asyncio.to_thread(job.join, STOP_SECONDS):
        logger.warning("A stopped question is still running.")


def buttons(run: gr.Button, stop: gr.Button, running: bool) -> Update:
    """Run while nothing runs, Stop while something does."""
    return {
        run: gr.update(interactive=not running),
        stop: gr.update(interactive=running),
    }


def language_asked(request: gr.Request) -> Language:
    """The language that was chosen on the page, or that the browser asks for."""
    return language_wanted(request.headers)
