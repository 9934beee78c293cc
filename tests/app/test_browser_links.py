"""A video by its link, in a real headless Chromium."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser_support import Server, ask, download, open_page, wait_for_answer
from link_server import LinkServer, serving
from looks import LOOKS, Look, check_for_everybody
from playwright.sync_api import Browser, expect

from stablechat.video import probe
from ui.i18n import text

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def films(clip: Path) -> Iterator[LinkServer]:
    with serving(clip) as running:
        yield running


@pytest.mark.parametrize("look", LOOKS)
def test_a_link_is_fetched_and_asked_about(
    fake_server: Server,
    browser: Browser,
    films: LinkServer,
    tmp_path: Path,
    look: Look,
) -> None:
    with look.of(browser) as context:
        page = open_page(context, fake_server)
        page.locator("#sc-link-panel > button").click()
        field = page.locator("#sc-link").get_by_role("textbox")
        said = page.locator("#sc-link-line")
        field.fill("http://192.168.0.1/film.mp4")
        field.press("Enter")
        expect(said.get_by_role("alert")).to_be_visible()
        field.fill(films.url("/drip"))
        page.locator("#sc-link-fetch").click()
        page.locator("#sc-link-stop").click()
        expect(said).to_contain_text(look.says("link_stopped"))
        field.fill(films.url("/film/holiday.mp4"))
        page.locator("#sc-link-fetch").click()
        there = text(look.language, "link_done", name="holiday.mp4")
        expect(said).to_contain_text(there)
        expect(page.locator("#sc-video-line")).to_contain_text("0:03.000")
        check_for_everybody(page)
        ask(page, "the star")
        wait_for_answer(page)
        expect(page.locator("#sc-status")).to_contain_text("holiday.mp4")
        made = download(page, "#sc-download-clip", tmp_path)
        assert made.name == "holiday_clip.mp4" and probe(made).has_audio
