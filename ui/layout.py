"""The page: where each control is, and which handler it calls."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from ui import view
from ui.api import publish
from ui.asking.asking import Asking
from ui.asking.widgets import place_others
from ui.examples import (
    Example,
    example_labels,
    label_styles,
    read_examples,
    thumbnail_styles,
)
from ui.handlers import Handlers, device_name, dtype_name
from ui.i18n import label
from ui.pipeline import Chat, Pipeline
from ui.results.widgets import place_results
from ui.session import MAX_AGE_SECONDS, SWEEP_SECONDS, Sessions
from ui.settings import MAX_CANDIDATES, STORAGE_KEY, STORAGE_SECRET
from ui.widgets import Widgets

#: Clips to click; made by ``training.synthetic``.
EXAMPLES_FOLDER = Path(__file__).parent.parent / "assets" / "examples"

#: Questions waiting for the model before new ones are refused.
MAX_WAITING = 16

# What needs no model does not wait for one.
_WITHOUT_MODEL: dict[str, Any] = {
    "concurrency_id": "files",
    "concurrency_limit": 2,
    "api_visibility": "private",
    "show_progress": "hidden",
}

# On a phone the answer is below the form: bring it into view, and only then move.
_SHOW_ANSWER = """() => {
  const block = window.innerWidth < 700 ? "start" : "nearest";
  document.querySelector("#sc-status")?.scrollIntoView({block});
}"""

# A form that says what is wrong stays in view; a new clip comes into it.
_SHOW_CLIP = """() => {
  const lines = "#sc-style-line [role=alert], #sc-fix-line [role=alert]";
  const wrong = document.querySelector(lines);
  if (!wrong) document.querySelector("#sc-clip")?.scrollIntoView({block: "nearest"});
}"""

# Without a time the picture is the one where the timeline is.
_AT_TIMELINE = """(moment) =>
  moment.trim() || document.querySelector(".sc-scrub")?.value || "0"
"""

# Where the player of the uploaded video is; page.js knows.
_PLAYER_TIME = "() => window.stableChat.playerTime()"
_AT_PLAYER = "(video) => [video, window.stableChat.playerTime()]"

# A secret that only this tab knows, and that a reload leaves alone.
_KEPT_SECRET = """() => sessionStorage.getItem("stablechat-tab") ?? "" """
_KEEP_SECRET = """(secret) => {
  sessionStorage.setItem("stablechat-tab", secret);
  window.stableChat.restoreDraft();
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
            status = gr.HTML(view.idle("en"), padding=False, elem_id="sc-status")
            history = gr.Radio(
                [], label=label("history"), visible=False, elem_id="sc-history"
            )
            result = place_results()
    return Widgets(
        header=header,
        notice=notice,
        status=status,
        history=history,
        asks=gr.State(None),
        # Seen by nobody: what the tab keeps to get its answers back after a reload.
        tab=gr.Textbox(visible=False),
        settings=gr.BrowserState(storage_key=STORAGE_KEY, secret=STORAGE_SECRET),
        result=result,
        **asking,
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
    others = place_others()
    with gr.Accordion(label("more"), open=False):
        candidates = gr.Slider(
            1,
            MAX_CANDIDATES,
            1,
            step=1,
            label=label("candidates"),
            info=label("candidates_info"),
            elem_id="sc-candidates",
        )
        keys = gr.HTML(view.keys("en"), padding=False, elem_id="sc-keys")
    return {
        "candidates": candidates,
        "keys": keys,
        "others": others,
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
    styles = thumbnail_styles(examples) + label_styles(examples)
    gr.HTML(styles, padding=False, elem_id="sc-thumbnails")


def _connect(app: gr.Blocks, handlers: Handlers, page: Widgets) -> None:
    """Wire the page's own events; none of them is part of the public API."""
    quick: dict[str, Any] = {
        "queue": False,
        "api_visibility": "private",
        "show_progress": "hidden",
    }
    app.load(handlers.load, None, page.texts, **quick)
    arrived = app.load(
        handlers.arrive, page.tab, page.arrival, js=_KEPT_SECRET, **quick
    )
    arrived.then(None, page.tab, None, js=_KEEP_SECRET, api_visibility="private")
    app.unload(handlers.leave)
    chosen = [page.mode, page.candidates]
    app.load(handlers.restore, page.settings, chosen, **quick)
    changed = [page.mode.input, page.candidates.input]
    gr.on(changed, handlers.remember, chosen, page.settings, **quick)
    _connect_form(handlers.asking(), page, quick)
    answering = handlers.answering()
    begun = gr.on(
        [page.run.click, page.question.submit],
        answering.begin,
        page.form,
        [*page.results, page.asks],
        # Only a queued event's change of a state starts the next one; with no limit
        # it never waits.
        **{**quick, "queue": True, "concurrency_limit": None},
    )
    begun.then(None, js=_SHOW_ANSWER, api_visibility="private")
    running = page.asks.change(
        answering.run,
        page.asks,
        page.results,
        concurrency_id="gpu",
        concurrency_limit=1,
        api_visibility="private",
        show_progress="hidden",
    )
    running.success(None, js=_SHOW_ANSWER, api_visibility="private")
    running.failure(answering.failed, None, page.results, **quick)
    page.history.input(handlers.open_run, page.history, page.results, **quick)
    ended = [running, *_connect_editing(handlers, page, quick)]
    ended.append(_connect_files(handlers, page))
    page.stop.click(answering.stop, None, page.results, cancels=ended, **quick)


def _connect_form(asking: Asking, page: Widgets, quick: dict[str, Any]) -> None:
    """Wire what happens while the form is filled in."""
    others, follow = page.others, asking.mode_outputs
    page.mode.change(asking.simple_chosen, page.mode, follow, **quick)
    others.kind.change(asking.other_chosen, others.kind, follow, **quick)
    video = page.video
    video.change(asking.video_changed, video, page.video_line, **quick)
    video.change(asking.forget_region, None, others.region, **quick)
    still = others.rec_still
    still.change(asking.still_changed, still, others.rec_still_line, **quick)
    looked: dict[str, Any] = {
        "inputs": [video, others.elc_start],
        "outputs": others.region,
        **quick,
    }
    others.elc_look.click(asking.look, js=_AT_PLAYER, **looked)
    others.elc_start.submit(asking.look, **looked)
    for button, field in others.takes.items():
        button.click(None, None, field, js=_PLAYER_TIME, api_visibility="private")


def _connect_files(handlers: Handlers, page: Widgets) -> Any:
    """Wire the list of files; returns the event that Stop ends."""
    return page.result.files_panel.expand(
        handlers.exporting().opened,
        None,
        [page.run, page.stop, page.result.files],
        **_WITHOUT_MODEL,
    )


def _connect_editing(
    handlers: Handlers, page: Widgets, quick: dict[str, Any]
) -> list[Any]:
    """Wire the forms under an answer; returns the events that Stop ends."""
    editing, edit = handlers.editing(), page.result.edit
    looks = [edit.look.click, edit.moment.submit]
    changed = [edit.moment, edit.picture, *edit.sides, edit.fix_line]
    gr.on(looks, editing.look, edit.moment, changed, js=_AT_TIMELINE, **quick)
    cutting = []
    for button, handler, inputs in (
        (edit.cut, editing.cut, edit.style),
        (edit.fix, editing.fix, edit.style | edit.correction),
        (edit.restore, editing.restore, edit.style),
    ):
        event = button.click(
            handler,
            inputs,
            page.results,
            **_WITHOUT_MODEL,
        )
        event.success(None, js=_SHOW_CLIP, api_visibility="private")
        cutting.append(event)
    return cutting
