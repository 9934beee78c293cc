"""What another site's page lets the browser send is refused. No Gradio."""

from __future__ import annotations

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

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
