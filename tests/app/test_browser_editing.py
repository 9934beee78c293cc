"""Cutting again and correcting, in a real headless Chromium with the fake model."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest
from browser_support import (
    Server,
    ask,
    download,
    open_page,
    seconds,
    upload,
    wait_for_answer,
)
from fake_chat import SPAN_SECONDS, make_clip
from playwright.sync_api import BrowserContext, Page, expect
from test_browser_results import answered, position

from stablechat.video import probe

pytestmark = pytest.mark.browser

_DONE_MS = 30_000


def number(page: Page, name: str, value: float) -> None:
    field = page.locator(f"#sc-{name} input[type=number]").first
    field.fill(str(value))
    field.press("Tab")


def open_form(page: Page, title: str) -> None:
    """Fold a form out and wait until it is filled in: typed before, it is lost."""
    page.get_by_role("button", name=title).click()
    filled = {
        "Change the clip": ("#sc-clip-label", re.compile(".")),
        "Correct by hand": ("#sc-fix-start", "0:00:01.000"),
    }
    form, value = filled[title]
    expect(page.locator(form).get_by_role("textbox")).to_have_value(value)
    page.wait_for_timeout(1000)


def wait_for_cut(page: Page, form: str) -> None:
    expect(page.locator(f"#sc-{form}-line")).to_contain_text("Done", timeout=_DONE_MS)
    expect(page.locator("#sc-run")).to_be_enabled()


def moments(page: Page) -> list[list[float]]:
    """Start and end of each row of the table."""
    rows = page.locator("#sc-span tbody tr").all()
    return [
        [seconds(cell) for cell in row.locator("td").all_text_contents()[:2]]
        for row in rows
    ]


def test_the_clip_is_cut_again_without_the_model(
    fake_server: Server, context: BrowserContext, clip: Path, tmp_path: Path
) -> None:
    page = answered(context, fake_server, clip)
    before = page.locator("#sc-clip video").get_attribute("src")
    open_form(page, "Change the clip")
    number(page, "pad-before", 0.5)
    number(page, "pad-after", 0.25)
    number(page, "trail", 2)
    page.locator("#sc-clip-label textarea").fill("something else")
    page.get_by_role("radio", name="Plain frame").check()
    page.locator("#sc-cut").click()
    wait_for_cut(page, "style")
    expect(page.locator("#sc-clip video")).not_to_have_attribute("src", before or "")
    made = download(page, "#sc-download-clip", tmp_path)
    assert made.name == "kitchen_clip.mp4"
    assert probe(made).duration_seconds == pytest.approx(1.25 + 0.75, abs=0.1)
    # The answer is what it was, and the clip's player knows where it begins now.
    assert moments(page) == [list(SPAN_SECONDS)]
    page.locator("#sc-span [data-seek]").click()
    assert position(page, "sc-clip") == pytest.approx(0.5, abs=0.05)
    # The form keeps what was chosen.
    expect(page.get_by_role("radio", name="Plain frame")).to_be_checked()
    expect(page.locator("#sc-clip-label textarea")).to_have_value("something else")


def test_a_time_is_corrected_and_taken_back(
    fake_server: Server, context: BrowserContext, clip: Path, tmp_path: Path
) -> None:
    page = answered(context, fake_server, clip)
    open_form(page, "Correct by hand")
    handle = page.get_by_role("slider", name="Start", exact=True)
    handle.focus()
    for _ in range(5):  # A picture each, 25 a second.
        page.keyboard.press("ArrowLeft")
    start = page.locator("#sc-fix-start").get_by_role("textbox")
    expect(start).to_have_value("0:00:00.800")
    page.locator("#sc-fix-end").get_by_role("textbox").fill("2.5")
    page.locator("#sc-fix").click()
    wait_for_cut(page, "fix")
    expect(page.locator("#sc-status")).to_contain_text("Corrected by hand: 0:00.800")
    expect(page.locator("#sc-status")).to_contain_text("had found 0:01.000 to 0:02.250")
    assert moments(page) == [[0.8, 2.5], list(SPAN_SECONDS)]
    expect(page.locator("#sc-span tbody th")).to_have_text(["By hand", "1"])
    answer = json.loads(download(page, "#sc-download-json", tmp_path).read_text())
    assert answer["corrected_by_hand"] is True
    assert answer["original"]["span"]["start_seconds"] == SPAN_SECONDS[0]
    page.locator("#sc-restore").click()
    expect(page.locator("#sc-status")).to_contain_text(
        "Found from 0:01.000", timeout=_DONE_MS
    )
    assert moments(page) == [list(SPAN_SECONDS)]
    expect(page.locator("#sc-restore")).to_be_disabled()


def test_a_box_is_drawn_on_the_picture(
    fake_server: Server, context: BrowserContext, clip: Path, tmp_path: Path
) -> None:
    page = answered(context, fake_server, clip)
    open_form(page, "Correct by hand")
    page.locator("#sc-fix-moment").get_by_role("textbox").fill("1.5")
    page.locator("#sc-look-button").click()
    canvas = page.locator(".sc-canvas")
    expect(canvas).to_be_visible()
    page.wait_for_function("document.querySelector('.sc-canvas img').naturalWidth > 0")
    sides = [page.locator(f"#sc-fix-{name} input") for name in ("x1", "y1", "x2", "y2")]
    expect(sides[1]).to_have_value("54")
    canvas.scroll_into_view_if_needed()
    frame = canvas.bounding_box()
    assert frame is not None
    scale = frame["width"] / 320
    # From the lower right to the upper left, over the edge.
    page.mouse.move(frame["x"] + 100 * scale, frame["y"] + 90 * scale)
    page.mouse.down()
    page.mouse.move(frame["x"] + 50 * scale, frame["y"] + 40 * scale, steps=3)
    page.mouse.move(frame["x"] - 30, frame["y"] + 30 * scale, steps=3)
    page.mouse.up()
    drawn = [float(side.input_value()) for side in sides]
    assert drawn == pytest.approx([0, 30, 100, 90], abs=1.5)
    page.locator("#sc-fix").click()
    wait_for_cut(page, "fix")
    answer = json.loads(download(page, "#sc-download-json", tmp_path).read_text())
    [box] = [box for box in answer["boxes"] if box["time_seconds"] == 1.5]
    assert box["xyxy"] == pytest.approx(drawn, abs=0.01)
    assert answer["span"]["start_seconds"] == SPAN_SECONDS[0]


def test_what_can_not_be_used_is_said_under_the_form(
    fake_server: Server, context: BrowserContext, clip: Path
) -> None:
    page = answered(context, fake_server, clip)
    open_form(page, "Correct by hand")
    said = page.locator("#sc-fix-line [role=alert]")
    for field, typed, words in (
        ("end", "soon", "not a time"),
        ("end", "0:09", "ends at 3"),
        ("end", "0:00.5", "after the start"),
    ):
        box = page.locator(f"#sc-fix-{field}").get_by_role("textbox")
        box.fill(typed)
        page.locator("#sc-fix").click()
        expect(said).to_contain_text(words)
    page.locator("#sc-fix-end").get_by_role("textbox").fill("")
    page.locator("#sc-fix").click()
    expect(said).to_contain_text("Nothing was corrected")
    page.locator("#sc-fix-moment").get_by_role("textbox").fill("1.5")
    page.locator("#sc-fix").click()
    expect(said).to_contain_text("Show this picture")
    expect(page.locator("#sc-clip video")).to_be_visible()


def test_stop_keeps_the_clip_as_it_was(
    fake_server: Server, context: BrowserContext, tmp_path: Path
) -> None:
    long = make_clip(tmp_path / "long.mp4", seconds=60, size="1280x720")
    page = open_page(context, fake_server)
    upload(page, long)
    ask(page, "at 1 to 2")
    wait_for_answer(page)
    open_form(page, "Change the clip")
    number(page, "pad-after", 58)
    page.locator("#sc-cut").click()
    expect(page.locator("#sc-style-line")).to_contain_text("Drawing and cutting")
    page.locator("#sc-stop").click()
    expect(page.locator("#sc-style-line")).to_contain_text("the clip is as it was")
    expect(page.locator("#sc-status")).to_contain_text("Found from 0:01.000")
    expect(page.locator("#sc-run")).to_be_enabled()
    made = download(page, "#sc-download-clip", tmp_path)
    assert probe(made).duration_seconds == pytest.approx(1.0, abs=0.1)
