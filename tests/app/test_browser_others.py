"""The folded kinds of questions, in a real headless Chromium."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from browser_support import (
    Server,
    ask,
    download,
    open_page,
    press_run,
    story,
    upload,
    wait_for_answer,
)
from fake_chat import EVENT
from looks import LOOKS, Look, check_for_everybody
from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page, expect
from test_browser_results import position

pytestmark = pytest.mark.browser


def choose(page: Page, kind: str) -> None:
    """Fold the other questions out and choose one."""
    if not page.locator("#sc-kind").is_visible():
        page.locator("#sc-others > button").click()
    page.locator(f"#sc-kind input[value={kind}]").check()
    expect(page.locator("#sc-mode input:checked")).to_have_count(0)


def play_from(page: Page, seconds: float) -> None:
    """Take the player of the uploaded video somewhere."""
    page.wait_for_function("document.querySelector('#sc-video video')?.readyState >= 2")
    page.evaluate(f"document.querySelector('#sc-video video').currentTime = {seconds}")
    assert position(page, "sc-video") == pytest.approx(seconds, abs=0.01)


def draw(page: Page, box: tuple[float, float, float, float], width: int) -> None:
    """Draw a box, in pixels of the video, on the picture that is shown."""
    canvas = page.locator("#sc-elc-picture .sc-canvas")
    expect(canvas).to_be_visible()
    shown = "document.querySelector('#sc-elc-picture img').naturalWidth > 0"
    page.wait_for_function(shown)
    canvas.scroll_into_view_if_needed()
    frame = canvas.bounding_box()
    assert frame is not None
    scale = frame["width"] / width
    x1, y1, x2, y2 = (side * scale for side in box)
    page.mouse.move(frame["x"] + x1, frame["y"] + y1)
    page.mouse.down()
    page.mouse.move(frame["x"] + x2, frame["y"] + y2, steps=4)
    page.mouse.up()


def answer_of(page: Page, folder: Path) -> dict[str, object]:
    data: dict[str, object] = json.loads(
        download(page, "#sc-download-json", folder).read_text()
    )
    return data


def test_they_are_folded_away_and_the_first_two_lead_back(
    fake_server: Server, context: BrowserContext
) -> None:
    page = open_page(context, fake_server)
    expect(page.locator("#sc-kind")).not_to_be_visible()
    choose(page, "svg")
    question = page.locator("#sc-question textarea")
    expect(question).to_have_attribute("placeholder", "the red circle")
    expect(page.locator("#sc-svg-start")).to_be_visible()
    choose(page, "elc")
    expect(page.locator("#sc-svg-start")).not_to_be_visible()
    page.get_by_role("radio", name="Find and clip").check()
    expect(page.locator("#sc-kind input:checked")).to_have_count(0)
    expect(page.locator("#sc-elc-start")).not_to_be_visible()
    expect(question).to_have_attribute("placeholder", "the red circle moving left")
    # An example is one of the first two.
    choose(page, "tvg")
    page.get_by_text("the example star").click()
    expect(page.locator("#sc-mode input[value=ground]")).to_be_checked()
    expect(page.locator("#sc-kind input:checked")).to_have_count(0)


def test_boxes_in_a_time_that_is_given(
    fake_server: Server, context: BrowserContext, clip: Path, tmp_path: Path
) -> None:
    page = open_page(context, fake_server)
    upload(page, clip)
    choose(page, "svg")
    play_from(page, 0.8)
    page.locator("#sc-svg-take-start").click()
    start = page.locator("#sc-svg-start").get_by_role("textbox")
    expect(start).to_have_value("0:00:00.800")
    page.locator("#sc-svg-end").get_by_role("textbox").fill("0:00:02")
    ask(page, "the red circle")
    wait_for_answer(page)
    expect(page.locator("#sc-status")).to_contain_text("from 0:00.800 to 0:02.000")
    answer = answer_of(page, tmp_path)
    assert answer["task"] == "svg"
    page.locator("#sc-svg-end").get_by_role("textbox").fill("0:00:00.1")
    ask(page, "the red circle")
    expect(page.locator("#sc-status [role=alert]")).to_contain_text("after the start")


def test_what_happens_from_here_on_to_an_object(
    server: Server, context: BrowserContext, clip: Path, tmp_path: Path
) -> None:
    told = story(server, clip)
    width, box = (320, (20.0, 30.0, 100.0, 90.0))
    if server.chat == "demo":  # The red circle, where it begins to move.
        width, box = 1280, (580.0, 370.0, 780.0, 570.0)
    page = open_page(context, server)
    upload(page, told.video)
    choose(page, "elc")
    page.locator("#sc-run").click()
    expect(page.locator("#sc-status")).to_contain_text("draw a box around the object")
    play_from(page, 0.4)
    page.locator("#sc-elc-look").click()
    draw(page, box, width)
    sides = [page.locator(f"#sc-elc-{side} input") for side in ("x1", "y1", "x2", "y2")]
    drawn = [float(side.input_value()) for side in sides]
    assert drawn == pytest.approx(box, abs=width / 150)
    press_run(page)
    wait_for_answer(page)
    words = "moves left" if server.chat == "fake" else "circle"
    expect(page.locator("#sc-status")).to_contain_text(words)
    assert words in EVENT or server.chat == "demo"
    answer = answer_of(page, tmp_path)
    assert answer["task"] == "elc"
    span = answer["span"]
    assert isinstance(span, dict)
    assert span["start_seconds"] == pytest.approx(0.4, abs=0.05)
    # The time that is typed is another one than that of the picture.
    start = page.locator("#sc-elc-start").get_by_role("textbox")
    start.fill("0:01")
    page.locator("#sc-run").click()
    expect(page.locator("#sc-status [role=alert]")).to_contain_text("another moment")
    start.press("Enter")
    expect(page.locator("#sc-elc-picture img")).to_have_attribute(
        "alt", "The picture at 0:00:01.000"
    )
    expect(sides[0]).to_have_value("")


def test_another_video_takes_the_drawing_away(
    fake_server: Server, context: BrowserContext, clip: Path
) -> None:
    page = open_page(context, fake_server)
    upload(page, clip)
    choose(page, "elc")
    page.locator("#sc-elc-look").click()
    draw(page, (20, 30, 100, 90), 320)
    expect(page.locator("#sc-elc-x1 input")).not_to_have_value("")
    page.locator("#sc-video").get_by_role("button", name="Clear").click()
    expect(page.locator("#sc-elc-picture .sc-canvas")).to_have_count(0)
    expect(page.locator("#sc-elc-x1 input")).to_have_value("")


def test_a_time_without_boxes(
    fake_server: Server, context: BrowserContext, clip: Path, tmp_path: Path
) -> None:
    page = open_page(context, fake_server)
    upload(page, clip)
    choose(page, "tvg")
    ask(page, "the red circle")
    wait_for_answer(page)
    expect(page.locator("#sc-status")).to_contain_text("Found from 0:01.000")
    expect(page.locator("#sc-status")).not_to_contain_text("no box")
    expect(page.get_by_role("button", name="Boxes, picture by picture")).to_have_count(
        0
    )
    assert answer_of(page, tmp_path)["task"] == "tvg"


def test_one_picture_of_the_video_and_a_still_image(
    fake_server: Server, context: BrowserContext, clip: Path, tmp_path: Path
) -> None:
    page = open_page(context, fake_server)
    upload(page, clip)
    choose(page, "rec")
    play_from(page, 1.2)
    page.locator("#sc-rec-take").click()
    moment = page.locator("#sc-rec-moment").get_by_role("textbox")
    expect(moment).to_have_value("0:00:01.200")
    ask(page, "the red circle")
    wait_for_answer(page)
    expect(page.locator("#sc-status")).to_contain_text("Found at 0:01.200")
    picture = page.locator("#sc-answer-picture img")
    expect(picture).to_be_visible()
    expect(page.locator("#sc-clip")).to_have_count(0)
    made = download(page, "#sc-download-picture", tmp_path)
    assert Image.open(made).size == (320, 180)

    still = tmp_path / "photo.png"
    Image.new("RGB", (200, 100), (40, 90, 160)).save(still)
    page.set_input_files("#sc-still input[type=file]", still)
    expect(page.locator("#sc-still-line")).to_contain_text("PNG")
    ask(page, "the red circle")
    wait_for_answer(page)
    expect(page.locator("#sc-status")).to_contain_text("Found in the image")
    expect(page.locator("#sc-status")).to_contain_text("photo.png")
    made = download(page, "#sc-download-picture", tmp_path)
    assert made.name == "photo_picture.jpg" and Image.open(made).size == (200, 100)
    page.get_by_role("button", name="All files").click()
    expect(page.locator("#sc-files")).to_contain_text("a still image has no time")
    ask(page, "missing thing")
    expect(page.locator("#sc-status")).to_contain_text("Could not find it")
    expect(picture).to_have_count(0)


def test_a_file_that_is_no_image_is_said(
    fake_server: Server, context: BrowserContext, tmp_path: Path
) -> None:
    fake = tmp_path / "photo.png"
    fake.write_text("no image")
    page = open_page(context, fake_server)
    choose(page, "rec")
    page.set_input_files("#sc-still input[type=file]", fake)
    said = page.locator("#sc-still-line [role=alert]")
    expect(said).to_contain_text("not an image that can be read")


@pytest.mark.parametrize("look", LOOKS)
def test_everybody_can_use_them(
    fake_server: Server, browser: Browser, clip: Path, look: Look
) -> None:
    with look.of(browser) as context:
        page = open_page(context, fake_server)
        upload(page, clip)
        for kind in ("svg", "elc", "rec"):
            choose(page, kind)
            if kind == "elc":
                page.locator("#sc-elc-look").click()
                expect(page.locator("#sc-elc-picture .sc-canvas")).to_be_visible()
            check_for_everybody(page)
