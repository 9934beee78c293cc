"""The language that was chosen on the page."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from ui.languages import LanguageMiddleware, chosen_language, language_wanted


@pytest.mark.parametrize(
    ("cookies", "language"),
    [
        (None, None),
        ("", None),
        ("stablechat-language=zh", "zh"),
        ("a=b; stablechat-language=en; c=d", "en"),
        ('stablechat-language="zh"', "zh"),
        ('x={"a":1}; stablechat-language=zh', "zh"),
        ("stablechat-language=fr", None),
        ("stablechat-language=</script>", None),
        ("stablechat-language=", None),
        ("other-stablechat-language=zh", None),
        ("[]=;;=,\x00", None),
    ],
)
def test_only_our_languages_can_be_chosen(
    cookies: str | None, language: str | None
) -> None:
    assert chosen_language(cookies) == language


def test_what_was_chosen_comes_before_what_the_browser_asks_for() -> None:
    asked = {"accept-language": "zh-CN"}
    assert language_wanted(asked) == "zh"
    assert language_wanted({**asked, "cookie": "stablechat-language=en"}) == "en"
    assert language_wanted({**asked, "cookie": "stablechat-language=fr"}) == "zh"


class App:
    """Answers in two pieces; keeps what it was asked."""

    def __init__(self, kind: str = "text/html; charset=utf-8") -> None:
        self.kind = kind
        self.scope: Scope = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scope = scope
        headers = [(b"content-type", self.kind.encode()), (b"content-length", b"38")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        for body, more in ((b"<html><he", True), (b"ad></head></html><head>", False)):
            await send({"type": "http.response.body", "body": body, "more_body": more})


def ask(app: App, path: str = "/", cookie: str = "", **scope: Any) -> tuple[Any, bytes]:
    headers = [(b"accept-encoding", b"br"), (b"cookie", cookie.encode())]
    asked = {"type": "http", "method": "GET", "path": path, "headers": headers, **scope}
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    asyncio.run(LanguageMiddleware(app)(asked, receive, send))
    told = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return told, b"".join(message.get("body", b"") for message in sent[1:])


def test_the_page_is_told_before_anything_runs() -> None:
    app = App()
    headers, body = ask(app, cookie="stablechat-language=zh")
    assert body.startswith(b"<html><head><script>") and b'"zh-CN"' in body
    assert body.count(b"<script>") == 1
    assert int(headers["content-length"]) == len(body)
    assert headers["vary"] == "cookie"
    assert not [name for name, _ in app.scope["headers"] if name == b"accept-encoding"]
    _, behind = ask(app, "/chat/", "stablechat-language=en", root_path="/chat")
    assert b'"en"' in behind


@pytest.mark.parametrize(
    ("path", "cookie", "kind"),
    [
        ("/", "", "text/html"),
        ("/", "stablechat-language=fr", "text/html"),
        ("/gradio_api/file=x.html", "stablechat-language=zh", "text/html"),
        ("/", "stablechat-language=zh", "application/json"),
    ],
)
def test_everything_else_is_left_alone(path: str, cookie: str, kind: str) -> None:
    headers, body = ask(App(kind), path, cookie)
    assert body == b"<html><head></head></html><head>"
    assert "vary" not in headers
