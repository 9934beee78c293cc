"""What happens part by part, in a real headless Chromium."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
import srt
from browser_support import (
    Server,
    ask,
    download,
    open_page,
    press_run,
    upload,
    wait_for_answer,
)
from fake_chat import DESCRIPTION
from looks import LOOKS, Look, check_for_everybody
from playwright.sync_api import Browser, Page, expect
from test_browser_others import choose
from test_browser_results import position

pytestmark = pytest.mark.browser


def parts_of(page: Page, seconds: str) -> None:
    page.locator("#sc-captions-part input").fill(seconds)


def check_parts(page: Page) -> None:
    """All of them are in the table and on the line, and lead there."""
    rows = page.locator("#sc-span tbody tr")
    expect(rows).to_have_count(3)
    expect(rows.nth(1)).to_contain_text(f"Part 2: {DESCRIPTION}")
    expect(rows.nth(1)).to_contain_text("0:00:02.000")
    expect(page.locator("#sc-timeline .sc-marked")).to_have_count(3)
    page.wait_for_function("document.querySelector('#sc-video video')?.readyState >= 2")
    rows.nth(1).get_by_role("button").click()
    assert position(page, "sc-video") == pytest.approx(1.0, abs=0.01)


@pytest.mark.parametrize("look", LOOKS)
def test_the_parts_lead_to_their_moments_and_survive_a_reload(
    fake_server: Server, browser: Browser, clip: Path, tmp_path: Path, look: Look
) -> None:
    with look.of(browser) as context:
        page = open_page(context, fake_server)
        upload(page, clip)
        choose(page, "captions")
        expect(page.locator("#sc-captions-part input")).to_have_value("20")
        parts_of(page, "0")
        press_run(page)
        alert = page.locator("#sc-status [role=alert]")
        expect(alert).to_contain_text(look.says("part_length"))
        parts_of(page, "1")
        press_run(page)
        wait_for_answer(page)
        expect(page.locator("#sc-status")).to_contain_text(look.says("captions_body"))
        check_parts(page)
        check_for_everybody(page)

        page.get_by_role("button", name=look.says("files_panel")).click()
        with page.expect_download() as told:
            page.locator("#sc-files a").filter(has_text=".srt").click()
        told.value.save_as(tmp_path / "it.srt")
        cues = list(srt.parse((tmp_path / "it.srt").read_text("utf-8")))
        assert [cue.start.total_seconds() for cue in cues] == [0, 1, 2]
        made = download(page, "#sc-download-json", tmp_path)
        assert made.name == "kitchen_captions.json"
        assert len(json.loads(made.read_text())["captions"]) == 3

        page.reload()
        check_parts(page)


def test_stop_ends_it_and_a_question_is_named_in_the_history(
    fake_server: Server, browser: Browser, clip: Path
) -> None:
    with LOOKS[0].values[0].of(browser) as context:  # type: ignore[attr-defined]
        page = open_page(context, fake_server)
        upload(page, clip)
        choose(page, "captions")
        parts_of(page, "1")
        ask(page, "slow colour?")
        bar = page.locator("#sc-status [role=progressbar]")
        expect(bar).to_be_visible()
        expect(page.locator("#sc-status")).to_contain_text("Part 1 of 3")
        expect(page.locator("#sc-status")).to_contain_text("about 1:30 left")
        page.locator("#sc-stop").click()
        expect(page.locator("#sc-status")).to_contain_text("Stopped")
        for words in ("what colour?", ""):
            ask(page, words)
            wait_for_answer(page)
        names = page.locator("#sc-history label").all_text_contents()
        assert [re.sub(r"\s+", " ", name).strip() for name in names] == [
            "What happens, part by part? · kitchen.mp4",
            "what colour? · kitchen.mp4",
        ]
        ask(page, "missing")
        expect(page.locator("#sc-status")).to_contain_text("no words")
        expect(page.locator("#sc-span")).not_to_be_visible()
