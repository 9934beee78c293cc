"""Make the documents' pictures again: ``python tests/app/screenshot.py [NAME ...]``.

Starts the app with the demo model, does what a person does, and saves what the page
then looks like: the README's picture, and those of ``docs/app.md``.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

from browser_support import (  # noqa: E402
    ROOT,
    Server,
    choose_candidates,
    chromium,
    end_app,
    open_page,
    press_run,
    start_app,
    wait_for_answer,
)
from looks import Look  # noqa: E402
from PIL import Image  # noqa: E402
from playwright.sync_api import Browser, Page, expect  # noqa: E402

#: Where in the clip the picture is taken: the box is away from where it began.
_CLIP_SECONDS = 1.5
#: Enough for the page's few colours and a small player.
_COLORS = 256


@dataclass(frozen=True)
class Picture:
    """One picture.

    Attributes:
        file: Where it goes.
        look: The screen.
        prepare: Does what is to be seen.
        part: What of the page is shown; None is the window.
    """

    file: str
    look: Look
    prepare: Callable[[Page], None]
    part: str | None = None


def main() -> int:
    """Save the pictures."""
    names = sys.argv[1:] or [*PICTURES]
    with tempfile.TemporaryDirectory() as folder:
        server = start_app("demo", Path(folder))
        try:
            with chromium() as browser:
                for name in names:
                    print(_save(PICTURES[name], browser, server))
        finally:
            end_app(server)
    return 0


def _save(picture: Picture, browser: Browser, server: Server) -> str:
    target = ROOT / picture.file
    target.parent.mkdir(exist_ok=True)
    with picture.look.of(browser) as context:
        page = open_page(context, server)
        picture.prepare(page)
        page.mouse.move(0, 0)
        page.wait_for_timeout(700)
        if picture.part is None:
            page.screenshot(path=target)
        else:
            page.locator(picture.part).screenshot(path=target)
    drawn = Image.open(target).convert("RGB")
    small = drawn.quantize(
        _COLORS, Image.Quantize.MAXCOVERAGE, kmeans=3, dither=Image.Dither.NONE
    )
    small.save(target, optimize=True)
    return f"{picture.file}: {target.stat().st_size / 1000:.0f} kB"


def _answered(page: Page) -> None:
    page.locator("#sc-examples button").first.click()
    expect(page.locator("#sc-video-line .sc-facts")).to_be_visible()
    press_run(page)
    wait_for_answer(page)
    page.wait_for_function(
        """async (seconds) => {
          const clip = document.querySelector("#sc-clip video");
          if (!clip || clip.readyState < 2) return false;
          if (clip.currentTime !== seconds) clip.currentTime = seconds;
          return !clip.seeking;
        }""",
        arg=_CLIP_SECONDS,
    )


def _several(page: Page) -> None:
    choose_candidates(page, 3)
    _answered(page)
    expect(page.locator("#sc-timeline")).to_contain_text("3")
    page.locator("#sc-timeline").scroll_into_view_if_needed()
    page.evaluate("document.querySelector('#sc-timeline').scrollIntoView()")


def _corrected(page: Page) -> None:
    _answered(page)
    page.locator("#sc-fix-panel > button").click()
    page.locator("#sc-fix-moment textarea, #sc-fix-moment input").fill("2")
    page.locator("#sc-look-button").click()
    expect(page.locator(".sc-canvas img")).to_be_visible()


def _model(page: Page) -> None:
    page.locator("#sc-model > button").click()
    expect(page.locator("#sc-model-facts dl")).to_be_visible()


def _at_answer(page: Page) -> None:
    _answered(page)
    page.evaluate("document.querySelector('#sc-status').scrollIntoView()")


_DESKTOP = Look("en", 1280, 860, "light")
_TALL = Look("en", 1280, 1500, "light")

PICTURES: Mapping[str, Picture] = {
    "dark": Picture("docs/app/dark.png", Look("en", 1280, 860, "dark"), _answered),
    "several": Picture(
        "docs/app/several.png", Look("en", 1280, 720, "light"), _several
    ),
    "correct": Picture("docs/app/correct.png", _TALL, _corrected, "#sc-fix-panel"),
    "model": Picture("docs/app/model.png", _TALL, _model, "#sc-model"),
    "phone": Picture("docs/app/phone.png", Look("en", 390, 844, "light"), _at_answer),
    "chinese": Picture(
        "docs/app/chinese.png", Look("zh", 390, 844, "dark"), _at_answer
    ),
    # Last: the first answer also pays for what is loaded once.
    "readme": Picture("assets/screenshot.png", _DESKTOP, _answered),
}


if __name__ == "__main__":
    sys.exit(main())
