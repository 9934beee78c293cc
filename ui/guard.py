"""What is refused before Gradio sees it: other sites' requests, too large uploads."""

from __future__ import annotations

import asyncio

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from ui.disk import Disk
from ui.i18n import text
from ui.languages import language_wanted

_HARMLESS = ("GET", "HEAD", "OPTIONS")
#: Where a browser says that a request comes from, if not from the page itself.
_FOREIGN = ("cross-site", "same-site")


class SameSiteMiddleware:
    """Refuses what another site's page lets the browser send.

    A page of any site can send requests to this machine, though it can't read what
    comes back; browsers say so in a header that scripts can't forge.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        foreign = scope["type"] == "http" and scope["method"] not in _HARMLESS
        if foreign and Headers(scope=scope).get("sec-fetch-site") in _FOREIGN:
            refusal = PlainTextResponse("Another site's page can't do this.", 403)
            await refusal(scope, receive, send)
            return
        await self._app(scope, receive, send)


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
