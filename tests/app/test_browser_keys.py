"""The keys that the page listens to, in a real headless Chromium."""

from __future__ import annotations

from pathlib import Path

import pytest
from browser_support import Server, open_page, upload
from playwright.sync_api import BrowserContext, expect
from test_browser_results import answered, position

pytestmark = pytest.mark.browser


def test_run_and_stop_by_keyboard(
    fake_server: Server, context: BrowserContext, clip: Path
) -> None:
    page = open_page(context, fake_server)
    upload(page, clip)
    question = page.locator("#sc-question textarea")
    question.fill("slow one")
    question.press("Control+Enter")
    expect(page.locator(".sc-now")).to_contain_text("Read video")
    # What is open takes the key first.
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<dialog open>')")
    page.keyboard.press("Escape")
    expect(page.locator("#sc-stop")).to_be_enabled()
    page.evaluate("document.querySelector('body > dialog').remove()")
    page.keyboard.press("Escape")
    expect(page.locator("#sc-status")).to_contain_text("Stopped")
    expect(page.locator("#sc-run")).to_be_enabled()
    # With nothing running it does nothing.
    page.keyboard.press("Escape")
    expect(page.locator("#sc-status")).to_contain_text("Stopped")


def test_the_players_move_by_a_second_but_not_while_typing(
    fake_server: Server, context: BrowserContext, clip: Path
) -> None:
    page = answered(context, fake_server, clip)
    page.locator("#sc-span [data-seek]").click()  # at 1 s
    page.keyboard.press("Shift+ArrowRight")
    assert position(page, "sc-video") == pytest.approx(2.0, abs=0.01)
    assert position(page, "sc-clip") == pytest.approx(1.0, abs=0.01)
    for _ in range(4):
        page.keyboard.press("Shift+ArrowLeft")
    assert position(page, "sc-video") == pytest.approx(0.0, abs=0.01)
    question = page.locator("#sc-question textarea")
    question.focus()
    page.keyboard.press("Shift+ArrowRight")
    assert position(page, "sc-video") == pytest.approx(0.0, abs=0.01)


def test_a_form_of_the_answer_does_not_ask_again(
    fake_server: Server, context: BrowserContext, clip: Path
) -> None:
    page = answered(context, fake_server, clip)
    page.get_by_role("button", name="Correct by hand").click()
    field = page.locator("#sc-fix-start").get_by_role("textbox")
    field.press("Control+Enter")
    page.wait_for_timeout(500)
    expect(page.locator("#sc-clip video")).to_be_visible()
    expect(page.locator("#sc-run")).to_be_enabled()


def test_the_form_remembers_what_was_chosen(
    fake_server: Server, context: BrowserContext
) -> None:
    page = open_page(context, fake_server)
    page.locator("#sc-mode input[value=describe]").check()
    kept = "localStorage.getItem('stablechat-settings')"
    page.wait_for_function(f"{kept} !== null")
    before = page.evaluate(kept)
    page.get_by_role("button", name="More options").click()
    number = page.locator("#sc-candidates input[type=number]")
    expect(number).to_be_visible()
    page.wait_for_timeout(500)
    number.fill("3")
    number.press("Tab")
    page.wait_for_function(f"before => {kept} !== before", arg=before)
    page.reload()
    expect(page.locator("#sc-mode input[value=describe]")).to_be_checked()
    question = page.locator("#sc-question textarea")
    expect(question).to_have_attribute(
        "placeholder", "Leave empty to describe the whole video"
    )
    page.get_by_role("button", name="More options").click()
    expect(page.locator("#sc-candidates input[type=number]")).to_have_value("3")
