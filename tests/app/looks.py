"""How the page is looked at: by its size, its language and its colours."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Literal

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, BrowserContext, Page

from ui.i18n import Language, text


@dataclass(frozen=True)
class Look:
    """A screen and whose it is."""

    language: Language
    width: int
    height: int
    colors: Literal["light", "dark"]

    def says(self, key: str) -> str:
        """A text of the page, in the language."""
        return text(self.language, key)

    @contextmanager
    def of(self, browser: Browser) -> Iterator[BrowserContext]:
        """A browser that looks so."""
        context = browser.new_context(
            viewport={"width": self.width, "height": self.height},
            locale="zh-CN" if self.language == "zh" else "en-US",
            color_scheme=self.colors,
            reduced_motion="reduce",
        )
        context.set_default_timeout(15_000)
        yield context
        context.close()


#: Every size, language and colour is in one of them.
LOOKS = [
    pytest.param(Look("en", 1280, 720, "light"), id="desktop-light-en"),
    pytest.param(Look("zh", 390, 844, "dark"), id="phone-dark-zh"),
]


#: A busy machine takes its time; what never ends is the sign of work.
_STANDS_STILL = """() => document.getAnimations().every((each) =>
    each.playState !== "running"
    || each.effect.getComputedTiming().endTime === Infinity)"""


def check_for_everybody(page: Page) -> None:
    """Nothing that axe-core objects to, and nothing beyond the right edge."""
    page.wait_for_timeout(500)  # Folding out fades in.
    page.wait_for_function(_STANDS_STILL)  # Half a change of colour has no contrast.
    found = Axe().run(page).response["violations"]
    problems = {each["id"]: [node["html"] for node in each["nodes"]] for each in found}
    assert problems == {}, problems
    overflow = page.evaluate(
        "document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    assert overflow <= 0
