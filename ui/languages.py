"""The language that a person chose on the page, kept in a cookie.

Labels are looked up in the browser, by ``navigator.language``, when Gradio's page
starts. Nothing on the page runs before that, so the choice is written into the page
itself while it is served.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from ui.i18n import TABLES, Language, language_of

#: Set by ``page.js``.
COOKIE = "stablechat-language"

#: What browsers call our languages.
_TAGS: Mapping[Language, str] = {"en": "en", "zh": "zh-CN"}

_SCRIPT = (
    '<script>for (const [name, value] of [["language", "{tag}"], ["languages", '
    '["{tag}"]]]) Object.defineProperty(navigator, name, {{ get: () => value }});'
    "</script>"
)
_HEAD = b"<head>"


def chosen_language(cookies: str | None) -> Language | None:
    """The language that a ``Cookie`` header tells of, if it is one of ours."""
    known: dict[str, Language] = {language: language for language in TABLES}
    return known.get(cookie_parser(cookies or "").get(COOKIE, ""))


def language_wanted(headers: Mapping[str, Any]) -> Language:
    """The language of a request: chosen on the page, else what the browser asks for."""
    chosen = chosen_language(headers.get("cookie"))
    return chosen or language_of(headers.get("accept-language"))


class LanguageMiddleware:
    """Writes the chosen language into the page.

    Args:
        app: What serves the page.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        language = _language_of_page(scope)
        if language is None:
            await self._app(scope, receive, send)
            return
        # What is compressed can't be written into.
        wanted = MutableHeaders(scope=scope)
        del wanted["accept-encoding"]
        await self._app(scope, receive, _Writer(send, language))


def _language_of_page(scope: Scope) -> Language | None:
    """The chosen language, where the page is asked for."""
    if scope["type"] != "http" or scope["method"] != "GET":
        return None
    if scope["path"].rstrip("/") != scope.get("root_path", "").rstrip("/"):
        return None
    return chosen_language(Headers(scope=scope).get("cookie"))


class _Writer:
    """Passes a response on, with the language in it if it is the page."""

    def __init__(self, send: Send, language: Language) -> None:
        self._send = send
        self._script = _SCRIPT.format(tag=_TAGS[language]).encode("ascii")
        self._start: Message | None = None
        self._body = b""

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            kind = Headers(raw=message["headers"]).get("content-type", "")
            if kind.startswith("text/html"):
                self._start = message
                return
        if message["type"] != "http.response.body" or self._start is None:
            await self._send(message)
            return
        self._body += message.get("body", b"")
        if not message.get("more_body", False):
            await self._finish(self._start)

    async def _finish(self, start: Message) -> None:
        body = self._body.replace(_HEAD, _HEAD + self._script, 1)
        headers = MutableHeaders(raw=start["headers"])
        headers["content-length"] = str(len(body))
        headers.append("vary", "cookie")
        await self._send(start)
        await self._send({"type": "http.response.body", "body": body})
