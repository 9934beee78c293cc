"""What is played is the file itself."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import imageio_ffmpeg
import pytest
from browser_support import Server, open_page, upload
from playwright.sync_api import BrowserContext, expect

from ui.player import player


@pytest.fixture(scope="module")
def old_film(clip: Path) -> Path:
    """What no browser plays."""
    path = clip.with_name("old.mkv")
    ffmpeg = imageio_ffmpeg.get_ffmpeg_exe()
    options = ["-y", "-v", "error", "-i", str(clip), "-c:v", "mpeg4", "-an"]
    subprocess.run([ffmpeg, *options, str(path)], check=True, timeout=60)
    return path


def test_nothing_is_made_of_it(old_film: Path) -> None:
    before = sorted(old_film.parent.iterdir())
    made = player().postprocess(str(old_film))
    assert made is not None
    assert (made.path, made.orig_name) == (str(old_film), "old.mkv")
    assert player().postprocess(None) is None
    assert sorted(old_film.parent.iterdir()) == before


@pytest.mark.browser
def test_an_upload_is_itself_after_a_reload(
    fake_server: Server, context: BrowserContext, old_film: Path
) -> None:
    assert shutil.which("ffmpeg"), "Gradio converts only where there is one"
    page = open_page(context, fake_server)
    upload(page, old_film)
    expect(page.locator("#sc-video-line")).to_contain_text("MPEG4")
    page.reload()
    expect(page.locator("#sc-video-line")).to_contain_text("MPEG4", timeout=20_000)
    page.wait_for_timeout(500)
    expect(page.locator("#sc-video-line")).to_contain_text("MPEG4")
