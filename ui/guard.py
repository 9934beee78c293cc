"""What is refused before Gradio sees it: too large uploads."""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from ui.disk import Disk
from ui.i18n import text
from ui.languages import language_wanted


class UploadMiddleware:
    """Refuses an upload that there is no room for.

    Args:
        app: What comes behind.
        disk: Knows, and makes room.
    """

    def __init__(self, app: ASGIApp, disk: Disk) -> None:
        self._app = app
        self._disk = disk
        self._coming_bytes = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if not _is_upload(scope):
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        length = headers.get("content-length", "")
        if not length.isdecimal():
            refusal = PlainTextResponse("An upload must tell its length.", 411)
            await refusal(scope, receive, send)
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
    return bool(scope["path"].rstrip("/").endswith("/upload"))
