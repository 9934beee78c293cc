"""Both languages, and the switch between them, in a real headless Chromium."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from browser_support import Server, ask, open_page, upload, wait_for_answer
from fake_chat import make_clip
from playwright.sync_api import Browser, BrowserContext, Page, expect

pytestmark = pytest.mark.browser

# All texts that can be seen, and all names for screen readers.
_TEXTS = """() => {
  const seen = [...document.querySelectorAll("body *")].filter(
    (each) =>
      each.checkVisibility() &&
      !each.closest("style, script") &&
      getComputedStyle(each).fontSize !== "0px",
  );
  const own = (each) =>
    [...each.childNodes].filter((it) => it.nodeType === 3).map((it) => it.textContent);
  const named = ["aria-label", "title", "placeholder", "alt"];
  const names = (each) => named.map((name) => each.getAttribute(name) ?? "");
  const ours = seen.filter((each) => each.closest("[id^=sc-], .sc-header"));
  const texts = [...seen.flatMap(own), ...ours.flatMap(names)];
  return [...new Set(texts.map((text) => text.trim()).filter(Boolean))];
}"""

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


def test_what_goes_wrong_is_said_in_chinese(
    fake_server: Server, browser: Browser, clip: Path, tmp_path: Path
) -> None:
    context = browser.new_context(locale="zh-CN")
    page = open_page(context, fake_server)
    broken = tmp_path / "notes.mp4"
    broken.write_text("this is not a video\n" * 100)
    page.set_input_files("#sc-video input[type=file]", broken)
    said = page.locator("#sc-video-line [role=alert]")
    expect(said).to_contain_text(re.compile("notes.mp4 不是能读取的视频.它已损坏"))
    page.get_by_role("button", name="清除").first.click()
    # Cut in the middle: it can be read, and what is missing is told.
    cut = tmp_path / "cut.ts"
    whole = make_clip(tmp_path / "whole.ts", seconds=4.0).read_bytes()
    cut.write_bytes(whole[: len(whole) * 2 // 3 + 7])
    upload(page, cut)
    expect(page.locator("#sc-video-line .sc-notes")).to_contain_text("可能被截断了")
    notes = page.locator("#sc-video-line .sc-notes li").all_text_contents()
    assert notes and all(_CHINESE.search(note) for note in notes)
    ask(page, "x" * 1500)
    expect(page.locator("#sc-status [role=alert]")).to_contain_text("上限是 1000 个")
    page.get_by_role("button", name="清除").first.click()
    upload(page, clip)
    ask(page, "the red circle")
    wait_for_answer(page)
    page.get_by_role("button", name="手动更正").click()
    expect(page.locator("#sc-fix-start").get_by_role("textbox")).to_have_value(
        "0:00:01.000"
    )
    page.wait_for_timeout(1000)
    page.locator("#sc-fix-end").get_by_role("textbox").fill("soon")
    page.locator("#sc-fix").click()
    expect(page.locator("#sc-fix-line [role=alert]")).to_contain_text("不是时间")
    context.close()


def test_nothing_on_the_chinese_page_is_english(
    fake_server: Server, browser: Browser, clip: Path
) -> None:
    context = browser.new_context(locale="zh-CN")
    page = open_page(context, fake_server)
    upload(page, clip)
    ask(page, "at 0.5 to 1.5\nmissing star\nat 1 to 2")
    expect(page.locator("#sc-status")).to_contain_text("个问题中有", timeout=60_000)
    for title in ("其他提问方式", "更多选项", "全部文件与 ZIP"):
        page.get_by_role("button", name=title).click()
    page.wait_for_timeout(1000)
    lines = page.evaluate(_TEXTS)
    english = [line for line in lines if re.search("[A-Za-z]{4}", line)]
    # Names, what was asked, keys, formats, and Gradio's own names of its buttons.
    known = (
        "StableChat|stablechat|English|python|appletea|Qwen|example star|missing star"
        "|kitchen|Ctrl|Shift|JSON|WebP|WebM|CMX|OpenTimelineIO|SubRip|WebVTT|COCO"
        "|VidOR|ST-Align|float32|MP4|--model|the red circle moving left"
        "|circle、square|the blue square that|the star blinking"
        "|play-pause|volume|full-screen|number input|range slider|Reset to default"
    )
    left = [line for line in english if not re.search(known, line)]
    assert not left, "; ".join(left)
    context.close()
