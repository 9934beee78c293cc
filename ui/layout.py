"""The page: where each control is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import gradio as gr

from ui import view
from ui.api import publish
from ui.asking.widgets import place_others, place_part
from ui.examples import (
    Example,
    example_labels,
    label_styles,
    read_examples,
    thumbnail_styles,
)
from ui.fetching.fetching import Fetcher
from ui.fetching.widgets import place_link
from ui.handlers import Handlers
from ui.i18n import label
from ui.lane import Lane
from ui.local_files import LocalBlocks
from ui.models.choice import Loader
from ui.models.facts import device_name, dtype_name
from ui.models.widgets import place_model
from ui.pipeline import Chat, Pipeline
from ui.player import player
from ui.results.history_widgets import place_forgetting, place_history
from ui.results.widgets import place_results
from ui.session import Sessions
from ui.settings import MAX_CANDIDATES, STORAGE_KEY, STORAGE_SECRET
from ui.widgets import Widgets
from ui.wiring import connect

#: Clips to click; made by ``training.synthetic``.
EXAMPLES_FOLDER = Path(__file__).parent.parent / "assets" / "examples"

#: Events of all tabs that may wait before new ones are refused. Questions wait
#: elsewhere (:mod:`ui.lane`).
_MAX_EVENTS = 256


def build_app(
    chat: Chat,
    sessions: Sessions,
    *,
    examples_folder: Path | None = None,
    loader: Loader | None = None,
    fetcher: Fetcher | None = None,
    lane: Lane | None = None,
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
        loader: Loads another model when that is asked for on the page; None does not
            let anybody. It may read any folder of this machine.
        fetcher: Fetches what links lead to; None does not let anybody.
        lane: The way to the model, if it is not one question at a time.
    """
    handlers = Handlers(Pipeline(chat, lane or Lane()), sessions)
    # Without delete_cache: Gradio goes by age alone, and would take videos that answers
    # are about; ui.disk looks at that.
    app = LocalBlocks(title="StableChat", analytics_enabled=False)
    with app:
        examples = read_examples(examples_folder or EXAMPLES_FOLDER)
        widgets = _place(
            chat,
            examples,
            may_load=loader is not None,
            may_fetch=fetcher is not None,
        )
        handlers.widgets = widgets
        connect(app, handlers, widgets, loader, fetcher)
        publish(handlers)
    app.queue(default_concurrency_limit=1, max_size=_MAX_EVENTS)
    return app


def own_files(app: gr.Blocks) -> set[Path]:
    """The examples of a page that was built, as they lie in its cache."""
    kept = (getattr(block, "keep_in_cache", ()) for block in app.blocks.values())
    return {Path(name) for names in kept for name in names}


def _place(
    chat: Chat, examples: list[Example], *, may_load: bool, may_fetch: bool
) -> Widgets:
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
            asking = _place_question(examples, may_fetch=may_fetch)
            model = place_model(chat, may_load=may_load)
        with gr.Column(scale=7, min_width=320, elem_classes="sc-answer"):
            status = gr.HTML(view.idle("en"), padding=False, elem_id="sc-status")
            runs = place_history()
            result = place_results()
            history = place_forgetting(runs)
    return Widgets(
        header=header,
        notice=notice,
        status=status,
        history=history,
        model=model,
        asks=gr.State(None),
        # Seen by nobody: what the tab keeps to get its answers back after a reload.
        tab=gr.Textbox(visible=False),
        settings=gr.BrowserState(storage_key=STORAGE_KEY, secret=STORAGE_SECRET),
        result=result,
        **asking,
    )


def _place_question(examples: list[Example], *, may_fetch: bool) -> dict[str, Any]:
    video = player(
        label=label("video"), sources=["upload"], height=190, elem_id="sc-video"
    )
    video_line = gr.HTML(view.video_hint("en"), padding=False, elem_id="sc-video-line")
    link = place_link() if may_fetch else None
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
    # Below the buttons: they must not move while they are pressed.
    question_line = gr.HTML("", padding=False, elem_id="sc-question-line")
    if examples:
        _place_examples(examples, [video, question, mode])
    others = place_others()
    with gr.Accordion(label("more"), open=False, elem_id="sc-more"):
        candidates = gr.Slider(
            1,
            MAX_CANDIDATES,
            1,
            step=1,
            label=label("candidates"),
            info=label("candidates_info"),
            elem_id="sc-candidates",
        )
        part = place_part()
        windows = gr.Checkbox(
            True,
            label=label("windows"),
            info=label("windows_info"),
            elem_id="sc-windows",
        )
        keys = gr.HTML(view.keys("en"), padding=False, elem_id="sc-keys")
    return {
        "candidates": candidates,
        "windows": windows,
        "keys": keys,
        "others": others,
        "part": part,
        "video": video,
        "video_line": video_line,
        "link": link,
        "mode": mode,
        "question": question,
        "question_line": question_line,
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
