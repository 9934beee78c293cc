"""Only a part of the video is looked at, in a real headless Chromium."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser_support import Server, ask, open_page, upload, wait_for_answer
from looks import LOOKS, Look, check_for_everybody
from playwright.sync_api import Browser, expect
from test_browser_others import answer_of, play_from

from ui.i18n import text

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("look", LOOKS)
def test_a_part_is_chosen_and_told(
    fake_server: Server,
    browser: Browser,
    clip: Path,
    silent_clip: Path,
    tmp_path: Path,
    look: Look,
) -> None:
    with look.of(browser) as context:
        page = open_page(context, fake_server)
        upload(page, clip)
        page.locator("#sc-more > button").click()
        play_from(page, 0.8)
        page.locator("#sc-part-take-start").click()
        start = page.locator("#sc-part-start").get_by_role("textbox")
        end = page.locator("#sc-part-end").get_by_role("textbox")
        expect(start).to_have_value("0:00:00.800")
        end.fill("0:00.5")
        ask(page, "the star")
        wrong = page.locator("#sc-status [role=alert]")
        expect(wrong).to_contain_text(look.says("span_order"))
        end.fill("0:02.5")
        ask(page, "the star")
        wait_for_answer(page)
        part = {"start": "0:00.800", "end": "0:02.500"}
        only = text(look.language, "looked_at", **part)
        expect(page.locator("#sc-status")).to_contain_text(only)
        expect(page.locator("#sc-timeline .sc-outside")).to_have_count(2)
        check_for_everybody(page)
        answer = answer_of(page, tmp_path)
        assert answer["segment"] == {"start_seconds": 0.8, "end_seconds": 2.5}
        # It was a part of that video.
        page.locator("#sc-video").get_by_role("button").last.click()
        upload(page, silent_clip)
        expect(start).to_have_value("")
        expect(end).to_have_value("")
