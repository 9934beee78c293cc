"""Make the README's picture again: ``python tests/app/screenshot.py [FILE]``.

Starts the app with the demo model, clicks its first example, runs it, and saves what
the page then looks like.
"""

from __future__ import annotations

import sys
import tempfile
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parents[2])]

from browser_support import (  # noqa: E402
    ROOT,
    chromium,
    end_app,
    open_page,
    press_run,
    start_app,
    wait_for_answer,
)
from PIL import Image  # noqa: E402
from playwright.sync_api import Page, expect  # noqa: E402

#: Where in the clip the picture is taken: the box is away from where it began.
_CLIP_SECONDS = 1.5


def main() -> int:
    """Save the picture."""
    target = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "assets/screenshot.png")
    with tempfile.TemporaryDirectory() as folder:
        server = start_app("demo", Path(folder))
        try:
            with chromium() as browser:
                size = {"width": 1280, "height": 860}
                page = open_page(browser.new_context(viewport=size), server)  # type: ignore[arg-type]
                _run_first_example(page)
                page.screenshot(path=target)
        finally:
            end_app(server)
    Image.open(target).convert("RGB").save(target, optimize=True)
    print(f"{target}: {target.stat().st_size / 1000:.0f} kB")
    return 0


def _run_first_example(page: Page) -> None:
    page.locator("#sc-examples button").first.click()
    expect(page.locator("#sc-video-line .sc-facts")).to_be_visible()
    press_run(page)
    wait_for_answer(page)
    page.mouse.move(0, 0)
    page.wait_for_function(
        """async (seconds) => {
          const clip = document.querySelector("#sc-clip video");
          if (!clip || clip.readyState < 2) return false;
          if (clip.currentTime !== seconds) clip.currentTime = seconds;
          return !clip.seeking;
        }""",
        arg=_CLIP_SECONDS,
    )
    page.wait_for_timeout(500)


if __name__ == "__main__":
    sys.exit(main())
