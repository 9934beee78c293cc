"""The page: where each control is, and which handler it calls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from ui import view
from ui.api import publish
from ui.examples import Example, example_labels, read_examples, thumbnail_styles
from ui.handlers import Handlers, Widgets, device_name, dtype_name
from ui.i18n import label
from ui.pipeline import Chat, Pipeline
from ui.session import MAX_AGE_SECONDS, SWEEP_SECONDS, Sessions

#: Clips to click; made by ``training.synthetic``.
EXAMPLES_FOLDER = Path(__file__).parent.parent / "assets" / "examples"

#: Questions waiting for the model before new ones are refused.
MAX_WAITING = 16

# On a phone the answer is below the form: bring it into view, and only then move.
_SHOW_ANSWER = """() => {
  const block = window.innerWidth < 700 ? "start" : "nearest";
  document.querySelector("#sc-status")?.scrollIntoView({block});
}"""


def build_app(
    chat: Chat, sessions: Sessions, *, examples_folder: Path | None = None
) -> gr.Blocks:
    """Build the page; launches nothing.

    ``GRADIO_TEMP_DIR`` must already name ``sessions.root``: Gradio reads it while
    components are made, and the results must lie inside its cache to be served
    without a second copy.

    Args:
        chat: The loaded model.
        sessions: Where each tab's files go. The caller closes it.
        examples_folder: Where ``examples.json`` and its videos are, if not in
            :data:`EXAMPLES_FOLDER`.
    """
    handlers = Handlers(Pipeline(chat), sessions)
    app = gr.Blocks(
        title="StableChat",
        analytics_enabled=False,
        delete_cache=(SWEEP_SECONDS, MAX_AGE_SECONDS),
    )
    with app:
        widgets = _place(chat, read_examples(examples_folder or EXAMPLES_FOLDER))
        handlers.widgets = widgets
        _connect(app, handlers, widgets)
        publish(handlers)
    app.queue(default_concurrency_limit=1, max_size=MAX_WAITING)
    return app


def _place(chat: Chat, examples: list[Example]) -> Widgets:
    header = gr.HTML(
        view.header("en", chat.name, device_name(chat.device), dtype_name(chat.dtype)),
        padding=False,
    )
    notice = gr.HTML(
        view.demo_notice("en") if chat.is_demo else "",
        padding=False,
        elem_id="sc-notice",
    )
    with gr.Row(elem_classes="sc-columns"):
        with gr.Column(scale=5, min_width=320, elem_classes="sc-ask"):
            asking = _place_question(examples)
        with gr.Column(scale=7, min_width=320, elem_classes="sc-answer"):
            answering = _place_answer()
    return Widgets(
        header=header, notice=notice, ask=gr.State(None), **asking, **answering
    )


def _place_question(examples: list[Example]) -> dict[str, Any]:
    video = gr.Video(
        label=label("video"), sources=["upload"], height=190, elem_id="sc-video"
    )
    video_line = gr.HTML(view.video_hint("en"), padding=False, elem_id="sc-video-line")
    mode = gr.Radio(
        choices=[
            (label("mode_ground"), "ground"),
            (label("mode_describe"), "describe"),
        ],
        value="ground",
        label=label("mode"),
        elem_id="sc-mode",
    )
    # One line that grows: Enter then runs, and Shift+Enter starts a new line.
    question = gr.Textbox(
        label=label("question_ground"),
        placeholder=label("placeholder_ground"),
        lines=1,
        max_lines=4,
        max_length=2000,
        elem_id="sc-question",
    )
    with gr.Row(elem_classes="sc-buttons"):
        run = gr.Button(
            label("run"), variant="primary", scale=3, min_width=120, elem_id="sc-run"
        )
        stop = gr.Button(
            label("stop"),
            variant="stop",
            interactive=False,
            min_width=80,
            elem_id="sc-stop",
        )
    if examples:
        _place_examples(examples, [video, question, mode])
    return {
        "video": video,
        "video_line": video_line,
        "mode": mode,
        "question": question,
        "run": run,
        "stop": stop,
    }


def _place_examples(examples: list[Example], inputs: list[Any]) -> None:
    gr.Examples(
        [[str(e.video), e.query, e.mode] for e in examples],
        inputs=inputs,
        label=label("examples"),
        example_labels=example_labels(examples),
        cache_examples=False,
        preload=False,
        api_visibility="private",
        elem_id="sc-examples",
    )
    gr.HTML(thumbnail_styles(examples), padding=False, elem_id="sc-thumbnails")


def _place_answer() -> dict[str, Any]:
    status = gr.HTML(view.idle("en"), padding=False, elem_id="sc-status")
    clip = gr.Video(
        label=label("clip"),
        interactive=False,
        visible=False,
        buttons=[],
        height=300,
        elem_id="sc-clip",
    )
    table = gr.HTML("", visible=False, padding=False, elem_id="sc-span")
    description = gr.Textbox(
        label=label("description"),
        interactive=False,
        visible=False,
        lines=3,
        max_lines=12,
        buttons=["copy"],
        elem_id="sc-description",
    )
    with gr.Row(visible=False, elem_classes="sc-buttons") as downloads:
        files = {
            key: gr.DownloadButton(
                label(key),
                visible=False,
                variant="primary" if key == "download_clip" else "secondary",
                size="md",
                min_width=120,
                elem_id=f"sc-{key.replace('_', '-')}",
            )
            for key in ("download_clip", "download_text", "download_json")
        }
    with gr.Accordion(label("raw"), open=False, visible=False) as raw_panel:
        raw = gr.Textbox(
            label=label("raw_text"),
            interactive=False,
            lines=2,
            max_lines=10,
            buttons=["copy"],
            elem_id="sc-raw",
        )
    return {
        "status": status,
        "clip": clip,
        "table": table,
        "description": description,
        "downloads": downloads,
        "raw_panel": raw_panel,
        "raw": raw,
        **files,
    }


def _connect(app: gr.Blocks, handlers: Handlers, page: Widgets) -> None:
    """Wire the page's own events; none of them is part of the public API."""
    quick: dict[str, Any] = {
        "queue": False,
        "api_visibility": "private",
        "show_progress": "hidden",
    }
    app.load(handlers.load, None, page.texts, **quick)
    app.unload(handlers.leave)
    page.mode.change(handlers.mode_changed, page.mode, page.question, **quick)
    page.video.change(handlers.video_changed, page.video, page.video_line, **quick)
    begun = gr.on(
        [page.run.click, page.question.submit],
        handlers.begin,
        [page.video, page.question, page.mode],
        [*page.results, page.ask],
        # Only a queued event's change of a state starts the next one; with no limit
        # it never waits.
        **{**quick, "queue": True, "concurrency_limit": None},
    )
    begun.then(None, js=_SHOW_ANSWER, api_visibility="private")
    running = page.ask.change(
        handlers.run,
        page.ask,
        page.results,
        concurrency_id="gpu",
        concurrency_limit=1,
        api_visibility="private",
        show_progress="hidden",
    )
    running.success(None, js=_SHOW_ANSWER, api_visibility="private")
    running.failure(handlers.failed, None, page.results, **quick)
    page.stop.click(handlers.stop, None, page.results, cancels=[running], **quick)
