"""Both languages, and the switch between them, in a real headless Chromium."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from browser_support import Server, ask, open_page, upload, wait_for_answer
from playwright.sync_api import Browser, BrowserContext, Page, expect

pytestmark = pytest.mark.browser

_CHINESE = re.compile(r"[\u4e00-\u9fff]")


def switch(page: Page, name: str) -> None:
    page.get_by_role("button", name=name, exact=True).click()
    pressed = page.locator(".sc-languages [aria-pressed=true]")
    expect(pressed).to_have_text(name)


def test_the_language_is_switched_and_remembered(
    fake_server: Server, context: BrowserContext, clip: Path
) -> None:
    page = open_page(context, fake_server)
    expect(page.locator("#sc-run")).to_have_text("Run")
    upload(page, clip)
    ask(page, "the red circle")
    wait_for_answer(page)
    page.locator("#sc-question textarea").fill("not asked yet")
    switch(page, "中文")
    expect(page.locator("#sc-run")).to_have_text("运行")
    assert page.evaluate("document.documentElement.lang").startswith("zh")
    # The answer, the video and what was typed are still there, in the other language.
    expect(page.locator("#sc-status")).to_contain_text("找到了")
    expect(page.locator("#sc-span th").first).to_have_text("开始")
    expect(page.locator("#sc-timeline section")).to_have_attribute(
        "aria-label", "视频时间轴"
    )
    expect(page.locator("#sc-video-line")).to_contain_text("有声音")
    expect(page.locator("#sc-question textarea")).to_have_value("not asked yet")
    # In other tabs and at the next visit too.
    other = open_page(context, fake_server)
    expect(other.locator("#sc-run")).to_have_text("运行")
    expect(other.locator("#sc-status")).to_contain_text("准备就绪")
    switch(other, "English")
    expect(other.locator("#sc-run")).to_have_text("Run")
    expect(other.locator("#sc-status")).to_contain_text("Ready when you are")


def test_english_can_be_chosen_in_a_chinese_browser(
    fake_server: Server, browser: Browser
) -> None:
    context = browser.new_context(locale="zh-CN")
    page = open_page(context, fake_server)
    expect(page.locator("#sc-run")).to_have_text("运行")
    switch(page, "English")
    expect(page.locator("#sc-run")).to_have_text("Run")
    page.reload()
    expect(page.locator("#sc-run")).to_have_text("Run")
    context.close()


def test_a_running_question_is_not_stopped_unasked(
    fake_server: Server, context: BrowserContext, clip: Path
) -> None:
    page = open_page(context, fake_server)
    upload(page, clip)
    ask(page, "slow one")
    expect(page.locator(".sc-now")).to_be_visible()
    asked: list[str] = []

    def refuse(dialog: object) -> None:
        asked.append(dialog.message)  # type: ignore[attr-defined]
        dialog.dismiss()  # type: ignore[attr-defined]

    page.on("dialog", refuse)
    page.get_by_role("button", name="中文", exact=True).click()
    page.wait_for_timeout(500)
    assert asked and "stops the question" in asked[0]
    expect(page.locator(".sc-now")).to_be_visible()
    page.locator("#sc-stop").click()
