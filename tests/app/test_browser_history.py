"""Several questions at once, and the answers so far, in a real headless Chromium."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from browser_support import (
    GRACE_SECONDS,
    Server,
    ask,
    download,
    open_page,
    results,
    seconds,
    upload,
    wait_for_answer,
)
from looks import LOOKS, Look, check_for_everybody
from playwright.sync_api import Browser, BrowserContext, Page, expect
from test_browser_results import position

from stablechat.video import probe
from ui.i18n import text

pytestmark = pytest.mark.browser

THREE = "at 2.0 to 2.6\nmissing star\nat 0.4 to 1.0"


def entries(page: Page) -> list[str]:
    """The answers so far, as they are called."""
    return page.locator("#sc-history label").all_text_contents()


def choose(page: Page, name: str) -> None:
    page.locator("#sc-history label").filter(has_text=name).locator("input").check()


def asked_three(page: Page, clip: Path) -> None:
    upload(page, clip)
    ask(page, THREE)
    expect(page.locator("#sc-history label")).to_have_count(4, timeout=60_000)
    expect(page.locator("#sc-run")).to_be_enabled()


def test_each_line_is_asked_and_all_clips_are_one(
    fake_server: Server, context: BrowserContext, clip: Path, tmp_path: Path
) -> None:
    page = open_page(context, fake_server)
    asked_three(page, clip)
    assert [name.strip() for name in entries(page)] == [
        "All 2 moments as one clip",
        "at 0.4 to 1.0 · 0:00.400 to 0:01.000",
        "missing star · Could not find it",
        "at 2.0 to 2.6 · 0:02.000 to 0:02.600",
    ]
    expect(page.locator("#sc-history input:checked")).to_have_count(1)
    rows = page.locator("#sc-span tbody tr")
    expect(rows).to_have_count(2)
    assert seconds(rows.nth(0).locator("td").nth(1).text_content() or "") == 0.4
    merged = download(page, "#sc-download-clip", tmp_path)
    assert merged.name == "kitchen_merged.mp4"
    assert probe(merged).duration_seconds == pytest.approx(1.28, abs=0.1)
    answers = json.loads(download(page, "#sc-download-json", tmp_path).read_text())
    assert len(answers["answers"]) == 3
    # A row takes the clip to its own piece, and the line follows the clip back.
    page.wait_for_function("document.querySelector('#sc-clip video')?.readyState >= 2")
    rows.nth(1).locator("[data-seek]").click()
    assert position(page, "sc-video") == pytest.approx(2.0, abs=0.01)
    assert position(page, "sc-clip") == pytest.approx(0.64, abs=0.05)
    page.evaluate("document.querySelector('#sc-clip video').play()")
    page.wait_for_function("document.querySelector('.sc-scrub').value > 2.1")
    # One of them by itself, and one that found nothing.
    choose(page, "at 2.0")
    expect(page.locator("#sc-status")).to_contain_text(
        "Found from 0:02.000 to 0:02.600"
    )
    one = download(page, "#sc-download-clip", tmp_path)
    assert probe(one).duration_seconds == pytest.approx(0.6, abs=0.1)
    choose(page, "missing star")
    expect(page.locator("#sc-status")).to_contain_text("Could not find it")
    expect(page.locator("#sc-clip")).to_have_count(0)
    # The files of all of them.
    choose(page, "All 2 moments")
    page.get_by_role("button", name="All files").click()
    expect(page.locator("#sc-files")).to_contain_text("kitchen_results.zip")


def test_progress_is_told_for_each_and_stop_keeps_what_was_answered(
    fake_server: Server, context: BrowserContext, clip: Path
) -> None:
    page = open_page(context, fake_server)
    upload(page, clip)
    ask(page, "at 0.5 to 1.0\nslow one\nthe star")
    status = page.locator("#sc-status")
    expect(status).to_contain_text("Question 2 of 3")
    expect(status).to_contain_text("slow one")
    # The first answer is there already.
    expect(page.locator("#sc-span td").first).to_have_text("0:00:00.500")
    page.locator("#sc-stop").click()
    expect(status).to_contain_text("1 of 3 questions were answered")
    expect(page.locator("#sc-clip video")).to_be_visible()
    expect(page.locator("#sc-run")).to_be_enabled()


def test_answers_survive_a_reload(
    fake_server: Server, context: BrowserContext, clip: Path, tmp_path: Path
) -> None:
    page = open_page(context, fake_server)
    asked_three(page, clip)
    choose(page, "at 0.4")
    expect(page.locator("#sc-status")).to_contain_text("Found from 0:00.400")
    for _ in range(2):
        page.reload()
        expect(page.locator("#sc-history label")).to_have_count(4)
        expect(page.locator("#sc-status")).to_contain_text("Found from 0:00.400")
        expect(page.locator("#sc-question textarea")).to_have_value(THREE)
        expect(page.locator("#sc-video-line")).to_contain_text("0:03.000")
    made = download(page, "#sc-download-clip", tmp_path)
    assert probe(made).duration_seconds == pytest.approx(0.6, abs=0.1)
    choose(page, "at 2.0")
    expect(page.locator("#sc-status")).to_contain_text("Found from 0:02.000")
    ask(page, "at 0.1 to 0.9")
    wait_for_answer(page)
    expect(page.locator("#sc-history label")).to_have_count(5)
    page.wait_for_timeout(1000 * GRACE_SECONDS + 2000)
    page.reload()
    expect(page.locator("#sc-history label")).to_have_count(5)


def test_a_reload_ends_a_run_and_the_next_one_works(
    fake_server: Server, context: BrowserContext, clip: Path
) -> None:
    page = open_page(context, fake_server)
    upload(page, clip)
    ask(page, "slow one")
    expect(page.locator(".sc-now")).to_be_visible()
    page.reload()
    expect(page.locator("#sc-question textarea")).to_have_value("slow one")
    ask(page, "the red circle")
    wait_for_answer(page, timeout_ms=10_000)


def test_other_tabs_never_get_the_answers(
    fake_server: Server, context: BrowserContext, browser: Browser, clip: Path
) -> None:
    others = results(fake_server)
    page = open_page(context, fake_server)
    asked_three(page, clip)
    own = results(fake_server) - others
    assert own
    secret = page.evaluate("sessionStorage.getItem('stablechat-tab')")
    assert len(secret) >= 40
    # A duplicated tab brings a copy of the secret along.
    twin = context.new_page()
    twin.add_init_script(
        "if (!sessionStorage.getItem('twin')) {"
        f"sessionStorage.setItem('stablechat-tab', '{secret}');"
        "sessionStorage.setItem('twin', '1')}"
    )
    twin.goto(fake_server.url)
    expect(twin.locator("#sc-status")).to_contain_text("Ready when you are")
    twin.wait_for_function(
        f"sessionStorage.getItem('stablechat-tab') !== '{secret}'", timeout=10_000
    )
    expect(twin.locator("#sc-history")).to_have_count(0)
    # Once the first is closed, the twin's own secret still opens its own session only.
    page.close()
    twin.reload()
    expect(twin.locator("#sc-status")).to_contain_text("Ready when you are")
    twin.wait_for_timeout(1000)
    expect(twin.locator("#sc-history")).to_have_count(0)
    # Nor does another browser that guesses.
    stranger = browser.new_context().new_page()
    stranger.add_init_script("sessionStorage.setItem('stablechat-tab', 'a'.repeat(43))")
    stranger.goto(fake_server.url)
    expect(stranger.locator("#sc-status")).to_contain_text("Ready when you are")
    expect(stranger.locator("#sc-history")).to_have_count(0)
    stranger.context.close()
    # And then they are gone.
    deadline = time.monotonic() + GRACE_SECONDS + 10
    while own & results(fake_server) and time.monotonic() < deadline:
        time.sleep(0.2)
    assert not own & results(fake_server)


@pytest.mark.parametrize("look", LOOKS)
def test_everybody_can_use_the_list(
    fake_server: Server, browser: Browser, clip: Path, look: Look
) -> None:
    with look.of(browser) as context:
        page = open_page(context, fake_server)
        asked_three(page, clip)
        expect(page.locator("#sc-status h2")).to_be_in_viewport(ratio=1)
        page.locator("#sc-history input").nth(1).focus()
        page.keyboard.press("Space")
        expect(page.locator("#sc-status")).to_contain_text("0:00.400")
        check_for_everybody(page)
        # An answer that is a guess is told as one, by its words and a sign.
        ask(page, "guess what")
        found = {"start": "0:01.000", "end": "0:02.250"}
        guess = page.locator("#sc-status .sc-unsure")
        expect(guess).to_contain_text("0:01.000")
        expect(guess).to_contain_text("0%")
        expect(guess.locator("h2")).to_have_text(
            text(look.language, "unsure_title", **found)
        )
        said = text(look.language, "from_to_unsure", **found)
        expect(page.locator("#sc-history label").first).to_contain_text(said)
        expect(page.locator("#sc-clip video")).to_be_visible()
        check_for_everybody(page)
        check_forgetting(page, look)


def check_forgetting(page: Page, look: Look) -> None:
    """All answers go once that was said twice, and do not come back."""
    forget, sure = page.locator("#sc-forget"), page.locator("#sc-forget-sure")
    forget.click()
    expect(sure).to_contain_text(text(look.language, "forget_sure", count=5))
    check_for_everybody(page)
    page.locator("#sc-forget-no").click()
    expect(page.locator("#sc-history label")).to_have_count(5)
    forget.click()
    page.locator("#sc-forget-yes").click()
    status = page.locator("#sc-status")
    expect(status).to_contain_text(look.says("forgotten_title"))
    for gone in ("#sc-history", "#sc-clip", "#sc-forget", "#sc-forget-sure"):
        expect(page.locator(gone)).not_to_be_visible()
    page.reload()
    expect(page.locator("#sc-video-line .sc-facts")).to_be_visible()
    expect(page.locator("#sc-history")).to_have_count(0)
