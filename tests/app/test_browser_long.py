"""A long video is looked at part by part, on desktop and phone."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser_support import Server, ask, open_page, upload, wait_for_answer
from fake_chat import make_clip
from looks import LOOKS, Look, check_for_everybody
from playwright.sync_api import Browser, expect

from ui.i18n import text
from ui.settings import LONG_VIDEO_SECONDS

pytestmark = pytest.mark.browser


@pytest.fixture(scope="module")
def long_clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Some seconds too long to be looked at as a whole."""
    path = tmp_path_factory.mktemp("long") / "lecture.mp4"
    seconds = LONG_VIDEO_SECONDS + 5
    return make_clip(path, seconds=seconds, size="64x36", sound=False, rate=2)


@pytest.mark.parametrize("look", LOOKS)
def test_parts_and_what_is_left_are_told(
    fake_server: Server, browser: Browser, long_clip: Path, look: Look
) -> None:
    with look.of(browser) as context:
        page = open_page(context, fake_server)
        upload(page, long_clip)
        ask(page, "slow one")
        status = page.locator("#sc-status")
        left = text(look.language, "remaining", time="1:30")
        expect(status).to_contain_text(left)
        check_for_everybody(page)
        page.locator("#sc-stop").click()
        expect(status).to_contain_text(look.says("stopped_title"))
        ask(page, "the star")
        wait_for_answer(page)
        expect(page.locator("#sc-span tbody tr")).to_have_count(2)
        expect(page.locator("#sc-choice label")).to_have_count(2)
        check_for_everybody(page)
