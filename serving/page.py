"""The page, the same as ``app.py`` serves, with the models elsewhere."""

from __future__ import annotations

import asyncio
import os
from typing import TYPE_CHECKING, Any

from serving.health import health_routes
from serving.remote_chat import OpenLane, RemoteChat
from serving.settings import Settings

if TYPE_CHECKING:
    from fastapi import FastAPI

    from serving.health import Scraped, WhyNot
    from serving.remote import Models
    from ui.server import ServerOptions
    from ui.session import Sessions

#: What ``Blocks.launch`` and a page within another server both take.
_SHARED = (
    *("footer_links", "run_history", "allowed_paths", "favicon_path", "show_error"),
    *("ssr_mode", "enable_monitoring", "pwa", "i18n", "mcp_server", "theme"),
    *("css_paths", "js", "auth", "max_file_size"),
)


def open_sessions(settings: Settings) -> Sessions:
    """The page's folders; called before Gradio is imported."""
    from ui.root import harden_environment, private_root
    from ui.session import Sessions

    parent = settings.folder / "page"
    parent.mkdir(exist_ok=True, mode=0o700)
    sessions = Sessions(private_root(parent))
    harden_environment(os.environ, sessions.root)
    return sessions


def remote_chat(
    settings: Settings, models: Models, about: dict[str, Any]
) -> RemoteChat:
    """The models as the page knows one; called where the page's loop runs."""
    return RemoteChat(
        models=models,
        loop=asyncio.get_running_loop(),
        videos=settings.videos(),
        deadline_seconds=settings.deadline_seconds,
        **about,
    )


def build_page(
    settings: Settings,
    sessions: Sessions,
    chat: RemoteChat,
    why_not: WhyNot,
    scraped: Scraped,
) -> FastAPI:
    """The page in a server of ours.

    Args:
        settings: Of the server.
        sessions: From :func:`open_sessions`.
        chat: Answers.
        why_not: See :func:`serving.health.health_routes`.
        scraped: Likewise.
    """
    # Late: Gradio reads the environment while it is imported.
    import gradio as gr
    from fastapi import FastAPI

    from serving.drain import Drain
    from stablechat.video import limits_from_texts, set_default_limits
    from ui.disk import Disk
    from ui.layout import build_app, own_files
    from ui.server import launch_arguments

    set_default_limits(limits_from_texts(list(settings.limits)))
    page = build_app(chat, sessions, lane=OpenLane())
    disk = Disk(sessions, settings.page_disk_bytes, examples=own_files(page))
    sessions.start_sweeping(disk.tidy)
    arguments = launch_arguments(_options(settings), disk)
    routes = health_routes(Drain(settings.folder), why_not, scraped)
    app = FastAPI(
        middleware=arguments["app_kwargs"]["middleware"],
        routes=list(routes) if not settings.auth else list(routes[:2]),
        docs_url=None,
        redoc_url=None,
        openapi_url=None,
    )
    mounted: FastAPI = gr.mount_gradio_app(
        app,
        page,
        path="/",
        **{name: arguments[name] for name in _SHARED},
    )
    return mounted


def _options(settings: Settings) -> ServerOptions:
    from ui.server import ServerOptions

    return ServerOptions(
        host=settings.host,
        auth=settings.auth,
        max_file_size=f"{max(settings.max_file_bytes >> 10, 1)}kb",
        open_browser=False,
        load_models=False,
    )
