"""The view of an answer, in a real headless Chromium with the fake model."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest
from browser_support import (
    Server,
    ask,
    choose_candidates,
    download,
    open_page,
    upload,
    wait_for_answer,
)
from fake_chat import SPAN_SECONDS
from looks import LOOKS, Look, check_for_everybody
from playwright.sync_api import Browser, BrowserContext, Page, expect

pytestmark = pytest.mark.browser


def answered(
    context: BrowserContext, server: Server, clip: Path, candidates: int = 1
) -> Page:
    """A page with an answer on it, its players ready."""
    page = open_page(context, server)
    upload(page, clip)
    if candidates > 1:
        choose_candidates(page, candidates)
    ask(page, "the red circle")
    wait_for_answer(page)
    for player in ("sc-video", "sc-clip"):
        page.wait_for_function(
            f"document.querySelector('#{player} video')?.readyState >= 2"
        )
    return page


def position(page: Page, player: str) -> float:
    """Where a player is, in its own seconds."""
    page.wait_for_function(f"!document.querySelector('#{player} video').seeking")
    time = page.evaluate(f"document.querySelector('#{player} video').currentTime")
    assert isinstance(time, int | float)
    return time


def test_a_press_takes_both_players_to_the_moment(
    fake_server: Server, context: BrowserContext, clip: Path
) -> None:
    page = answered(context, fake_server, clip)
    start, end = SPAN_SECONDS
    page.locator("#sc-span [data-seek]").click()
    assert position(page, "sc-video") == pytest.approx(start, abs=0.01)
    assert position(page, "sc-clip") == pytest.approx(0, abs=0.01)
    # By keyboard, on the last key frame.
    page.locator("#sc-frames [data-seek]").last.focus()
    page.keyboard.press("Enter")
    assert position(page, "sc-video") == pytest.approx(end, abs=0.01)
    assert position(page, "sc-clip") == pytest.approx(end - start, abs=0.01)
    line = page.get_by_role("slider", name="Position in the video")
    assert float(line.input_value()) == pytest.approx(end, abs=0.01)


def test_outside_the_clip_only_the_video_moves(
    fake_server: Server, context: BrowserContext, clip: Path
) -> None:
    page = answered(context, fake_server, clip)
    page.locator("#sc-span [data-seek]").click()
    line = page.get_by_role("slider", name="Position in the video")
    line.focus()
    page.keyboard.press("End")
    assert position(page, "sc-video") == pytest.approx(3.0, abs=0.05)
    assert position(page, "sc-clip") == pytest.approx(0, abs=0.01)
    expect(line).to_have_attribute("aria-valuetext", "0:00:03.0")


def test_another_video_in_the_form_is_left_alone(
    fake_server: Server, context: BrowserContext, clip: Path, silent_clip: Path
) -> None:
    page = answered(context, fake_server, clip)
    page.get_by_role("button", name="Clear").click()
    upload(page, silent_clip)
    expect(page.locator("#sc-video-line")).to_contain_text("240")
    page.wait_for_function("document.querySelector('#sc-video video')?.readyState >= 2")
    page.locator("#sc-frames [data-seek]").last.click()
    assert position(page, "sc-clip") == pytest.approx(1.25, abs=0.01)
    assert position(page, "sc-video") == 0


def test_the_line_follows_the_player(
    fake_server: Server, context: BrowserContext, clip: Path
) -> None:
    page = answered(context, fake_server, clip)
    page.evaluate("document.querySelector('#sc-clip video').play()")
    page.wait_for_function(
        f"document.querySelector('.sc-scrub').value > {SPAN_SECONDS[0] + 0.2}"
    )


@pytest.mark.parametrize("look", LOOKS)
def test_everything_can_be_read_and_used_by_all(
    fake_server: Server, browser: Browser, clip: Path, look: Look
) -> None:
    with look.of(browser) as context:
        page = answered(context, fake_server, clip, candidates=3)
        panels = ("files_panel", "style_panel", "fix_panel", "boxes_panel", "raw")
        for panel in panels:
            page.get_by_role("button", name=look.says(panel)).click()
        expect(page.locator("#sc-files a")).to_have_count(13)
        page.locator("#sc-look-button").click()
        expect(page.locator(".sc-canvas")).to_be_visible()
        check_for_everybody(page)


def test_candidates_are_ranked_and_can_be_looked_at(
    fake_server: Server, context: BrowserContext, clip: Path
) -> None:
    page = answered(context, fake_server, clip, candidates=3)
    table = page.locator("#sc-span table")
    expect(table.locator("tbody tr")).to_have_count(3)
    assert table.locator("td:last-child").all_text_contents() == ["90%", "75%", "60%"]
    lanes = page.locator(".sc-lanes [data-seek]")
    expect(lanes).to_have_count(3)
    page.get_by_role("button", name="Answer 2: 0:00.750").first.click()
    assert position(page, "sc-video") == pytest.approx(0.75, abs=0.01)
    page.locator("#sc-choice").get_by_role("radio", name="Answer 2").check()
    expect(page.locator("#sc-status")).to_contain_text("Found from 0:00.750")
    expect(table.locator("tbody th").first).to_have_text("2")


def test_boxes_are_folded_and_scroll_in_place(
    fake_server: Server, context: BrowserContext, clip: Path
) -> None:
    page = answered(context, fake_server, clip)
    table = page.get_by_role("region", name="The box on each picture")
    expect(table).to_have_count(0)
    page.get_by_role("button", name="Boxes, picture by picture").click()
    expect(table).to_be_visible()
    expect(table.locator("tbody tr")).to_have_count(32)  # 1.00 to 2.25 s at 25 fps
    assert table.bounding_box()["height"] < 300  # type: ignore[index]
    table.locator("[data-seek]").nth(5).click()
    assert position(page, "sc-clip") == pytest.approx(0.2, abs=0.01)
    # The next question takes it all away.
    ask(page, "missing star")
    expect(page.locator("#sc-status")).to_contain_text("Could not find it")
    for gone in ("#sc-timeline", "#sc-frames", "#sc-span", "#sc-boxes"):
        expect(page.locator(gone)).to_have_count(0)


def test_all_files_can_be_downloaded(
    fake_server: Server, context: BrowserContext, clip: Path, tmp_path: Path
) -> None:
    page = answered(context, fake_server, clip)
    panel = page.get_by_role("button", name="All files")
    panel.click()
    links = page.locator("#sc-files a")
    expect(links).to_have_count(13)
    expect(page.locator("#sc-run")).to_be_enabled()
    archived = download(page, "#sc-files .sc-all a", tmp_path)
    assert archived.name == "kitchen_results.zip"
    # The others by their addresses: browsers slow down many downloads at once.
    for link in links.all():
        name = link.get_attribute("download")
        got = page.request.get(f"{fake_server.url}{link.get_attribute('href')}")
        assert got.ok and name == link.text_content()
        (tmp_path / str(name)).write_bytes(got.body())
    with zipfile.ZipFile(archived) as archive:
        assert archive.testzip() is None and len(archive.namelist()) == 12
        names = [n for n in archive.namelist() if n != "kitchen_grounding.json"]
        for name in names:
            assert archive.read(name) == (tmp_path / name).read_bytes()
    # Another clip has other files; the list is folded until it is asked for again.
    page.get_by_role("button", name="Change the clip").click()
    page.locator("#sc-cut").click()
    expect(page.locator("#sc-style-line")).to_contain_text("Done", timeout=30_000)
    expect(links).to_have_count(0)
    panel.click()
    expect(links).to_have_count(13)


def test_where_nothing_was_found_the_files_say_so(
    fake_server: Server, context: BrowserContext, clip: Path
) -> None:
    page = open_page(context, fake_server)
    upload(page, clip)
    ask(page, "missing star")
    expect(page.locator("#sc-status")).to_contain_text("Could not find it")
    page.get_by_role("button", name="All files").click()
    expect(page.locator("#sc-files")).to_contain_text("nothing was found")
    expect(page.locator("#sc-files a")).to_have_count(10)


def test_several_moments_fit_a_phone(
    fake_server: Server, browser: Browser, clip: Path
) -> None:
    context = browser.new_context(viewport={"width": 390, "height": 844})
    context.set_default_timeout(15_000)
    page = answered(context, fake_server, clip, candidates=4)
    table = page.locator("#sc-span table")
    place = table.bounding_box()
    assert place is not None and place["x"] + place["width"] <= 390
    for cell in table.locator("tbody tr").first.locator("td").all():
        expect(cell).to_be_visible()
    page.get_by_role("button", name="Correct by hand").click()
    page.locator("#sc-look-button").click()
    expect(page.locator(".sc-canvas")).to_be_visible()
    overflow = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert overflow <= 0
    context.close()
