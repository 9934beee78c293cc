"""Which control calls which handler."""

from __future__ import annotations

from typing import Any

import gradio as gr

from ui.asking.asking import Asking
from ui.fetching.fetching import Fetcher, LinkFetching
from ui.handlers import Handlers
from ui.models.choice import Loader
from ui.models.loading import ModelLoading
from ui.remembered import keep_secret, tell_secrets
from ui.widgets import Widgets

# What needs no model does not wait for one.
_WITHOUT_MODEL: dict[str, Any] = {
    "concurrency_id": "files",
    "concurrency_limit": 2,
    "api_visibility": "private",
    "show_progress": "hidden",
}

# How many there may be at once is known where they are.
_OWN_LIMIT: dict[str, Any] = {
    "api_visibility": "private",
    "show_progress": "hidden",
    "concurrency_limit": None,
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

# A press elsewhere leaves the question: nothing may move before the press has ended.
_AFTER_THE_PRESS = """(...values) =>
  new Promise((resolve) => setTimeout(() => resolve(values), 400))
"""

# Where the player of the uploaded video is; page.js knows.
_PLAYER_TIME = "() => window.stableChat.playerTime()"
_AT_PLAYER = "(video) => [video, window.stableChat.playerTime()]"


def connect(
    app: gr.Blocks,
    handlers: Handlers,
    page: Widgets,
    loader: Loader | None,
    fetcher: Fetcher | None,
) -> None:
    """Wire the page's own events; none of them is part of the public API.

    Args:
        app: The page that is being built.
        handlers: What is called.
        page: Its controls.
        loader: Loads another model, where that is allowed.
        fetcher: Fetches links, where that is allowed.
    """
    quick: dict[str, Any] = {
        "queue": False,
        "api_visibility": "private",
        "show_progress": "hidden",
    }
    keeps = handlers.sessions.keeps
    app.load(handlers.load, None, page.texts, **quick)
    arrived = app.load(
        handlers.arrive, page.tab, page.arrival, js=tell_secrets(keeps), **quick
    )
    arrived.then(None, page.tab, None, js=keep_secret(keeps), api_visibility="private")
    app.unload(handlers.leave)
    chosen = [page.mode, page.candidates]
    app.load(handlers.restore, page.settings, chosen, **quick)
    changed = [page.mode.input, page.candidates.input]
    gr.on(changed, handlers.remember, chosen, page.settings, **quick)
    _connect_form(handlers.asking(), page, quick)
    page.model.panel.expand(handlers.model_opened, None, page.model.facts, **quick)
    page.question.blur(
        handlers.question_left,
        [page.question, page.mode, page.others.kind],
        page.question_line,
        js=_AFTER_THE_PRESS,
        **quick,
    )
    answering = handlers.answering()
    begun = gr.on(
        [page.run.click, page.question.submit],
        answering.begin,
        page.form,
        [*page.results, page.asks, page.question_line, *page.about_model, page.tab],
        # Only a queued event's change of a state starts the next one; with no limit
        # it never waits.
        **{**quick, "queue": True, "concurrency_limit": None},
    )
    begun.then(None, js=_SHOW_ANSWER, api_visibility="private")
    begun.then(None, page.tab, None, js=keep_secret(keeps), api_visibility="private")
    running = page.asks.change(
        answering.run,
        page.asks,
        page.results,
        # They wait in the line for the model, which tells them their place.
        concurrency_limit=None,
        api_visibility="private",
        show_progress="hidden",
    )
    running.success(None, js=_SHOW_ANSWER, api_visibility="private")
    running.failure(answering.failed, None, page.results, **quick)
    runs = page.history.runs
    runs.input(handlers.open_run, runs, page.results, **quick)
    _connect_forgetting(handlers, page, quick)
    if loader is not None:
        _connect_loading(handlers.loading(loader), page)
    if fetcher is not None:
        _connect_fetching(handlers.fetching(fetcher))
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
    places = [*others.region, *page.part.fields]
    video.change(asking.forget_places, None, places, **quick)
    still = others.rec_still
    still.change(asking.still_changed, still, others.rec_still_line, **quick)
    looked: dict[str, Any] = {
        "inputs": [video, others.elc_start],
        "outputs": others.region,
        **quick,
    }
    others.elc_look.click(asking.look, js=_AT_PLAYER, **looked)
    others.elc_start.submit(asking.look, **looked)
    for button, field in (others.takes | page.part.takes).items():
        button.click(None, None, field, js=_PLAYER_TIME, api_visibility="private")


def _connect_forgetting(
    handlers: Handlers, page: Widgets, quick: dict[str, Any]
) -> None:
    """Wire what takes the answers away."""
    forgetting, asked = handlers.forgetting(), page.history
    keeps, outputs = handlers.sessions.keeps, page.history.all
    asked.forget.click(forgetting.wanted, None, outputs, **quick)
    asked.sure_no.click(forgetting.not_wanted, None, outputs, **quick)
    asked.sure_yes.click(
        forgetting.forget,
        page.tab,
        forgetting.outputs,
        js=tell_secrets(keeps),
        **quick,
    )


def _connect_loading(loading: ModelLoading | None, page: Widgets) -> None:
    """Wire the form that loads another model."""
    if loading is None:
        return
    form = loading.page
    outputs = [*page.about_model, form.load, form.stop, form.line]
    started = gr.on(
        [form.load.click, form.model.submit],
        loading.load,
        form.choice,
        outputs,
        **_OWN_LIMIT,
    )
    form.stop.click(
        loading.stop,
        None,
        outputs,
        cancels=[started],
        queue=False,
        api_visibility="private",
    )


def _connect_fetching(fetching: LinkFetching | None) -> None:
    """Wire the field for a link."""
    if fetching is None:
        return
    form = fetching.page
    started = gr.on(
        [form.fetch.click, form.link.submit],
        fetching.fetch,
        form.link,
        fetching.outputs,
        **_OWN_LIMIT,
    )
    form.stop.click(
        fetching.stop,
        None,
        fetching.outputs,
        cancels=[started],
        queue=False,
        api_visibility="private",
    )


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
    for press, handler, inputs in (
        (edit.choice.input, editing.choose, edit.style | {edit.choice}),
        (edit.cut.click, editing.cut, edit.style),
        (edit.fix.click, editing.fix, edit.style | edit.correction),
        (edit.restore.click, editing.restore, edit.style),
    ):
        event = press(
            handler,
            inputs,
            page.results,
            **_WITHOUT_MODEL,
        )
        event.success(None, js=_SHOW_CLIP, api_visibility="private")
        cutting.append(event)
    return cutting
