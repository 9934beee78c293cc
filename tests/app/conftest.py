"""Fixtures of the app's tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from browser_support import Server, chromium, end_app, start_app
from fake_chat import make_clip
from playwright.sync_api import Browser, BrowserContext

from ui.root import private_root
from ui.session import Sessions


@pytest.fixture(scope="session")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Three seconds of test picture with a tone."""
    return make_clip(tmp_path_factory.mktemp("clips") / "kitchen.mp4")


@pytest.fixture(scope="session")
def silent_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two seconds of another picture without sound."""
    folder = tmp_path_factory.mktemp("clips")
    return make_clip(
        folder / "garden.mp4",
        seconds=2.0,
        size="240x240",
        sound=False,
        picture="rgbtestsrc",
    )


@pytest.fixture
def sessions(tmp_path: Path) -> Iterator[Sessions]:
    """Folders for tabs, removed afterwards."""
    with Sessions(private_root(tmp_path)) as made:
        yield made


@pytest.fixture
def start_server(
    tmp_path_factory: pytest.TempPathFactory, clip: Path
) -> Callable[[str], Server]:
    """Starts an app, once for each model and for all these tests."""

    def start(chat: str) -> Server:
        if chat not in _running:
            _running[chat] = start_app(chat, tmp_path_factory.mktemp(chat), clip)
        return _running[chat]

    return start


#: By model. Other tests must find no process that is still running.
_running: dict[str, Server] = {}


@pytest.hookimpl(trylast=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> None:
    """End what was started with the last test of the app."""
    if nextitem is None or Path(__file__).parent not in nextitem.path.parents:
        while _running:
            end_app(_running.popitem()[1])


@pytest.fixture(params=["fake", "demo"])
def server(
    request: pytest.FixtureRequest, start_server: Callable[[str], Server]
) -> Server:
    """The app with each model that the journey is made with."""
    return start_server(request.param)


@pytest.fixture
def fake_server(start_server: Callable[[str], Server]) -> Server:
    """The app with the fake model."""
    return start_server("fake")


# Not for all these tests, as the servers are: while Playwright is there, no test can
# have an event loop of its own.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Chromium. Its absence is a failure: CI must not pass without having looked."""
    with chromium() as launched:
        yield launched


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """A fresh browser profile."""
    made = browser.new_context(
        viewport={"width": 1280, "height": 720}, locale="en-US", accept_downloads=True
    )
    made.set_default_timeout(15_000)
    yield made
    made.close()
