"""With ``--keep`` the browser finds its answers again after the app was restarted."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser_support import (
    Server,
    ask,
    download,
    end_app,
    open_page,
    start_app,
    upload,
    wait_for_answer,
)
from playwright.sync_api import Browser, BrowserContext, Page, expect
from test_browser_editing import number, open_form, wait_for_cut

from stablechat.video import probe

pytestmark = pytest.mark.browser


class Restarted:
    """An app that is started again and again, at one address."""

    def __init__(self, folder: Path) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        self._folder = folder
        self._arguments = ["--port", str(port), "--keep", str(folder / "kept")]
        self.server: Server = self._start()

    def _start(self) -> Server:
        return start_app("fake", self._folder, arguments=self._arguments)

    def killed(self) -> None:
        """Kill it, and start it anew."""
        self.server.process.kill()
        self.server.process.wait(15)
        self.server = self._start()


@pytest.fixture
def restarted(tmp_path: Path) -> Iterator[Restarted]:
    made = Restarted(tmp_path)
    yield made
    end_app(made.server)


def check_answers(page: Page, folder: Path) -> None:
    """Everything about the last answer works, and the one before is there."""
    expect(page.locator("#sc-history label")).to_have_count(2)
    status = page.locator("#sc-status")
    expect(status).to_contain_text("Found from 0:00.400 to 0:01.000")
    page.wait_for_function("document.querySelector('#sc-clip video')?.readyState >= 2")
    page.evaluate("document.querySelector('#sc-clip video').play()")
    page.wait_for_function("document.querySelector('#sc-clip video').currentTime > 0.1")
    made = download(page, "#sc-download-clip", folder)
    assert probe(made).duration_seconds == pytest.approx(0.6, abs=0.1)


def test_a_restart_loses_nothing(
    restarted: Restarted,
    context: BrowserContext,
    browser: Browser,
    clip: Path,
    tmp_path: Path,
) -> None:
    page = open_page(context, restarted.server)
    upload(page, clip)
    ask(page, "at 2.0 to 2.6")
    wait_for_answer(page)
    ask(page, "at 0.4 to 1.0")
    wait_for_answer(page)
    restarted.killed()
    page.reload()
    check_answers(page, tmp_path)
    expect(page.locator("#sc-question textarea")).to_have_value("at 0.4 to 1.0")
    expect(page.locator("#sc-video-line")).to_contain_text("0:03.000")
    # Seeks, cuts again, writes the other formats: the video is still there.
    page.locator("#sc-span [data-seek]").first.click()
    page.wait_for_function(
        "Math.abs(document.querySelector('#sc-video video').currentTime - 0.4) < 0.05"
    )
    open_form(page, "Change the clip")
    number(page, "pad-after", 0.5)
    page.locator("#sc-cut").click()
    wait_for_cut(page, "style")
    page.get_by_role("button", name="All files").click()
    expect(page.locator("#sc-files")).to_contain_text("kitchen_results.zip")
    again = download(page, "#sc-download-clip", tmp_path)
    assert probe(again).duration_seconds == pytest.approx(1.1, abs=0.1)
    # The tab is closed: the browser still knows them in a new one, on a phone too.
    page.close()
    page = open_page(context, restarted.server)
    page.set_viewport_size({"width": 390, "height": 844})
    expect(page.locator("#sc-history label")).to_have_count(2)
    kept = download(page, "#sc-download-clip", tmp_path)
    assert probe(kept).duration_seconds == pytest.approx(1.1, abs=0.1)
    ask(page, "the red circle")
    wait_for_answer(page)
    expect(page.locator("#sc-history label")).to_have_count(3)
    # A second tab, and another browser, see nothing of them.
    other = browser.new_context()
    for profile in (context, other):
        stranger = open_page(profile, restarted.server)
        expect(stranger.locator("#sc-status")).to_contain_text("Ready when you are")
        stranger.wait_for_timeout(500)
        expect(stranger.locator("#sc-history")).to_have_count(0)
        stranger.close()
    other.close()
    # What the killed app left in the temporary folder went with the next one.
    end_app(restarted.server)
    assert not list(restarted.server.temporary.iterdir())
