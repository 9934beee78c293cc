"""A link becomes an upload of the tab that gave it."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from fake_chat import FakeChat
from handled_page import Page
from link_server import LinkServer, serving

from ui.fetching import fetching
from ui.fetching.fetching import Fetcher, LinkFetching
from ui.server import ServerOptions
from ui.session import Sessions

Update = dict[Any, Any]


@pytest.fixture(scope="module")
def films(clip: Path) -> Iterator[LinkServer]:
    with serving(clip) as running:
        yield running


@pytest.fixture
def field(films: LinkServer, sessions: Sessions) -> LinkFetching:
    page = Page(FakeChat(), sessions)
    made = page.handlers.fetching(Fetcher(10**6, connect=films.connect))
    assert made is not None
    return made


def tab(name: str = "a", language: str = "en") -> Any:
    return SimpleNamespace(
        session_hash=name, username=None, headers={"accept-language": language}
    )


async def updates(field: LinkFetching, link: str, request: Any) -> list[Update]:
    return [update async for update in field.fetch(link, request)]


def uploads(sessions: Sessions) -> list[str]:
    return [p.name for p in sessions.root.rglob("*") if sessions.owns_upload(p)]


def test_the_file_is_an_upload_like_any(
    field: LinkFetching, films: LinkServer, sessions: Sessions
) -> None:
    first, *_, last = asyncio.run(updates(field, films.url("/film/a.mp4"), tab()))
    assert first["fetch"] == {"interactive": False, "__type__": "update"}
    assert last["fetch"]["interactive"] and not last["stop"]["interactive"]
    path = Path(last["video"])
    assert path.name == "a.mp4" and sessions.owns_upload(path)
    assert path.read_bytes() == films.film
    assert last["link"] == "" and "a.mp4 is there" in last["line"]
    checker = Page(FakeChat(), sessions).handlers.asking().checker(tab())
    assert checker.uploaded(str(path)) == path


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/page", "web page"),
        ("/text", "not a video"),
        ("/endless", "more than 1,000,000 bytes"),
    ],
)
def test_what_goes_wrong_is_said_and_leaves_nothing(
    field: LinkFetching, films: LinkServer, sessions: Sessions, path: str, said: str
) -> None:
    *_, last = asyncio.run(updates(field, films.url(path), tab()))
    assert said in last["line"] and 'role="alert"' in last["line"]
    assert "video" not in last and last["fetch"]["interactive"]
    assert uploads(sessions) == []
    *_, last = asyncio.run(updates(field, "no link", tab(language="zh")))
    assert "这不是链接" in last["line"]
    *_, last = asyncio.run(updates(field, "", tab()))
    assert "begins with https" in last["line"]


def test_stop_leaves_nothing(
    field: LinkFetching, films: LinkServer, sessions: Sessions
) -> None:
    async def stopped() -> Update:
        running = field.fetch(films.url("/drip"), tab())
        await anext(running)
        while "so far" not in str((await anext(running)).get("line")):
            await asyncio.sleep(0.01)
        # A second one of the same tab has to wait.
        [busy] = await updates(field, films.url("/film"), tab())
        assert "already" in busy["line"]
        update = await field.stop(tab())
        await running.aclose()
        return update

    update = asyncio.run(stopped())
    assert "stopped" in update["line"] and update["fetch"]["interactive"]
    assert uploads(sessions) == []


def test_stop_keeps_what_just_came(field: LinkFetching, films: LinkServer) -> None:
    async def stopped() -> Update:
        running = field.fetch(films.url("/film/a.mp4"), tab())
        await anext(running)
        [job] = field._jobs.values()
        assert await asyncio.to_thread(job.join, 10)
        update = await field.stop(tab())
        await running.aclose()
        return update

    assert Path(asyncio.run(stopped())["video"]).is_file()


def test_a_tab_that_goes_away_ends_its_fetch(
    field: LinkFetching, films: LinkServer, sessions: Sessions
) -> None:
    async def left() -> None:
        running = field.fetch(films.url("/silent"), tab())
        await anext(running)
        await running.aclose()

    asyncio.run(left())
    assert all(job.done for job in field._jobs.values())
    assert uploads(sessions) == []


def test_there_are_few_at_once(
    field: LinkFetching, films: LinkServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "MOST_AT_ONCE", 1)

    async def two() -> Update:
        running = field.fetch(films.url("/silent"), tab("a"))
        await anext(running)
        [busy] = await updates(field, films.url("/film"), tab("b"))
        await running.aclose()
        *_, last = await updates(field, films.url("/film"), tab("b"))
        assert "is there" in last["line"]
        return busy

    assert "already" in asyncio.run(two())["line"]


def test_a_full_disk_is_said(films: LinkServer, sessions: Sessions) -> None:
    page = Page(FakeChat(), sessions)
    fetcher = Fetcher(10**6, has_room=lambda wanted: False, connect=films.connect)
    field = page.handlers.fetching(fetcher)
    assert field is not None
    *_, last = asyncio.run(updates(field, films.url("/film"), tab()))
    assert "no room" in last["line"]


def test_others_are_not_offered_it_unasked() -> None:
    auth = (("ann", "secret"),)
    assert ServerOptions().may_fetch_links
    assert not ServerOptions(auth=auth).may_fetch_links
    assert not ServerOptions(host="0.0.0.0", auth=auth).may_fetch_links
    assert ServerOptions(auth=auth, fetch_links=True).may_fetch_links
    assert not ServerOptions(fetch_links=False).may_fetch_links
