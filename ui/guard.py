"""What is refused before Gradio sees it: too large uploads."""

from __future__ import annotations

import asyncio
from typing import Any

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from ui.disk import Disk
from ui.i18n import text
from ui.languages import language_wanted

_UPLOAD = "/gradio_api/upload"
#: What a form puts around its file.
_ENVELOPE_BYTES = 1 << 16


class UploadMiddleware:
    """Refuses an upload that there is no room for.

    What would be refused anyway, for its size or because nobody is logged in, makes no
    room: that takes answers away.

    Args:
        app: What comes behind.
        disk: Knows, and makes room.
        max_file_bytes: Of one upload.
    """

    def __init__(self, app: ASGIApp, disk: Disk, max_file_bytes: int) -> None:
        self._app = app
        self._disk = disk
        self._max_bytes = max_file_bytes + _ENVELOPE_BYTES
        self._coming_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if not _is_upload(scope) or not _may_upload(scope):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        length = headers.get("content-length", "")
        if not length.isdecimal():
            refusal = PlainTextResponse("An upload must tell its length.", 411)
            await refusal(scope, receive, send)
            return
        if int(length) > self._max_bytes:
            said = text(language_wanted(headers), "upload_too_large")
            await PlainTextResponse(said, 413)(scope, receive, send)
            return
        self._coming_bytes += int(length)
        try:
            wanted = self._coming_bytes
            if await asyncio.to_thread(self._disk.make_room, wanted):
                await self._app(scope, receive, send)
            else:
                said = text(language_wanted(headers), "disk_full")
                await PlainTextResponse(said, 507)(scope, receive, send)
        finally:
            self._coming_bytes -= int(length)


def _is_upload(scope: Scope) -> bool:
    if scope["type"] != "http" or scope["method"] != "POST":
        return False
    return bool(scope["path"].removeprefix(scope.get("root_path", "")) == _UPLOAD)


def _may_upload(scope: Scope) -> bool:
    """Whether somebody is logged in, where there is a login; Gradio says the rest."""
    app = _gradio_of(scope["app"])
    if app is None:
        return False
    if app.auth is None:
        return True
    cookies = Request(scope).cookies
    names = (f"access-token-{app.cookie_id}", f"access-token-unsecure-{app.cookie_id}")
    return any(app.tokens.get(cookies.get(name)) is not None for name in names)


def _gradio_of(app: Any) -> Any:
    """Gradio's own app, which a server may have mounted in its own."""
    if hasattr(app, "auth"):
        return app
    mounted = (getattr(route, "app", None) for route in app.routes)
    return next((each for each in mounted if hasattr(each, "auth")), None)
