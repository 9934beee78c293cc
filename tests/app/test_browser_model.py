"""The panel of the model, in a real headless Chromium."""

from __future__ import annotations

from pathlib import Path

import httpx
import pytest
from browser_support import Server, ask, open_page, upload, wait_for_answer
from fake_chat import FakeChat
from looks import LOOKS, Look, check_for_everybody
from playwright.sync_api import Browser, BrowserContext, Page, expect
from served_page import serving

pytestmark = pytest.mark.browser


def opened(context: BrowserContext, server: Server) -> Page:
    """The page with the panel folded out."""
    page = open_page(context, server)
    page.locator("#sc-model > button").click()
    expect(page.locator("#sc-model-facts dl")).to_be_visible()
    return page


def load(page: Page, model: str) -> None:
    page.locator("#sc-load-model").get_by_role("textbox").fill(model)
    page.locator("#sc-load").click()


def test_what_there_is_and_what_it_understands(
    server: Server, context: BrowserContext
) -> None:
    page = opened(context, server)
    facts = page.locator("#sc-model-facts")
    for words in ("CPU", "float32", "MB", "GB", "triangle", "the star blinking"):
        expect(facts).to_contain_text(words)


def test_a_model_is_loaded_without_a_restart_for_everybody(
    fake_server: Server, context: BrowserContext, clip: Path
) -> None:
    page, other = opened(context, fake_server), open_page(context, fake_server)
    load(page, "missing")
    said = page.locator("#sc-load-line [role=alert]")
    expect(said).to_contain_text("There is no model 'missing'. The old model stays.")
    load(page, "slow")
    expect(page.locator("#sc-load-line")).to_contain_text("Downloading: ")
    # The old one goes on meanwhile.
    upload(other, clip)
    ask(other, "the star")
    wait_for_answer(other)
    page.locator("#sc-load-stop").click()
    expect(page.locator("#sc-load-line")).to_contain_text("Stopped; the old model")
    expect(page.locator("#sc-load")).to_be_enabled()
    page.get_by_role("radio", name="4bit").check()
    load(page, "org/better")
    expect(page.locator("#sc-load-line")).to_contain_text("org/better answers from now")
    expect(page.locator(".sc-chip")).to_contain_text("org/better")
    expect(page.locator("#sc-model-facts")).to_contain_text("float32, 4bit")
    expect(page.locator("#sc-notice p")).to_have_count(0)
    # Another tab learns it with its next question.
    ask(other, "the star")
    wait_for_answer(other)
    expect(other.locator(".sc-chip")).to_contain_text("org/better")
    load(page, "")
    expect(page.locator("#sc-load-line")).to_contain_text("demo answers from now")


def test_a_question_beyond_the_demo_model_is_said_so_before_it_is_asked(
    fake_server: Server, context: BrowserContext
) -> None:
    page = open_page(context, fake_server)
    question = page.locator("#sc-question textarea")
    question.fill("the dog that barks")
    question.blur()
    hint = page.locator("#sc-question-line")
    expect(hint).to_contain_text("does not know these words")
    hint.get_by_role("button", name="the star blinking").click()
    expect(question).to_have_value("the star blinking")
    expect(question).to_be_focused()
    question.blur()
    expect(hint.locator("p")).to_have_count(0)
    # A press takes a moment; the hint does not move the button away meanwhile.
    question.fill("the dog")
    page.locator("#sc-run").hover()
    page.mouse.down()
    page.wait_for_timeout(250)
    page.mouse.up()
    expect(page.locator("#sc-status .sc-warn")).to_be_visible()
    expect(hint).to_contain_text("does not know these words")


def test_where_it_is_not_allowed_there_is_no_way_to_do_it(
    browser: Browser, tmp_path: Path
) -> None:
    with serving(FakeChat(), tmp_path) as (url, _):
        page = browser.new_context().new_page()
        page.goto(url)
        page.locator("#sc-model > button").click()
        expect(page.locator("#sc-model-facts")).to_contain_text("CPU")
        expect(page.locator("#sc-load")).to_have_count(0)
        config = httpx.get(f"{url}/config", trust_env=False).json()
        ids = {each["props"].get("elem_id") for each in config["components"]}
        assert "sc-model" in ids and "sc-load" not in ids
        page.context.close()


@pytest.mark.parametrize("look", LOOKS)
def test_everybody_can_use_the_panel(
    fake_server: Server, browser: Browser, look: Look
) -> None:
    with look.of(browser) as context:
        page = opened(context, fake_server)
        question = page.locator("#sc-question textarea")
        question.fill("the dog")
        question.blur()
        expect(page.locator("#sc-question-line button")).to_have_count(3)
        check_for_everybody(page)
