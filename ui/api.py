"""The endpoints for programs: ``/ground``, ``/describe`` and ``/captions``.

They go the page's way, so the same limits, queue, folders and cleaning hold; a program
is a session of its own, as a tab is. Everything else that the page calls is private.
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import gradio as gr

from stablechat.windows import DEFAULT_PART_SECONDS
from ui.asking.form import AskForm
from ui.asks import Mode
from ui.handlers import Handlers
from ui.jobs import Progress

_GROUND = (
    "Find when something happens in a video, and where: the clip with a box on every "
    "picture and its sound, or null if nothing was found, and the answer as JSON."
)
_DESCRIBE = "Say what happens in a video, or answer a question about it, as JSON."
_CAPTIONS = (
    "Say what happens in a video part by part, or answer a question about each part, "
    "as JSON; the times are those of the parts."
)

_PART = " Only of the part of the video between two times, where they are given."


def publish(handlers: Handlers) -> None:
    """Add the endpoints to the page that is being built.

    While a question waits for its end, its stage and the share of it that is done come
    in the answer's place; the last thing that comes is the answer.

    Args:
        handlers: Answer the questions.
    """
    answering = handlers.answering()

    async def ground_part(
        video: str | None,
        query: str | None,
        start: str | None,
        end: str | None,
        request: gr.Request,
    ) -> AsyncIterator[tuple[str | None, dict[str, Any]]]:
        async for job in answering.answer(
            _form(video, query, "ground", start, end), request
        ):
            if job.done:
                outcome = job.result()
                clip = str(outcome.clip.path) if outcome.clip else None
                yield clip, for_programs(outcome.data)
            else:
                yield None, _stage(job.progress)

    async def ground(
        video: str | None, query: str | None, request: gr.Request
    ) -> AsyncIterator[tuple[str | None, dict[str, Any]]]:
        async for told in ground_part(video, query, "", "", request):
            yield told

    async def describe_part(
        video: str | None,
        question: str | None,
        start: str | None,
        end: str | None,
        request: gr.Request,
    ) -> AsyncIterator[dict[str, Any]]:
        async for job in answering.answer(
            _form(video, question, "describe", start, end), request
        ):
            yield for_programs(job.result().data) if job.done else _stage(job.progress)

    async def describe(
        video: str | None, question: str | None, request: gr.Request
    ) -> AsyncIterator[dict[str, Any]]:
        async for told in describe_part(video, question, "", "", request):
            yield told

    async def captions(
        video: str | None,
        question: str | None,
        part_seconds: float | None,
        start: str | None,
        end: str | None,
        request: gr.Request,
    ) -> AsyncIterator[dict[str, Any]]:
        form = replace(
            _form(video, question, "captions", start, end), part_seconds=part_seconds
        )
        async for job in answering.answer(form, request):
            yield for_programs(job.result().data) if job.done else _stage(job.progress)

    # Seen by programs only. Their labels are the documentation of the parameters.
    trigger = gr.Button(visible=False)
    video = gr.File(label="The video, a file to upload", visible=False)
    query = gr.Textbox(
        label="What to look for, for example: the red circle moving left", visible=False
    )
    question = gr.Textbox("", label="A question; empty: a description", visible=False)
    start = gr.Textbox("", label="Look only from; empty: the beginning", visible=False)
    end = gr.Textbox("", label="Look only to; empty: the end", visible=False)
    clip = gr.File(label="The clip (MP4), null if nothing was found", visible=False)
    answer = gr.JSON(label="The answer, as in grounding.json", visible=False)
    described = gr.JSON(label="The answer; its words are in text", visible=False)
    length = gr.Number(
        DEFAULT_PART_SECONDS, label="Length of a part in seconds", visible=False
    )
    told = gr.JSON(label="The answer; its parts are in captions", visible=False)
    public: dict[str, Any] = {
        "api_visibility": "public",
        # They wait in the line for the model, as the page's questions do.
        "concurrency_limit": None,
    }
    part = [start, end]
    given: tuple[tuple[Any, list[Any], list[Any], str], ...] = (
        (ground, [video, query], [clip, answer], _GROUND),
        (describe, [video, question], [described], _DESCRIBE),
        # By themselves: whoever calls the two above gives two values, no more.
        (ground_part, [video, query, *part], [clip, answer], _GROUND + _PART),
        (describe_part, [video, question, *part], [described], _DESCRIBE + _PART),
        (captions, [video, question, length, *part], [told], _CAPTIONS + _PART),
    )
    for handler, inputs, outputs, description in given:
        trigger.click(
            handler,
            inputs,
            outputs,
            api_name=handler.__name__,
            api_description=description,
            **public,
        )


def _form(
    video: str | None, words: str | None, mode: Mode, start: str | None, end: str | None
) -> AskForm:
    """The form, of what may have been left out."""
    return AskForm(video, words or "", mode, segment=(start or "", end or ""))


def _stage(progress: Progress) -> dict[str, Any]:
    told: dict[str, Any] = {"stage": progress.stage, "fraction": progress.fraction}
    place = progress.place
    if place is not None:
        told |= {"ahead": place.ahead, "expected_seconds": place.seconds}
    search = progress.search
    if search is not None:  # The share is that of all parts, whatever the stage.
        told |= {
            "part": search.window,
            "parts": search.num_windows,
            "remaining_seconds": search.remaining_seconds,
        }
    return told


def for_programs(data: dict[str, Any]) -> dict[str, Any]:
    """An answer's JSON with the video's name where its path was.

    Gradio's client takes an object with a "path" for a file to download.
    """
    video = {**data["video"], "name": data["video"]["path"]}
    del video["path"]
    return {**data, "video": video}
