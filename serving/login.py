"""Who may use the API: the users of ``--auth``, by HTTP's basic way. No Ray."""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Sequence

from starlette.datastructures import Headers
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

#: Asked by what watches over the server, which has no login.
_OPEN = ("/healthz", "/readyz")


class LoginMiddleware:
    """Asks for a login where there are users.

    Args:
        app: What comes behind.
        users: ``(user, password)`` pairs; empty lets everybody in.
    """

    def __init__(self, app: ASGIApp, users: Sequence[tuple[str, str]]) -> None:
        self._app = app
        self._users = [f"{user}:{password}".encode() for user, password in users]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        if scope["type"] != "http" or not self._users or self._may(scope):
            await self._app(scope, receive, send)
            return
        challenge = {"WWW-Authenticate": 'Basic realm="StableChat"'}
        told = {"error": "A user and a password are needed."}
        await JSONResponse(told, 401, challenge)(scope, receive, send)

    def _may(self, scope: Scope) -> bool:
        if scope["path"].removeprefix(scope.get("root_path", "")) in _OPEN:
            return True
        kind, _, told = Headers(scope=scope).get("authorization", "").partition(" ")
        try:
            given = base64.b64decode(told, validate=True)
        except (binascii.Error, ValueError):
            return False
        # All are compared, so that the time tells nothing.
        known = [hmac.compare_digest(given, user) for user in self._users]
        return kind.lower() == "basic" and any(known)
