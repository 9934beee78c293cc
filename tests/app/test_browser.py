"""The app as a person uses it, in a real headless Chromium.

The page comes from ``app.py`` in a process of its own. The journey from an upload to
the downloads is made with a fake model and with the real one in ``assets/`` (the
``server`` fixture); the many smaller things, and what only the fake can act out (being
slow, failing), take ``fake_server``.
"""

from __future__ import annotations

import json
import re
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from browser_support import (
    Server,
    ask,
    download,
    open_page,
    results,
    seconds,
    start_app,
    story,
    upload,
    wait_for_answer,
)
from fake_chat import make_clip
from playwright.sync_api import Browser, BrowserContext, expect

from stablechat.video import probe

pytestmark = pytest.mark.browser


def test_upload_ask_download_and_describe(
    server: Server, context: BrowserContext, clip: Path, tmp_path: Path
) -> None:
    told = story(server, clip)
    video, source = told.video, probe(told.video)
    page = open_page(context, server)
    upload(page, video)
    size = f"{source.width}\N{MULTIPLICATION SIGN}{source.height}"
    expect(page.locator("#sc-video-line")).to_contain_text(size)

    ask(page, told.question)
    wait_for_answer(page)
    cells = page.locator("#sc-span td").all_text_contents()
    start, end, duration = (seconds(cell) for cell in cells[:3])
    assert (start, end) == pytest.approx(told.span_seconds, abs=told.within_seconds)
    assert duration == pytest.approx(end - start, abs=0.002)
    expect(page.locator("#sc-status")).to_contain_text("Found from 0:")

    made = download(page, "#sc-download-clip", tmp_path)
    assert made.name == f"{video.stem}_clip.mp4"
    info = probe(made)
    assert (info.codec, info.pixel_format) == ("h264", "yuv420p")
    assert info.has_audio and source.has_audio
    assert info.duration_seconds == pytest.approx(duration, abs=0.15)

    answer = json.loads(download(page, "#sc-download-json", tmp_path).read_text())
    assert answer["span"]["start_seconds"] == pytest.approx(start, abs=0.001)
    assert answer["boxes"]

    box = page.locator("#sc-question textarea")
    expect(box).to_have_attribute("placeholder", "the red circle moving left")
    page.locator("#sc-mode input[value=describe]").check()
    expect(box).to_have_attribute(
        "placeholder", "Leave empty to describe the whole video"
    )
    ask(page, "")
    wait_for_answer(page)
    assert told.words in page.locator("#sc-description textarea").input_value()
    expect(page.locator("#sc-clip")).to_have_count(0)
    text = download(page, "#sc-download-text", tmp_path)
    assert text.name == f"{video.stem}_description.txt"
    assert told.words in text.read_text("utf-8")


def test_the_clip_plays(
    fake_server: Server, context: BrowserContext, clip: Path
) -> None:
    page = open_page(context, fake_server)
    upload(page, clip)
    ask(page, "the red circle")
    wait_for_answer(page)
    # readyState 2: the browser could decode a picture of it.
    page.wait_for_function(
        "document.querySelector('#sc-clip video')?.readyState >= 2", timeout=10_000
    )
    duration = page.evaluate("document.querySelector('#sc-clip video').duration")
    assert duration == pytest.approx(1.25, abs=0.15)


def test_an_example_fills_the_form(
    fake_server: Server, context: BrowserContext
) -> None:
    page = open_page(context, fake_server)
    page.get_by_text("the example star").click()
    question = page.locator("#sc-question textarea")
    expect(question).to_have_value("the example star")
    expect(page.locator("#sc-video-line")).to_contain_text("0:03.000")
    question.press("Enter")
    wait_for_answer(page)
    expect(page.locator("#sc-span")).to_be_visible()
    # An example in the other mode switches the mode, and so the placeholder.
    page.get_by_role("button", name="Describe the video").click()
    expect(page.locator("#sc-mode input[value=describe]")).to_be_checked()
    expect(question).to_have_attribute(
        "placeholder", "Leave empty to describe the whole video"
    )


def test_shift_enter_starts_a_new_line(
    fake_server: Server, context: BrowserContext
) -> None:
    page = open_page(context, fake_server)
    question = page.locator("#sc-question textarea")
    question.fill("one")
    question.press("Shift+Enter")
    question.type("two")
    expect(question).to_have_value("one\ntwo")
    expect(page.locator(".sc-bad")).to_have_count(0)


def test_what_is_missing_is_said(
    fake_server: Server, context: BrowserContext, clip: Path
) -> None:
    page = open_page(context, fake_server)
    page.locator("#sc-run").click()
    expect(page.locator("#sc-status")).to_contain_text("There is no video yet")
    upload(page, clip)
    page.locator("#sc-run").click()
    expect(page.locator("#sc-status")).to_contain_text("The question is empty")
    expect(page.locator("#sc-run")).to_be_enabled()


def test_a_file_that_is_no_video_is_said(
    fake_server: Server, context: BrowserContext, tmp_path: Path
) -> None:
    fake = tmp_path / "notes.mp4"
    fake.write_text("this is not a video\n" * 100)
    page = open_page(context, fake_server)
    page.set_input_files("#sc-video input[type=file]", fake)
    expect(page.locator("#sc-video-line [role=alert]")).to_contain_text("notes.mp4")
    ask(page, "the red circle")
    expect(page.locator("#sc-status [role=alert]")).to_contain_text("notes.mp4")


def test_a_video_whose_ending_the_browser_does_not_know(
    fake_server: Server, context: BrowserContext, clip: Path, tmp_path: Path
) -> None:
    phone = tmp_path / "PHONE.MOV"
    shutil.copy(clip, phone)
    page = open_page(context, fake_server)
    upload(page, phone)
    # One that it can't play either is no alarm, and is shown by its first picture.
    stream = make_clip(tmp_path / "camera.ts")
    page = open_page(context, fake_server)
    upload(page, stream)
    expect(page.locator("#sc-video-line")).to_contain_text("first picture")
    expect(page.locator("#sc-video video")).to_have_css(
        "background-image", re.compile("data:image/jpeg")
    )
    page.wait_for_timeout(500)
    expect(page.get_by_text("not playable")).to_have_count(0)
    # And dropped rather than chosen.
    page = open_page(context, fake_server)
    page.evaluate(
        """() => {
          const data = new DataTransfer();
          data.items.add(new File(["not a video"], "DROPPED.MKV"));
          const drop = new DragEvent("drop", {bubbles: true, dataTransfer: data});
          document.querySelector("#sc-video button").dispatchEvent(drop);
        }"""
    )
    expect(page.locator("#sc-video-line [role=alert]")).to_contain_text("DROPPED.MKV")


def test_nothing_found_and_a_bug_are_said(
    fake_server: Server, context: BrowserContext, clip: Path
) -> None:
    page = open_page(context, fake_server)
    upload(page, clip)
    ask(page, "missing star")
    expect(page.locator("#sc-status")).to_contain_text("Could not find it")
    expect(page.locator("#sc-clip")).to_have_count(0)
    page.get_by_role("button", name="Model's own text, and what was read").click()
    expect(page.locator("#sc-raw textarea")).to_have_value("I can't see that.")
    ask(page, "boom")
    expect(page.locator("#sc-status")).to_contain_text("Something went wrong")
    # The word alone is in Gradio's own configuration of what the browser keeps.
    assert "secret/path" not in page.content()


def test_stop_stops(fake_server: Server, context: BrowserContext, clip: Path) -> None:
    page = open_page(context, fake_server)
    upload(page, clip)
    ask(page, "slow one")  # Would take 30 seconds.
    expect(page.locator(".sc-now")).to_contain_text("Read video")
    expect(page.locator("#sc-run")).to_be_disabled()
    started = time.monotonic()
    page.locator("#sc-stop").click()
    expect(page.locator("#sc-status")).to_contain_text("Stopped")
    assert time.monotonic() - started < 2
    # The model is free again: the next answer comes at once, and stays.
    ask(page, "the red circle")
    wait_for_answer(page)
    assert time.monotonic() - started < 8
    expect(page.locator("#sc-stop")).to_be_disabled()


def test_stop_leaves_the_queue(
    fake_server: Server, context: BrowserContext, clip: Path
) -> None:
    first, second = open_page(context, fake_server), open_page(context, fake_server)
    upload(first, clip)
    upload(second, clip)
    ask(first, "slow one")
    expect(first.locator(".sc-now")).to_contain_text("Read video")
    ask(second, "the red circle")
    expect(second.locator("#sc-status")).to_contain_text("Before you: 1.")
    second.locator("#sc-stop").click()
    expect(second.locator("#sc-status")).to_contain_text("Stopped")
    expect(first.locator(".sc-now")).to_be_visible()
    first.locator("#sc-stop").click()
    expect(first.locator("#sc-status")).to_contain_text("Stopped")
    # The one that left the queue stays out of it.
    second.wait_for_timeout(1000)
    expect(second.locator("#sc-status")).to_contain_text("Stopped")


def test_two_tabs_do_not_mix(
    fake_server: Server,
    context: BrowserContext,
    clip: Path,
    silent_clip: Path,
    tmp_path: Path,
) -> None:
    first, second = open_page(context, fake_server), open_page(context, fake_server)
    upload(first, clip)
    upload(second, silent_clip)
    ask(first, "at 0.5 to 2.5")
    ask(second, "at 1.0 to 1.5")
    for page, line, name, lasts in (
        (first, "Found from 0:00.500 to 0:02.500", "kitchen_clip.mp4", 2.0),
        (second, "Found from 0:01.000 to 0:01.500", "garden_clip.mp4", 0.5),
    ):
        wait_for_answer(page)
        expect(page.locator("#sc-status")).to_contain_text(line)
        made = download(page, "#sc-download-clip", tmp_path)
        assert made.name == name
        assert probe(made).duration_seconds == pytest.approx(lasts, abs=0.15)


def test_a_tab_that_closes_takes_its_files_and_its_run_along(
    fake_server: Server, context: BrowserContext, clip: Path
) -> None:
    others = results(fake_server)
    page = open_page(context, fake_server)
    upload(page, clip)
    ask(page, "the red circle")
    wait_for_answer(page)
    own = results(fake_server) - others
    assert own
    ask(page, "slow one")
    expect(page.locator(".sc-now")).to_be_visible()
    page.close()
    deadline = time.monotonic() + 10
    while own & results(fake_server) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert not own & results(fake_server)
    # The run ended too: another tab does not wait 30 seconds.
    other = open_page(context, fake_server)
    upload(other, clip)
    ask(other, "the red circle")
    wait_for_answer(other, timeout_ms=10_000)


def test_the_page_speaks_chinese(
    fake_server: Server, browser: Browser, clip: Path
) -> None:
    context = browser.new_context(locale="zh-CN")
    page = open_page(context, fake_server)
    expect(page.locator("#sc-run")).to_have_text("运行")
    expect(page.locator("#sc-status")).to_contain_text("准备就绪")
    expect(page.locator("#sc-mode")).to_contain_text("查找并剪辑")
    upload(page, clip)
    ask(page, "the red circle")
    wait_for_answer(page)
    expect(page.locator("#sc-status")).to_contain_text("找到了")
    expect(page.locator("#sc-span th").first).to_have_text("开始")
    context.close()


@pytest.mark.parametrize(("width", "height"), [(1280, 720), (390, 844)])
def test_nothing_is_cut_off_or_fetched_from_elsewhere(
    fake_server: Server, browser: Browser, clip: Path, width: int, height: int
) -> None:
    context = browser.new_context(viewport={"width": width, "height": height})
    page = context.new_page()
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))
    page.goto(fake_server.url)
    upload(page, clip)
    ask(page, "the red circle")
    wait_for_answer(page)
    overflow = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert overflow <= 0
    for name in ("#sc-span table", "#sc-timeline section", "#sc-frames ol"):
        place = page.locator(name).bounding_box()
        assert place is not None
        assert place["x"] >= 0 and place["x"] + place["width"] <= width
    # On a phone the answer is below the form; it has come into view.
    expect(page.locator("#sc-status h2")).to_be_in_viewport(ratio=1)
    expect(page.locator("#sc-clip video")).to_be_in_viewport(ratio=0.9)
    local = (fake_server.url, "data:", "blob:")
    assert [url for url in requests if not url.startswith(local)] == []
    context.close()


def test_every_control_has_a_name(fake_server: Server, context: BrowserContext) -> None:
    page = open_page(context, fake_server)
    expect(page.get_by_role("textbox", name="What to look for")).to_be_visible()
    for name in ("Find and clip", "Describe"):
        expect(page.get_by_role("radio", name=name, exact=True)).to_be_visible()
    for name in ("Run", "Stop"):
        expect(page.get_by_role("button", name=name, exact=True)).to_be_visible()


def test_ending_the_app_removes_its_files(
    start_server: Callable[[str], Server], tmp_path: Path, clip: Path
) -> None:
    server = start_app("fake", tmp_path, clip)
    assert list(server.temporary.glob("stablechat-*"))
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(15) == 0
    assert list(server.temporary.iterdir()) == []
    assert "Traceback" not in server.log.read_text()
